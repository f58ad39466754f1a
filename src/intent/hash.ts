/**
 * H(reading): the 32 bytes that bind a reading to a session, a verdict and every record. It covers the format (and so
 * the decoder), the group's key, the paths, the reader version and every field of the reading except its notes. A node that has
 * another reading, or reads with another version, has another hash and so another session id.
 */
import { type Bytes, concat, toHex, u32be, utf8 } from "../bytes.ts"
import { H } from "../crypto/frame.ts"
import { formatPath } from "../keys/path.ts"
import type { Effect, Reading, Unresolved } from "./reading.ts"

/** Goes up whenever some payload is read differently than before. A node keeps the previous version for one release. */
export const READER_VERSION = 1

/** `rootKey` is the group's xpub or cpub, as this node's own record has it. */
export function intentHash(reading: Reading, rootKey: string): Bytes {
  const { format, chain, from, effects, fee, nonce, expires, signs } = reading
  return H(
    "intent",
    u32be(READER_VERSION),
    utf8(format),
    utf8(rootKey),
    utf8(chain),
    listed(from.map(utf8)),
    concat(...effects.map(effectHash)),
    listed([utf8(fee.max.toString()), utf8(fee.asset), utf8(`${fee.unbounded}`)]),
    optional(nonce),
    optional(expires),
    listed(
      signs.map(({ path, input, bytes }) =>
        listed([optional(path && formatPath(path)), optional(input?.toString()), bytes]),
      ),
    ),
  )
}

export const intentHashText = (reading: Reading, rootKey: string): string => `0x${toHex(intentHash(reading, rootKey))}`

/** Hashes every own field by name, whatever the kind, so that a field that is added later cannot be forgotten here. */
function effectHash(effect: Effect): Bytes {
  const fields = Object.entries(effect)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return H("intent/effect", ...fields.flatMap(([name, value]) => [utf8(name), valueBytes(value)]))
}

type Value = string | bigint | Uint8Array | Unresolved

/** One letter for the type, so that no text equals a number or an unresolved account. */
function valueBytes(value: Value): Bytes {
  if (typeof value === "string") return concat(utf8("s"), utf8(value))
  if (typeof value === "bigint") return concat(utf8("i"), utf8(value.toString()))
  if (value instanceof Uint8Array) return concat(utf8("b"), value)
  return concat(utf8("u"), utf8(value.unresolved))
}

/** Joins any number of byte strings into one, injectively; a frame would allow only 255 of them. */
const listed = (parts: readonly Uint8Array[]): Bytes =>
  concat(u32be(parts.length), ...parts.flatMap((part) => [u32be(part.length), part]))

const optional = (text: string | undefined): Bytes => (text === undefined ? listed([]) : listed([utf8(text)]))
