/** Checkpoints (C2SP tlog-checkpoint): the text of a signed note that states which tree a log has. */
import type { Bytes } from "../bytes.ts"
import { HASH_BYTES } from "./merkle.ts"
import { base64, fromBase64, type NoteKey, parseNote, type SignedNote, signedBy } from "./note.ts"

export interface Checkpoint {
  /** Names the log. */
  readonly origin: string
  readonly size: number
  readonly root: Bytes
}

/** A checkpoint signed by the log, as it travels. */
export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly note: SignedNote
}

export const checkpointText = ({ origin, size, root }: Checkpoint): string => `${origin}\n${size}\n${base64(root)}\n`

/** Undefined for text that is not a checkpoint, or that has extension lines: our logs write none. */
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

/** Undefined for text that is not a signed checkpoint. Does not check who signed it. */
export function parseSigned(text: string): SignedCheckpoint | undefined {
  const note = parseNote(text)
  const checkpoint = note && parseCheckpoint(note.text)
  return checkpoint === undefined || note === undefined || checkpoint.size < 0 ? undefined : { checkpoint, note }
}

/** A log has the name of its key. Each decision to go on from an older copy of the node begins another log (audit.md 3). */
export const originOf = (keyName: string, incarnation: number): string =>
  incarnation === 0 ? keyName : `${keyName}/${incarnation}`

/** The incarnation that an origin of this key names; undefined for an origin of another key. */
export function incarnationOf(origin: string, keyName: string): number | undefined {
  if (origin === keyName) return 0
  const number = origin.startsWith(`${keyName}/`) ? sizeOf(origin.slice(keyName.length + 1)) : undefined
  return number === 0 ? undefined : number
}

/** Whether the log signed it, under one of its own origins. */
export const isOfLog = ({ checkpoint, note }: SignedCheckpoint, key: NoteKey): boolean =>
  key.role === "log" && incarnationOf(checkpoint.origin, key.name) !== undefined && signedBy(note, key) !== undefined
