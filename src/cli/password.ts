/**
 * The source of the password of secrets.db: a key file, a systemd credential, or a terminal without echo, in this
 * order. It never comes from an argument or a variable, which other processes can read, and the program never waits for a terminal
 * that is not there.
 */
import { join } from "node:path"
import { charactersOf, LEAST_CHARACTERS, readKeyFile } from "../config/keyFile.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf, isTaken } from "../files.ts"
import type { Secret } from "../secret.ts"

/** The key file, if any: `config.db` has these fields, flags included. */
export interface KeyFile {
  readonly key_file?: string | undefined
  readonly danger_allow_readable_key_file: boolean
}

/** The key file of the flags alone, for commands that read no configuration of a node. */
export const keyFileOf = (flags: {
  readonly keyFile: string | undefined
  readonly allowReadableKeyFile: boolean
}): KeyFile => ({ key_file: flags.keyFile, danger_allow_readable_key_file: flags.allowReadableKeyFile })

export interface Passwords {
  /** The password of an existing file; `prompt` is shown on a terminal. */
  existing(file: KeyFile, prompt?: string): Promise<Secret>
  /** A new password: at least 16 characters; on a terminal it is typed twice. */
  fresh(file: KeyFile): Promise<Secret>
}

/** Name of the systemd credential, a file in $CREDENTIALS_DIRECTORY. */
export const CREDENTIAL = "cosigner-password"

/** Whether a password is available without asking anybody. */
export function hasPassword(env: PasswordSources["env"], file: KeyFile): boolean {
  const credentials = env["CREDENTIALS_DIRECTORY"]
  return file.key_file !== undefined || (credentials !== undefined && isTaken(join(credentials, CREDENTIAL)))
}

interface PasswordSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The terminal; a parameter so that a test can play one. */
  readonly ask: (prompt: string) => Promise<Secret>
  /** Called for a key file that was accepted although others may read it. */
  readonly tell?: (note: string) => void
}

export function passwords(sources: PasswordSources): Passwords {
  const fromFile = (file: KeyFile): Secret | undefined => {
    if (file.key_file !== undefined) {
      const { tell } = sources
      const judged = { allowReadable: file.danger_allow_readable_key_file, ...(tell === undefined ? {} : { tell }) }
      return readKeyFile(file.key_file, judged)
    }
    const credentials = sources.env["CREDENTIALS_DIRECTORY"]
    if (credentials === undefined) return undefined
    // systemd gives a service only the credentials that its unit names. If ours is missing, only a terminal is left.
    return readCredential(join(credentials, CREDENTIAL))
  }
  return {
    existing: async (file, prompt = "Enter password: ") => fromFile(file) ?? (await sources.ask(prompt)),
    fresh: async (file) => {
      const password = fromFile(file) ?? (await twice(sources.ask))
      if (charactersOf(password) < LEAST_CHARACTERS) {
        password.wipe()
        throw new CosignerError("E-CLI-005", { least: LEAST_CHARACTERS })
      }
      return password
    },
  }
}

async function twice(ask: PasswordSources["ask"]): Promise<Secret> {
  const first = await ask(`Type password (at least ${LEAST_CHARACTERS} characters): `)
  using second = await ask("Retype password: ")
  if (first.equals(second)) return first
  first.wipe()
  throw new CosignerError("E-CLI-006", {})
}

/** A systemd credential: the directory belongs to the service, and its files have the modes that systemd gave them. */
function readCredential(path: string): Secret | undefined {
  try {
    return readKeyFile(path, { allowReadable: true })
  } catch (error) {
    const cause = error instanceof CosignerError ? error.cause : undefined
    if (errnoOf(cause) === "ENOENT") return undefined
    throw error
  }
}
