/** Readers of the fields that several JSON documents on the wire share: ids, keys, paths, hex, base64. */
import { CosignerError } from "../errors.ts"
import { MAX_MEMBERS } from "../keys/group.ts"
import { GROUP_ID } from "../keys/groupId.ts"
import { formatPath, parsePath } from "../keys/path.ts"
import { list, malformed, oneOf, type Read, text, textUpTo } from "./json.ts"
import { parseNodeId } from "./nodeId.ts"

export const TASK_ID = /^[A-Za-z0-9-]{1,64}$/

/** The largest message to sign, bytes; larger than any transaction on a supported chain. */
export const MAX_MESSAGE = 64 * 1024
/** The longest check-up message as text, characters: `0x` and 4096 bytes in hex. */
export const MAX_CHECKUP_TEXT = 2 * 4096 + 2
export const MAX_MESSAGES = 1000

export const taskId = text(TASK_ID, "1 to 64 letters, digits and dashes")
export const groupId = text(GROUP_ID, "20 letters")
export const digest = text(/^[0-9a-f]{64}$/, "64 hex digits")
export const extendedKey = text(/^[1-9A-HJ-NP-Za-km-z]{100,120}$/, "an extended public key")
export const curve = oneOf("secp256k1", "ed25519")
/**
 * A derivation path in its canonical text, `m/44/60/0/0/5`. Other spellings that would parse (spaces, no `m`, a leading slash) are
 * refused: rules and callback servers see this text, and must not understand another path than the one that signs.
 */
export const path: Read<string> = (value, at) => {
  const written = textUpTo(256)(value, at)
  return canonicalPath(written) === written ? written : malformed(at, "not a path in its canonical text")
}

function canonicalPath(written: string): string | undefined {
  try {
    return formatPath(parsePath(written))
  } catch (error) {
    if (error instanceof CosignerError) return undefined
    throw error
  }
}

/** Standard base64 in its canonical form, padded, of 1 to `max` bytes; the reader returns the text. */
export const base64 =
  (max: number): Read<string> =>
  (value, at) => {
    if (typeof value !== "string" || value === "" || value.length > 4 * Math.ceil(max / 3)) {
      return malformed(at, `not base64 of 1 to ${max} bytes`)
    }
    const bytes = Buffer.from(value, "base64")
    if (bytes.length > max || bytes.toString("base64") !== value)
      return malformed(at, "not base64 in its canonical form")
    return value
  }

const hexPattern = /^(?:[0-9a-f]{2})*$/

/** Lower-case hex of `min` to `max` bytes, without prefix. */
export const hex =
  (min: number, max: number): Read<string> =>
  (value, at) =>
    typeof value === "string" && value.length >= 2 * min && value.length <= 2 * max && hexPattern.test(value)
      ? value
      : malformed(at, `not lower-case hex of ${min} to ${max} bytes`)

/** `0x` and lower-case hex of `min` to `max` bytes; the prefix is part of the result. */
export const prefixedHex = (min: number, max: number): Read<string> => {
  const digits = hex(min, max)
  return (value, at) =>
    typeof value === "string" && value.startsWith("0x")
      ? `0x${digits(value.slice(2), at)}`
      : malformed(at, "not hex with 0x before it")
}

export const nodeId: Read<string> = (value, at) =>
  typeof value === "string" && parseNodeId(value) !== undefined ? value : malformed(at, "not a node id")

/** `min` to 32 distinct node ids. */
export function nodeIds(min: number): Read<readonly string[]> {
  const ids = list(nodeId, min, MAX_MEMBERS)
  return (value, at) => {
    const read = ids(value, at)
    return new Set(read).size === read.length ? read : malformed(at, "names a node twice")
  }
}
