/**
 * Which versions of each layer a program speaks, and how programs of different releases find the newest version that both speak
 * (formats.md 10).
 *
 * link    packets and frames between a node and WaaS (packets.ts, framesCodec.ts)
 * tasks   task documents (task.ts)
 * suites  the inputs of a signing session's id (mpc/sid.ts), and what members of a set-up prove before they acknowledge; all
 *         participants must use the same one
 * readers how payloads are read (intent/hash.ts); all signers of a payload must use the same one
 *
 * The link version costs no further round trip. Each side marks its nonce with the link versions that it speaks, as TLS 1.3 marks the
 * random of a server (RFC 8446 section 4.1.3). Both proofs cover both nonces, so an attacker in between cannot remove a mark. A program
 * that knows no marks takes a marked nonce for a random one.
 */
import { type Bytes, concat, equal, u8, utf8 } from "../bytes.ts"
import type { ByteReader } from "../codec.ts"
import { sha256 } from "../crypto/frame.ts"
import { READER_VERSION } from "../intent/hash.ts"

import { malformed } from "./json.ts"

interface Range {
  readonly oldest: number
  readonly newest: number
}

/** The versions of all layers except the link. Each list ascends and has 1 to 8 entries; `readers` may be empty. */
export interface Versions {
  readonly tasks: readonly number[]
  readonly suites: readonly number[]
  readonly readers: readonly number[]
}

export interface NodeVersions extends Versions {
  /** The newest link version that node and WaaS both speak. */
  readonly link: number
}

/** The first link version with the frames later and readiness. */
export const LINK_WITH_READINESS = 3
/** The first link version with the token of WaaS and the frame standing. */
export const LINK_WITH_STANDING = 4
/** The first link version with the frame peer. */
export const LINK_WITH_PEERS = 4
/** The first link version with the frames awaits, approval and order. */
export const LINK_WITH_APPROVALS = 4

/** Every link version since the first release. An old one can be dropped once no program that needs it runs: docs/how-to/upgrade.md. */
export const LINK: Range = { oldest: 1, newest: 4 }

export const VERSIONS: Versions = { tasks: [1, 2, 3], suites: [1, 2, 3], readers: [READER_VERSION] }

/** The versions of a node whose nonce has no mark: it was built before programs announced versions. */
export const BEFORE_VERSIONS: NodeVersions = { link: 1, tasks: [1], suites: [1], readers: [] }

/** The newest version in both ranges; undefined if they do not overlap. */
export function common(ours: Range, theirs: Range): number | undefined {
  const newest = Math.min(ours.newest, theirs.newest)
  return newest >= Math.max(ours.oldest, theirs.oldest) ? newest : undefined
}

/** The newest version in all lists; undefined if there is none. */
export function newestOfAll(lists: readonly (readonly number[])[]): number | undefined {
  const [first = [], ...others] = lists
  return [...first].sort((a, b) => b - a).find((version) => others.every((list) => list.includes(version)))
}

export const NONCE_BYTES = 32
const MARK: Bytes = sha256(utf8("cosigner link versions")).slice(0, 8)
const MARKED_BYTES = MARK.length + 2

/** A nonce with the mark for this range. `random`: 32 random bytes, of which the first 22 remain. */
export const markedNonce = (random: Uint8Array, { oldest, newest }: Range): Bytes =>
  concat(random.subarray(0, NONCE_BYTES - MARKED_BYTES), MARK, u8(oldest), u8(newest))

/** The link versions of the nonce's maker; only version 1 if there is no mark. A random nonce has a mark with probability 2^-64. */
export function rangeOf(nonce: Uint8Array): Range {
  const at = NONCE_BYTES - MARKED_BYTES
  if (!equal(nonce.subarray(at, at + MARK.length), MARK)) return { oldest: 1, newest: 1 }
  return { oldest: nonce[NONCE_BYTES - 2] ?? 0, newest: nonce[NONCE_BYTES - 1] ?? 0 }
}

const MOST = 8

export const encodeVersions = ({ tasks, suites, readers }: Versions): Bytes =>
  concat(...[tasks, suites, readers].map((list) => concat(u8(list.length), ...list.map(u8))))

export const readVersions = (from: ByteReader): Versions => ({
  tasks: listFrom(from, 1),
  suites: listFrom(from, 1),
  readers: listFrom(from, 0),
})

function listFrom(from: ByteReader, fewest: number): readonly number[] {
  const count = from.u8()
  if (count < fewest || count > MOST) malformed("versions", `not ${fewest} to ${MOST}`)
  const list = Array.from({ length: count }, () => from.u8())
  if (list.some((version, i) => version <= (list[i - 1] ?? 0))) malformed("versions", "not ascending from 1")
  return list
}
