/**
 * One message between nodes about their logs, sent through WaaS's relay. The sender's identity signs it for one receiver, so WaaS can
 * withhold and repeat it and do nothing else. It names the sender's log key or witness key, and the signature binds that key to the node.
 */
import { type Bytes, concat, u8, u16be, utf8 } from "../bytes.ts"
import { ByteReader, block, Malformed } from "../codec.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { frame } from "../crypto/frame.ts"
import { type NoteKey, noteKeyText, parseNoteKey } from "./note.ts"
import { MAX_WITNESS_TEXT } from "./witnessing.ts"

const VERSION = 1
const KINDS = { request: 1, answer: 2 } as const
/** Length of a whole message. */
export const MAX_PEER_MESSAGE = MAX_WITNESS_TEXT + 1024

export interface PeerMessage {
  readonly kind: keyof typeof KINDS
  /** In a request the log's key, in an answer the witness's. */
  readonly key: NoteKey
  /** In an answer the status (witnessing.ts), in a request 0. */
  readonly status: number
  readonly text: string
}

/** Public keys of two nodes. */
interface PeerAddresses {
  readonly sender: Uint8Array
  readonly receiver: Uint8Array
}

const bodyOf = ({ kind, key, status, text }: PeerMessage): Bytes =>
  concat(u8(VERSION), u8(KINDS[kind]), u16be(status), block(utf8(noteKeyText(key))), block(utf8(text)))

const signedBytes = ({ sender, receiver }: PeerAddresses, body: Uint8Array): Bytes =>
  frame("audit/peer", sender, receiver, body)

export function encodePeerMessage(
  message: PeerMessage,
  addresses: PeerAddresses,
  sign: (bytes: Bytes) => Uint8Array,
): Bytes {
  const body = bodyOf(message)
  return concat(body, sign(signedBytes(addresses, body)))
}

/** Undefined unless the sender signed it for this receiver in the one form. */
export function decodePeerMessage(bytes: Uint8Array, addresses: PeerAddresses): PeerMessage | undefined {
  const end = bytes.length - 64
  if (end < 0 || bytes.length > MAX_PEER_MESSAGE) return undefined
  const body = bytes.slice(0, end)
  if (!verifyEd25519(addresses.sender, signedBytes(addresses, body), bytes.slice(end))) return undefined
  try {
    return messageIn(new ByteReader(body))
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

function messageIn(from: ByteReader): PeerMessage | undefined {
  const [version, number, status] = [from.u8(), from.u8(), from.u16()]
  const key = parseNoteKey(from.text(4, 400))
  const text = from.text(4, MAX_WITNESS_TEXT)
  from.end()
  const kind = number === KINDS.request ? "request" : number === KINDS.answer ? "answer" : undefined
  if (version !== VERSION || kind === undefined) return undefined
  if (key?.role !== (kind === "request" ? "log" : "witness")) return undefined
  return { kind, key, status, text }
}
