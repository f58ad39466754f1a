/**
 * Signed notes (C2SP signed-note): a text, and lines of signatures under named keys. Owns the two forms of key that a log
 * needs: Ed25519 of a log, and Ed25519 with a time of a witness (C2SP tlog-cosignature). Reading is closed and has one form.
 */
import { sign } from "node:crypto"
import { type Bytes, concat, copy, equal, fromHex, toHex, u8, u64be, utf8 } from "../bytes.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { sha256 } from "../crypto/frame.ts"
import { privateKeyOf, rawPublicKey } from "../crypto/rawKeys.ts"

const ALGORITHMS = { log: 1, witness: 4 } as const
type NoteRole = keyof typeof ALGORITHMS

/** A key that verifies signature lines. */
export interface NoteKey {
  readonly name: string
  readonly role: NoteRole
  readonly publicKey: Bytes
}

export interface SignatureLine {
  readonly name: string
  readonly keyId: Bytes
  readonly signature: Bytes
}

export interface SignedNote {
  /** With its last newline. */
  readonly text: string
  readonly signatures: readonly SignatureLine[]
}

/** Length of a whole note; a checkpoint with a hundred cosignatures is smaller. */
export const MAX_NOTE = 32 * 1024
export const MAX_SIGNATURES = 100
const NAME = /^[^\s+\p{Cc}]{1,200}$/u

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")

/** Standard base64 in its one form; undefined for anything else. */
export function fromBase64(text: string): Bytes | undefined {
  const bytes = copy(Buffer.from(text, "base64"))
  return base64(bytes) === text ? bytes : undefined
}

// ---- keys ----------------------------------------------------------------------------------------------------------

const keyMaterial = ({ role, publicKey }: NoteKey): Bytes => concat(u8(ALGORITHMS[role]), publicKey)

const keyIdOf = (key: NoteKey): Bytes => sha256(concat(utf8(`${key.name}\n`), keyMaterial(key))).slice(0, 4)

/** The form in which people exchange keys: `name+id+base64`. */
export const noteKeyText = (key: NoteKey): string => `${key.name}+${toHex(keyIdOf(key))}+${base64(keyMaterial(key))}`

/** Undefined for text that is not in this form, or that names another id than the key's own. */
export function parseNoteKey(text: string): NoteKey | undefined {
  const [name = "", id = "", material = "", ...more] = splitKey(text)
  const bytes = fromBase64(material)
  if (bytes?.length !== 33 || more.length > 0 || !NAME.test(name)) return undefined
  const role = bytes[0] === ALGORITHMS.log ? "log" : bytes[0] === ALGORITHMS.witness ? "witness" : undefined
  if (role === undefined) return undefined
  const key: NoteKey = { name, role, publicKey: bytes.slice(1) }
  return equal(keyIdOf(key), fromHex(id) ?? new Uint8Array(0)) ? key : undefined
}

/** Base64 may hold further plus signs. */
function splitKey(text: string): readonly string[] {
  const first = text.indexOf("+")
  const second = text.indexOf("+", first + 1)
  return first < 0 || second < 0 ? [] : [text.slice(0, first), text.slice(first + 1, second), text.slice(second + 1)]
}

/** Signs as one key. */
export interface NoteSigner {
  readonly key: NoteKey
  /** `atMs` is part of what a witness signs. A log's signature ignores it. */
  sign(text: string, atMs: number): SignatureLine
}

/** The signer of a 32-byte Ed25519 seed. The caller keeps owning the seed. */
export function noteSigner(name: string, role: NoteRole, seed: Uint8Array): NoteSigner {
  const secret = privateKeyOf("ed25519", seed)
  const key: NoteKey = { name, role, publicKey: rawPublicKey(secret) }
  const keyId = keyIdOf(key)
  return {
    key,
    sign(text, atMs) {
      const seconds = Math.floor(atMs / 1000)
      const signature = copy(sign(null, signedBytes(role, text, seconds), secret))
      return { name, keyId, signature: role === "log" ? signature : concat(u64be(seconds), signature) }
    },
  }
}

const signedBytes = (role: NoteRole, text: string, seconds: number): Bytes =>
  utf8(role === "log" ? text : `cosignature/v1\ntime ${seconds}\n${text}`)

// ---- notes ---------------------------------------------------------------------------------------------------------

export const signatureText = ({ name, keyId, signature }: SignatureLine): string =>
  `— ${name} ${base64(concat(keyId, signature))}\n`

export const noteText = ({ text, signatures }: SignedNote): string =>
  `${text}\n${signatures.map(signatureText).join("")}`

/** Undefined unless the text is exactly a note: a text, an empty line, one signature line or more. */
export function parseNote(note: string): SignedNote | undefined {
  if (note.length > MAX_NOTE || !note.isWellFormed() || !note.endsWith("\n")) return undefined
  // The only control character allowed is the newline (C2SP signed-note).
  if (/[^\P{Cc}\n]/u.test(note)) return undefined
  const end = note.lastIndexOf("\n\n")
  if (end < 0) return undefined
  const signatures = parseSignatures(note.slice(end + 2))
  if (signatures === undefined || signatures.length === 0) return undefined
  return { text: note.slice(0, end + 1), signatures }
}

/** Parses the signature lines of a witness's answer. */
export function parseSignatures(lines: string): readonly SignatureLine[] | undefined {
  if (lines.length > MAX_NOTE || (lines !== "" && !lines.endsWith("\n"))) return undefined
  const texts = lines === "" ? [] : lines.slice(0, -1).split("\n")
  if (texts.length > MAX_SIGNATURES) return undefined
  const read = texts.map((line) => {
    const found = /^— (\S+) (\S+)$/.exec(line)
    const [name = "", bytes] = [found?.[1], fromBase64(found?.[2] ?? "")]
    if (!NAME.test(name) || bytes === undefined || bytes.length < 5) return undefined
    return { name, keyId: bytes.slice(0, 4), signature: bytes.slice(4) }
  })
  return read.every((line) => line !== undefined) ? read : undefined
}

/** When the key signed: ms since 1970 for a witness, 0 for a log. Undefined if no line is a signature of that key. */
export const signedBy = (note: SignedNote, key: NoteKey): number | undefined => verified(note, key)?.atMs

/** The line that is a signature of that key. Other lines may have the same name. */
export const lineBy = (note: SignedNote, key: NoteKey): SignatureLine | undefined => verified(note, key)?.line

function verified({ text, signatures }: SignedNote, key: NoteKey) {
  const id = keyIdOf(key)
  for (const line of signatures) {
    const { name, keyId, signature } = line
    if (name !== key.name || !equal(keyId, id)) continue
    const at = key.role === "log" ? 0 : 8
    if (signature.length !== at + 64) continue
    const seconds = at === 0 ? 0 : Number(Buffer.from(signature).readBigUInt64BE(0))
    if (!Number.isSafeInteger(seconds * 1000)) continue
    if (verifyEd25519(key.publicKey, signedBytes(key.role, text, seconds), signature.slice(at)))
      return { line, atMs: seconds * 1000 }
  }
  return undefined
}
