/** The password of a file that is not the database: its own if somebody can enter one, otherwise that of the key file. */
import type { Secret } from "../secret.ts"
import type { CommandBase } from "./command.ts"
import type { KeyFile } from "./password.ts"

interface PasswordPurpose {
  /** The purpose of the password, as a text for people. */
  readonly what: string
  /** The file that holds it, if one was named. */
  readonly file: string | undefined
  readonly db: KeyFile
}

const own = (file: string | undefined, db: KeyFile): KeyFile => ({
  key_file: file,
  danger_allow_readable_key_file: db.danger_allow_readable_key_file,
})

/** Without a terminal and with a key file, the key file's password is used, and the command says so (formats.md 4.2). */
const fallsBack = ({ file, db }: PasswordPurpose): boolean =>
  file === undefined && db.key_file !== undefined && process.stdin.isTTY !== true

/** A new password: from the named file, or asked for twice. */
export async function newPassword(
  { passwords, out }: Pick<CommandBase, "passwords" | "out">,
  wanted: PasswordPurpose,
): Promise<Secret> {
  if (!fallsBack(wanted)) return passwords.fresh(own(wanted.file, wanted.db))
  out.note(`${wanted.what} gets the password of the key file: there is no terminal to ask for another one`)
  return passwords.fresh(wanted.db)
}

/** The password of an existing file. */
export function existingPassword(
  { passwords }: Pick<CommandBase, "passwords">,
  wanted: PasswordPurpose,
): Promise<Secret> {
  if (fallsBack(wanted)) return passwords.existing(wanted.db)
  return passwords.existing(own(wanted.file, wanted.db), `Enter password of ${wanted.what}: `)
}
