/**
 * The abort report (threshold.md 12, ABORT-B). It says that the session is over. The only reason that it gives is whether the
 * views differed. If they did, it carries every signed broadcast that its sender holds, so that a party that signed two can be proven guilty.
 */
import { type Bytes, concat, u8, u32be } from "../bytes.ts"
import { type Envelope, isAuthentic, parseEnvelope } from "./envelope.ts"

type AbortClass = "protocol" | "view mismatch"

export interface Abort {
  readonly kind: AbortClass
  /** Only with "view mismatch". */
  readonly originals: readonly Bytes[]
}

const CLASS = { protocol: 1, "view mismatch": 2 } as const

export const encodeAbort = (abort: Abort): Bytes =>
  concat(
    u8(CLASS[abort.kind]),
    u8(abort.originals.length),
    ...abort.originals.flatMap((envelope) => [u32be(envelope.length), envelope]),
  )

/** undefined for bytes that encodeAbort does not make. Does not look into the originals. */
export function decodeAbort(body: Bytes): Abort | undefined {
  const kind =
    body[0] === CLASS.protocol ? "protocol" : body[0] === CLASS["view mismatch"] ? "view mismatch" : undefined
  const count = body[1]
  if (kind === undefined || count === undefined || (kind === "protocol" && count !== 0)) return undefined
  const originals: Bytes[] = []
  let at = 2
  while (originals.length < count) {
    if (body.length < at + 4) return undefined
    const length = new DataView(body.buffer, body.byteOffset).getUint32(at)
    at += 4
    if (body.length < at + length) return undefined
    originals.push(body.subarray(at, at + length))
    at += length
  }
  return at === body.length ? { kind, originals } : undefined
}

/** The originals that their senders signed. Others prove nothing. */
export function authenticOriginals(abort: Abort): readonly Envelope[] {
  const envelopes = abort.originals.flatMap((bytes) => parseEnvelope(bytes) ?? [])
  return envelopes.filter(isAuthentic)
}
