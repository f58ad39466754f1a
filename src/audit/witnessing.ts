/**
 * The messages between a log and its witnesses (C2SP tlog-witness), as texts, and how a witness answers a request. The same code serves
 * HTTP and nodes. Owns no memory: the caller passes in what the witness saw last, and gets back what it must remember.
 */
import { type Bytes, equal } from "../bytes.ts"
import type { CosignerError } from "../errors.ts"
import { incarnationOf, isOfLog, parseSigned, type SignedCheckpoint, sizeOf } from "./checkpoint.ts"
import { isConsistent } from "./consistency.ts"
import { HASH_BYTES, MAX_PROOF } from "./merkle.ts"
import { base64, fromBase64, type NoteKey, noteText } from "./note.ts"

/** Length of a request or an answer. */
export const MAX_WITNESS_TEXT = 48 * 1024

interface WitnessRequest {
  readonly old: number
  readonly proof: readonly Bytes[]
  readonly signed: SignedCheckpoint
}

export const requestText = ({ old, proof, signed }: WitnessRequest): string =>
  [`old ${old}`, ...proof.map(base64), "", noteText(signed.note)].join("\n")

function parseRequest(text: string): WitnessRequest | undefined {
  const end = text.indexOf("\n\n")
  if (end < 0 || text.length > MAX_WITNESS_TEXT) return undefined
  const [first = "", ...hashes] = text.slice(0, end).split("\n")
  const old = first.startsWith("old ") ? sizeOf(first.slice(4)) : undefined
  const proof = hashes.map(fromBase64).filter((hash) => hash?.length === HASH_BYTES)
  const signed = parseSigned(text.slice(end + 2))
  if (old === undefined || signed === undefined || proof.length !== hashes.length) return undefined
  return proof.length > MAX_PROOF ? undefined : { old, proof: proof.filter((hash) => hash !== undefined), signed }
}

/** HTTP status numbers, also used over a relay. */
type WitnessStatus = 200 | 400 | 403 | 409 | 422

export type Witnessed =
  /** The caller must remember it before it cosigns. */
  | { readonly status: 200; readonly signed: SignedCheckpoint; readonly isNew: boolean }
  | { readonly status: Exclude<WitnessStatus, 200>; readonly known: SignedCheckpoint | undefined }

/**
 * Judges a request against what was last seen of that log. A later incarnation begins another log, of which nothing was seen.
 */
export function witnessed(text: string, key: NoteKey, last: SignedCheckpoint | undefined): Witnessed {
  const request = parseRequest(text)
  if (request === undefined) return { status: 400, known: undefined }
  const { old, proof, signed } = request
  if (!isOfLog(signed, key)) return { status: 403, known: undefined }
  const { checkpoint } = signed
  const [now = 0, before = 0] = [checkpoint, last?.checkpoint].map((one) => one && incarnationOf(one.origin, key.name))
  if (last !== undefined && now < before) return { status: 409, known: last }
  const known = now === before ? last : undefined
  const size = known?.checkpoint.size ?? 0
  if (old > checkpoint.size) return { status: 400, known }
  if (old !== size) return { status: 409, known }
  if (known === undefined) return proof.length === 0 ? { status: 200, signed, isNew: true } : { status: 422, known }
  if (checkpoint.size === size) {
    const isSame = equal(checkpoint.root, known.checkpoint.root)
    return isSame && proof.length === 0 ? { status: 200, signed, isNew: false } : { status: 409, known }
  }
  if (!isConsistent(known.checkpoint, checkpoint, proof)) return { status: 422, known }
  return { status: 200, signed, isNew: true }
}

/** The text of a refusal: the size that was seen last, and between nodes also the checkpoint, which the log has signed. */
export const refusalText = (known: SignedCheckpoint | undefined): string =>
  known === undefined ? "0\n" : `${known.checkpoint.size}\n${noteText(known.note)}`

/** The checkpoint in a refusal; undefined if there is none. */
export function checkpointIn(text: string): SignedCheckpoint | undefined {
  const end = text.indexOf("\n")
  return end < 0 || text.length > MAX_WITNESS_TEXT ? undefined : parseSigned(text.slice(end + 1))
}

/** The size that a refusal names; undefined for other text. */
export const sizeIn = (text: string): number | undefined => sizeOf(text.split("\n", 1)[0] ?? "")

/**
 * Whether a checkpoint that this log signed contradicts the log as it is: it goes further, has another root, or is of a later
 * incarnation. Only the log's key can have made it, so it does not matter who brings it.
 */
export function contradicts(
  signed: SignedCheckpoint,
  key: NoteKey,
  own: { readonly origin: string; readonly size: number; readonly rootAt: (size: number) => Bytes },
): boolean {
  if (!isOfLog(signed, key)) return false
  const { origin, size, root } = signed.checkpoint
  const [theirs = 0, ours = 0] = [origin, own.origin].map((one) => incarnationOf(one, key.name))
  if (theirs !== ours) return theirs > ours
  return size > own.size || !equal(root, own.rootAt(size))
}

/** The state of a log towards its witnesses. */
export interface WitnessState {
  /** Leaves that no witness has seen. */
  readonly unseen: number
  /** When the newest cosigned checkpoint was cosigned last, ms since 1970; undefined before the first. */
  readonly cosignedMs: number | undefined
  readonly by: number
  readonly peers: number
  /** A problem of a witness or of an external anchor. */
  readonly problem: CosignerError | undefined
}
