/** Payloads and the paths that sign them, as typed on the command line, for every command that reads one. */
import { closeSync, openSync, readSync } from "node:fs"
import type { Bytes } from "../bytes.ts"
import type { SigningMessage } from "../intent/context.ts"
import { MAX_PAYLOAD_BYTES } from "../intent/reading.ts"
import { parsePath } from "../keys/path.ts"
import { algorithmOf } from "../keys/pathRule.ts"
import { refuse } from "./command.ts"

/** Reads one byte above the limit, which is enough to refuse a payload: the file may never end. */
export function bytesOfFile(flag: string, file: string): Bytes {
  const bytes = new Uint8Array(MAX_PAYLOAD_BYTES + 1)
  let length = 0
  let opened: number | undefined
  try {
    opened = openSync(file, "r")
    for (let count = 1; count > 0 && length < bytes.length; length += count)
      count = readSync(opened, bytes, length, bytes.length - length, null)
  } catch {
    return refuse(flag, "a file that can be read", file)
  } finally {
    if (opened !== undefined) closeSync(opened)
  }
  return bytes.slice(0, length)
}

/** The same as text. */
export const textOfFile = (flag: string, file: string): string => Buffer.from(bytesOfFile(flag, file)).toString("utf8")

const PLACE = /^([^@]+)(?:@(0|[1-9]\d{0,5}))?$/

/** The caller says whether the path is on Ed25519, because the path itself does not show it. */
interface SigningKind {
  readonly isEd25519: boolean
  readonly isBitcoin: boolean
}

/** A path, or `path@input` of a PSBT. The path determines the kind of signature: Schnorr below m/86, with the tweak of BIP-86 for Bitcoin. */
export function signingMessage(text: string, { isEd25519, isBitcoin }: SigningKind): SigningMessage {
  const [, pathText = "", input] = PLACE.exec(text) ?? refuse("--path", "a path, or a path and @ and an input", text)
  const path = parsePath(pathText)
  const place = input === undefined ? {} : { input: Number(input) }
  if (isEd25519) return { path, signature: "EdDSA", ...place }
  if (algorithmOf(path) === "ecdsa") return { path, signature: "ECDSA", ...place }
  const tweak = isBitcoin ? { merkleRoot: new Uint8Array(0) } : {}
  return { path, signature: "Schnorr", ...tweak, ...place }
}
