/** Checkpoints (C2SP tlog-checkpoint): which tree a log has, as the text of a signed note. */
import type { Bytes } from "../bytes.ts"
import { HASH_BYTES } from "./merkle.ts"
import { base64, fromBase64, type NoteKey, parseNote, type SignedNote, signedBy } from "./note.ts"

export interface Checkpoint {
  /** Which log it is. */
  readonly origin: string
  readonly size: number
  readonly root: Bytes
}

/** A checkpoint under the log's signature, as it travels. */
export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly note: SignedNote
}

export const checkpointText = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${base64(root)}\n`

/** Undefined for what is no checkpoint, or has lines of extension: our logs write none. */
function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin = "", size = "", root = "", end, ...more] = text.split("\n")
  const bytes = fromBase64(root)
  if (end !== "" || more.length > 0 || origin === "" || bytes?.length !== HASH_BYTES) return undefined
  return { origin, size: sizeOf(size) ?? -1, root: bytes }
}

/** Decimal without leading zeros, up to 2^53 - 1. */
export function sizeOf(text: string): number | undefined {
  const size = /^(?:0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(size) ? size : undefined
}

/** Undefined for what is no signed checkpoint; whose it is, is not looked at. */
export function parseSigned(text: string): SignedCheckpoint | undefined {
  const note = parseNote(text)
  const checkpoint = note && parseCheckpoint(note.text)
  return checkpoint === undefined || note === undefined || checkpoint.size < 0 ? undefined : { checkpoint, note }
}

/** A log goes by the name of its key; each decision to go on from an older copy of the node begins another (audit.md 3). */
export const originOf = (keyName: string, incarnation: number): string =>
  incarnation === 0 ? keyName : `${keyName}/${incarnation}`

/** The incarnation that an origin of this key names; undefined for an origin of another. */
export function incarnationOf(origin: string, keyName: string): number | undefined {
  if (origin === keyName) return 0
  const number = origin.startsWith(`${keyName}/`) ? sizeOf(origin.slice(keyName.length + 1)) : undefined
  return number === 0 ? undefined : number
}

/** Whether the log signed it, under an origin of its own. */
export const isOfLog = ({ checkpoint, note }: SignedCheckpoint, key: NoteKey): boolean =>
  key.role === "log" && incarnationOf(checkpoint.origin, key.name) !== undefined && signedBy(note, key) !== undefined
