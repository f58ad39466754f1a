/** A proof that one leaf is in a log (C2SP tlog-proof): the leaf as extra data, its path, and the checkpoint that it leads to. */
import { type Bytes, equal } from "../bytes.ts"
import { Malformed } from "../codec.ts"
import { isOfLog, parseSigned, type SignedCheckpoint, sizeOf } from "./checkpoint.ts"
import { type AuditLeaf, MAX_LEAF, parseLeaf } from "./entry.ts"
import { HASH_BYTES, leafHash, MAX_PROOF, rootByInclusion } from "./merkle.ts"
import { base64, fromBase64, type NoteKey, noteText } from "./note.ts"

const FIRST_LINE = "c2sp.org/tlog-proof@v1"
/** Length of a whole file. */
export const MAX_PROOF_FILE = 64 * 1024

interface LeafProof {
  readonly leaf: Bytes
  readonly index: number
  readonly path: readonly Bytes[]
  readonly signed: SignedCheckpoint
}

export const proofText = ({ leaf, index, path, signed }: LeafProof): string =>
  [FIRST_LINE, `extra ${base64(leaf)}`, `index ${index}`, ...path.map(base64), "", noteText(signed.note)].join("\n")

/** Undefined for text that is not such a file. `provenLeaf` checks what it proves. */
export function parseProof(text: string): LeafProof | undefined {
  if (text.length > MAX_PROOF_FILE) return undefined
  const end = text.indexOf("\n\n")
  const [first, extra = "", place = "", ...hashes] = text.slice(0, Math.max(0, end)).split("\n")
  const leaf = fromBase64(extra.startsWith("extra ") ? extra.slice(6) : "-")
  const index = sizeOf(place.startsWith("index ") ? place.slice(6) : "")
  const path = hashes.map(fromBase64).filter((hash) => hash?.length === HASH_BYTES)
  const signed = parseSigned(text.slice(end + 2))
  if (end < 0 || first !== FIRST_LINE || leaf === undefined || index === undefined || signed === undefined)
    return undefined
  if (path.length !== hashes.length || path.length > MAX_PROOF || leaf.length > MAX_LEAF) return undefined
  return { leaf, index, path: path.filter((hash) => hash !== undefined), signed }
}

/** The leaf, if the log of that key has it at this place; otherwise a problem. */
export function provenLeaf({ leaf, index, path, signed }: LeafProof, key: NoteKey): AuditLeaf | string {
  if (!isOfLog(signed, key)) return "its checkpoint is not signed by that key"
  const { size, root } = signed.checkpoint
  const found = rootByInclusion(index, size, leafHash(leaf), path)
  if (found === undefined || !equal(found, root)) return "its path does not lead to the root of its checkpoint"
  try {
    const read = parseLeaf(leaf)
    return read.seq === index ? read : "the leaf names another place in the log"
  } catch (error) {
    if (error instanceof Malformed) return "the leaf is not one of this version"
    throw error
  }
}
