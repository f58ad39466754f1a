/**
 * `cosigner change-password`: wraps the data key again, in one commit. It rewrites no record, and a running node does it itself.
 * With --reencrypt it draws a new data key and seals every record again.
 */
import { join } from "node:path"
import { charactersOf, LEAST_CHARACTERS, MOST_BYTES } from "../config/keyFile.ts"
import { changeWithKeyFile } from "../config/passwordChange.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { isTaken } from "../files.ts"
import { askNode } from "../ops/admin/client.ts"
import type { Output } from "../output.ts"
import { Secret } from "../secret.ts"
import { reencrypt } from "../store/reencrypt.ts"
import { openStore } from "../store/store.ts"
import { command, flag } from "./command.ts"
import { CREDENTIAL } from "./password.ts"

/** A program that passes a password on stdin has it ready, so after this time a silent pipe counts as nobody. */
const STDIN_MS = 10_000

export const changePassword = command({
  summary: "Give the database another password",
  details: [
    "The node may be running. The new password is asked for twice on a terminal; without one it is read from stdin as two",
    "equal lines. The command also writes it to a key file (FILE.bak keeps the old one until the next start), or changes nothing. Backups keep",
    "the password they have. The old password still opens every copy of the database that was made before. The key under which",
    "records are sealed stays the same: anybody who had the old password and such a copy can also read later copies. If somebody",
    "knew the old password, use --reencrypt: it draws a new key and seals every record again, in a new file that replaces",
    "the old one. The node must not be running for this, because it would not see the new file. It does not undo what a copy",
    "and the old password have already revealed: refresh the groups by a reshare, which makes new shares, and make new backups.",
  ].join("\n"),
  options: {
    reencrypt: flag("--reencrypt", "draw a new key too, and seal every record again; the node must not be running"),
  },
  examples: [
    ["cosigner change-password", "asks for the old one and the new one"],
    [
      "cosigner change-password --reencrypt",
      "after somebody may have known the old one and had a copy of the database",
    ],
    ["cosigner change-password --key-file .password < new-twice", "as scripts do: the new password on two lines"],
  ],
  run: async ({ config, env, options, passwords, out }) => {
    const { db } = await config()
    const { key_file: keyFile } = db
    if (keyFile === undefined) requireNoCredential(env)
    using password = await passwords.existing(db)
    const forTerminal = { key_file: undefined, danger_allow_readable_key_file: false }
    using next = process.stdin.isTTY === true ? await passwords.fresh(forTerminal) : await fromStdin(db.path)
    let records = 0
    const change = async (): Promise<void> => {
      if (options.reencrypt) {
        records = reencrypt(db.path, { password, next, progress: told(out) })
        return
      }
      const asked = await askNode(db.path, { command: "change-password" }, password, next)
      if (asked !== undefined) return
      using store = openStore(db.path, password, { readOnly: false })
      store.changePassword(next)
    }
    if (keyFile === undefined) await change()
    else await changeWithKeyFile({ path: db.path, key_file: keyFile }, { before: password, next }, change)
    const done = { db: db.path, changed: true, key_file: keyFile ?? null }
    out.result(options.reencrypt ? { ...done, reencrypted_records: records } : done, [
      `Password changed: ${db.path}`,
      ...(options.reencrypt ? [`Encrypted again under a new key: ${records} records`] : []),
      keyFile === undefined
        ? "Whatever hands the password to the node must hand over the new one before the next start"
        : `Key file changed: ${keyFile}; the old password is in ${keyFile}.bak until the next start`,
    ])
    return EXIT.ok
  },
})

/** Reports each tenth of the progress. */
function told(out: Output): (done: number, total: number) => void {
  let tenths = 0
  return (done, total) => {
    const now = Math.floor((10 * done) / total)
    if (now > tenths) out.note(`cosigner: ${done} of ${total} records`)
    tenths = Math.max(tenths, now)
  }
}

function requireNoCredential(env: Readonly<Record<string, string | undefined>>): void {
  const folder = env["CREDENTIALS_DIRECTORY"]
  if (folder === undefined) return
  const path = join(folder, CREDENTIAL)
  if (isTaken(path)) throw new CosignerError("E-CLI-017", { path })
}

/** Reads two equal lines from stdin. Throws E-BAK-021, E-CLI-005 and E-CLI-006. */
async function fromStdin(path: string): Promise<Secret> {
  using text = Secret.take(await readLines(path))
  const bytes = text.expose()
  const end = bytes.indexOf(0x0a)
  using first = Secret.from(withoutReturn(bytes.subarray(0, end)))
  const rest = bytes.subarray(end + 1)
  const second = withoutReturn(rest.subarray(0, rest.indexOf(0x0a)))
  using repeated = Secret.from(second)
  if (!first.equals(repeated)) throw new CosignerError("E-CLI-006", {})
  if (charactersOf(first) < LEAST_CHARACTERS) throw new CosignerError("E-CLI-005", { least: LEAST_CHARACTERS })
  return Secret.from(first.expose())
}

const withoutReturn = (line: Uint8Array): Uint8Array => (line.at(-1) === 0x0d ? line.subarray(0, -1) : line)

/** Bytes of stdin up to and including the second line break; the end of input also ends the last line. */
async function readLines(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(2 * MOST_BYTES + 8)
  const reader = Bun.stdin.stream().getReader()
  const silence = Bun.sleep(STDIN_MS).then(() => undefined)
  let length = 0
  const lines = (): number => bytes.subarray(0, length).reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 0)
  while (lines() < 2 && length < bytes.length - 1) {
    const next = await Promise.race([reader.read(), silence])
    if (next === undefined) break
    if (next.done) {
      if (lines() === 1 && bytes[length - 1] !== 0x0a) bytes[length++] = 0x0a
      break
    }
    const part = next.value.subarray(0, bytes.length - 1 - length)
    bytes.set(part, length)
    next.value.fill(0)
    length += part.length
  }
  if (lines() < 2) {
    bytes.fill(0)
    throw new CosignerError("E-BAK-021", { path })
  }
  return bytes
}
