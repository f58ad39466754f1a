/**
 * The inputs of the recovery commands: recovery files, the group, a password for each file, and the consent to
 * show private keys. keys/recoverySet.ts checks what the files prove. Needs no configuration, database or network.
 */
import { closeSync, openSync, readSync, statSync, writeSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import type { ExtendedPrivateKey } from "../keys/extendedKey.ts"
import { OpeningKeys } from "../keys/recoveryBox.ts"
import { MAX_FILE, parseRecoveryFile, type RecoveryGroup, recoveryText } from "../keys/recoveryFile.ts"
import { checkPublicShares, checkTogether, type ProvenShare, proveShare, reconstruct } from "../keys/recoverySet.ts"
import { type CommandBase, flag, list, refuse, rest } from "./command.ts"

export const fileArguments = { files: rest("recovery-file", "the files of the nodes") }

export const fileOptions = {
  more: list("--recovery-group-files <files>", "the same files, between commas"),
  keyFile: list("--key-file <files>", "password files, mode 600: one for all, or one for each file in its order"),
}

export const consentOptions = {
  consent: flag("--yes-i-understand", "show private keys without asking; whoever sees them owns the funds"),
}

/** The groups of every file, in the order given. Throws E-CLI-002 without files, E-KEY-032, and the errors of parseRecoveryFile. */
export async function loadFiles(paths: readonly string[]): Promise<readonly (readonly RecoveryGroup[])[]> {
  if (paths.length === 0) refuse("the list of recovery files", "at least one file", "")
  return Promise.all(paths.map(async (path) => parseRecoveryFile(await readText(path), path)))
}

async function readText(path: string): Promise<string> {
  try {
    const stat = statSync(path)
    if (!stat.isFile()) throw new CosignerError("E-KEY-032", { path, why: "it is not a regular file" })
    if (stat.size > MAX_FILE) throw new CosignerError("E-KEY-032", { path, why: "it is too large for a recovery file" })
    return recoveryText(await readFile(path), path)
  } catch (cause) {
    if (cause instanceof CosignerError) throw cause
    throw new CosignerError("E-KEY-032", { path, why: whyNot(cause) }, { cause })
  }
}

export function whyNot(cause: unknown): string {
  const code = errnoOf(cause)
  if (code === undefined) return "reading it failed"
  if (code === "ENOENT") return "there is no such file"
  if (code === "EACCES") return "this user may not read it"
  return `reading it failed (${code})`
}

/** Each file's share of one group, checked as far as this needs no password. Throws E-KEY-017 if a file has none. */
export function sharesOf(files: readonly (readonly RecoveryGroup[])[], groupId: string): readonly RecoveryGroup[] {
  const groups = files.map((file) => {
    const group = file.find((one) => one.groupId === groupId)
    if (group !== undefined) return group
    const found = file.map((one) => one.groupId)
    throw new CosignerError("E-KEY-017", { file: file[0]?.file ?? "", group: groupId, found })
  })
  checkTogether(groups)
  groups.forEach(checkPublicShares)
  return groups
}

export const groupIdsOf = (files: readonly (readonly RecoveryGroup[])[]): readonly string[] => [
  ...new Set(files.flatMap((file) => file.map(({ groupId }) => groupId))),
]

/** The named group, or the only one. Throws E-KEY-024 if there are several. */
export function theGroup(files: readonly (readonly RecoveryGroup[])[], named: string | undefined): string {
  const groups = groupIdsOf(files)
  const [only] = groups
  if (named !== undefined) return named
  if (only === undefined || groups.length > 1) throw new CosignerError("E-KEY-024", { groups })
  return only
}

/** The passwords of all files, each asked for once. Keys derived from them are kept while the files are open. Dispose it. */
export class OpenFiles implements Disposable {
  readonly #keys = new Map<string, OpeningKeys>()

  async unlock(
    base: CommandBase,
    files: readonly (readonly RecoveryGroup[])[],
    keyFiles: readonly string[],
  ): Promise<void> {
    if (keyFiles.length > 1 && keyFiles.length !== files.length) {
      refuse("--key-file", `one file, or ${files.length} of them`, keyFiles.join(","))
    }
    for (const [i, [group]] of files.entries()) {
      if (group === undefined) continue
      const key_file = keyFiles[keyFiles.length === 1 ? 0 : i]
      const source = { key_file, danger_allow_readable_key_file: base.globals.allowReadableKeyFile }
      this.#keys.set(group.file, new OpeningKeys(await base.passwords.existing(source, `Password of ${group.file}: `)))
    }
  }

  prove(group: RecoveryGroup): ProvenShare {
    const keys = this.#keys.get(group.file)
    if (keys === undefined) throw new TypeError("every file was unlocked")
    return proveShare(group, keys)
  }

  [Symbol.dispose](): void {
    for (const keys of this.#keys.values()) {
      keys[Symbol.dispose]()
      keys.password.wipe()
    }
    this.#keys.clear()
  }
}

interface Reconstructed {
  /** The caller disposes its scalar. */
  readonly root: ExtendedPrivateKey
  readonly group: RecoveryGroup
}

/** The root keys of the groups, after consent. Consent and passwords are asked for once. */
export async function reconstructWithConsent(
  base: CommandBase,
  files: readonly (readonly RecoveryGroup[])[],
  groupIds: readonly string[],
  given: {
    readonly keyFile: readonly string[]
    readonly consent: boolean
    /** A warning of this command, in addition to what applies to every root key. */
    readonly warning?: string
  },
): Promise<readonly Reconstructed[]> {
  const perGroup = groupIds.map((groupId) => sharesOf(files, groupId))
  // Checked before anything is typed: nobody should look for passwords that cannot help.
  for (const groups of perGroup) requireEnough(groups)
  if (given.consent && given.warning !== undefined) base.out.note(given.warning)
  if (!given.consent) confirm(groupIds, given.warning)
  using open = new OpenFiles()
  await open.unlock(base, files, given.keyFile)
  const proven = perGroup.map((groups) => groups.map((group) => open.prove(group)))
  return proven.flatMap((shares) => {
    const [first] = shares
    return first === undefined ? [] : [{ root: reconstruct(shares), group: first.group }]
  })
}

function requireEnough(groups: readonly RecoveryGroup[]): void {
  const [group] = groups
  if (group !== undefined && groups.length < group.threshold) {
    throw new CosignerError("E-KEY-021", { group: group.groupId, have: groups.length, need: group.threshold })
  }
}

const CONSENT = "expose the private key"

/** Asks for the phrase on the terminal. Throws E-KEY-033 for any other answer, or without a terminal. */
function confirm(groupIds: readonly string[], warning: string | undefined): void {
  const answer = askPlainly(
    `This puts the whole private key of ${groupIds.join(" and ")} together. Whoever sees it owns every address under\n` +
      "it, and the shares of the nodes protect nothing any more. Do it without network, on a computer you trust.\n" +
      (warning === undefined ? "" : `${warning}\n`) +
      `Type "${CONSENT}" to go on: `,
  )
  if (answer !== CONSENT) throw new CosignerError("E-KEY-033", {})
}

/** One line from the terminal, with echo; undefined without a terminal. */
function askPlainly(prompt: string): string | undefined {
  let fd: number
  try {
    fd = openSync("/dev/tty", "r+")
  } catch {
    return undefined
  }
  try {
    writeSync(fd, prompt)
    const buffer = Buffer.alloc(1024)
    return buffer.toString("utf8", 0, readSync(fd, buffer, 0, buffer.length, null)).trim()
  } finally {
    closeSync(fd)
  }
}
