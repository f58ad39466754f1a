/** SHA256SUMS of a release: its lines, and whether the named files match. Owns reading of files that may be large. */
import { createHash } from "node:crypto"
import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { join } from "node:path"
import { errnoOf } from "../../files.ts"
import { fileHash } from "./minisign.ts"

interface Sum {
  readonly name: string
  /** 64 hex digits. */
  readonly sha256: string
}

/** A release has some hundred files at most. */
const MAX_LINES = 10_000
const LINE = /^([0-9a-f]{64}) [ *](.+)$/
/** A path below the folder of the list. */
const NAME = /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[\x20-\x7e]{1,400}$/

/** Undefined for text that `sha256sum` would not have written. */
export function parseSums(text: string): readonly Sum[] | undefined {
  const lines = text.replace(/\n$/, "").split("\n")
  if (lines.length > MAX_LINES) return undefined
  const sums: Sum[] = []
  for (const line of lines) {
    const [, sha256 = "", name = ""] = LINE.exec(line) ?? []
    if (!NAME.test(name)) return undefined
    sums.push({ name, sha256 })
  }
  return sums
}

export interface CheckedSum {
  readonly name: string
  readonly state: "as signed" | "changed" | "absent"
}

export const checkSums = (folder: string, sums: readonly Sum[]): readonly CheckedSum[] =>
  sums.map(({ name, sha256 }) => {
    const hash = createHash("sha256")
    if (!readInto(join(folder, name), (chunk) => hash.update(chunk))) return { name, state: "absent" }
    return { name, state: hash.digest("hex") === sha256 ? "as signed" : "changed" }
  })

/** What a signature of the file is over. Throws the system's error where it cannot be read. */
export function hashOfFile(path: string): Uint8Array {
  const hash = fileHash()
  if (!readInto(path, (chunk) => hash.update(chunk)))
    throw Object.assign(new Error("it is not there"), { code: "ENOENT" })
  return hash.digest()
}

const CHUNK = 1024 * 1024

/** False where there is no such file. */
function readInto(path: string, take: (chunk: Uint8Array) => void): boolean {
  let fd: number
  try {
    fd = openSync(path, "r")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false
    throw error
  }
  try {
    if (!fstatSync(fd).isFile()) throw Object.assign(new Error("it is no plain file"), { code: "EINVAL" })
    const buffer = new Uint8Array(CHUNK)
    for (let read = readSync(fd, buffer); read > 0; read = readSync(fd, buffer)) take(buffer.subarray(0, read))
    return true
  } finally {
    closeSync(fd)
  }
}
