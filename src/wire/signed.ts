/**
 * What WaaS signs with its Ed25519 key: task, start and cancel documents, each under its own tag so that none passes for
 * another. Owns signing, verifying and the two small documents; the task document is taskCodec's.
 */

import { type KeyObject, sign } from "node:crypto"
import { type Bytes, copy, utf8 } from "../bytes.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { frame } from "../crypto/frame.ts"
import { rawPublicKey } from "../crypto/rawKeys.ts"
import type { Tag } from "../crypto/tags.ts"
import { CosignerError } from "../errors.ts"
import { digest, hex, nodeIds, taskId } from "./fields.ts"
import type { SignedDocument } from "./frames.ts"
import { attempt, closed, type FormProblem, integer, oneOf, parseJson, type Read, textUpTo } from "./json.ts"

/** An Ed25519 key that signs and is not shown: a node's identity, or WaaS's. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Bytes
  /** 64 bytes over the message itself. */
  sign(message: Uint8Array): Bytes
}

/** A key that may be somewhere else: its signatures are checked before they come, and may take a while. */
export interface RemoteSigner {
  readonly publicKey: Bytes
  sign(message: Uint8Array): Bytes | Promise<Bytes>
}

/** What is made of a signature, as soon as it is there. */
export const onceSigned = <T>(signature: Bytes | Promise<Bytes>, make: (signature: Bytes) => T): T | Promise<T> =>
  signature instanceof Promise ? signature.then(make) : make(signature)

export type DocumentTag = Extract<Tag, "waas/task" | "waas/start" | "waas/cancel">

export function signerOf(privateKey: KeyObject): Signer {
  return { publicKey: rawPublicKey(privateKey), sign: (message) => copy(sign(null, message, privateKey)) }
}

export function signDocument(by: Signer, tag: DocumentTag, document: Bytes): SignedDocument
export function signDocument(
  by: RemoteSigner,
  tag: DocumentTag,
  document: Bytes,
): SignedDocument | Promise<SignedDocument>
export function signDocument(by: RemoteSigner, tag: DocumentTag, document: Bytes) {
  return onceSigned(by.sign(frame(tag, document)), (signature): SignedDocument => ({ document, signature }))
}

export const verifyDocument = (publicKey: Uint8Array, tag: DocumentTag, signed: SignedDocument): boolean =>
  verifyEd25519(publicKey, frame(tag, signed.document), signed.signature)

/** Begin this attempt of the task with this digest. */
export interface StartDocument {
  readonly task_id: string
  readonly digest: string
  /** 1 to MAX_ATTEMPTS. */
  readonly attempt: number
  /** What the session's id covers beside the task; absent in the start of suite 1. */
  readonly terms?: StartTerms
}

/** From suite 2 on. Suite 3 differs in set-ups alone, so WaaS names it for those. */
export interface StartTerms {
  readonly suite: 2 | 3
  /**
   * 16 random bytes, hex: an attempt's number that comes back from a lost commit makes another signing session all the same. No
   * part of a set-up's session id, which is worked out again from the task alone.
   */
  readonly nonce: string
  /** The version by which all signers read payloads. Absent in the start of a set-up. */
  readonly reader?: number
  /** Of a task of version 3 alone: who signs in this attempt, exactly as many as the threshold. */
  readonly signers?: readonly string[]
}

/** End the task with this digest. */
export interface CancelDocument {
  readonly task_id: string
  readonly digest: string
  /** For people. */
  readonly reason: string
}

// 32 signers by name, and what stands around them.
const MAX_SMALL = 4096
/** What a node does and remembers for each attempt must not be without bound. */
export const MAX_ATTEMPTS = 1000
const terms: Read<StartTerms> = closed(
  { suite: oneOf(2, 3), nonce: hex(16, 16) },
  { reader: integer(1, 255), signers: nodeIds(2) },
)
const start = closed({ task_id: taskId, digest, attempt: integer(1, MAX_ATTEMPTS) }, { terms })
const cancel = closed({ task_id: taskId, digest, reason: textUpTo(1024) })

export const decodeStart = (document: Uint8Array): StartDocument | FormProblem =>
  attempt(() => start(parseJson(document, MAX_SMALL), "$"))
export const decodeCancel = (document: Uint8Array): CancelDocument | FormProblem =>
  attempt(() => cancel(parseJson(document, MAX_SMALL), "$"))

export const encodeStart = (startDocument: StartDocument): Bytes =>
  checked("start document", startDocument, decodeStart)
export const encodeCancel = (cancelDocument: CancelDocument): Bytes =>
  checked("cancel document", cancelDocument, decodeCancel)

function checked(what: string, fields: object, decode: (document: Bytes) => object): Bytes {
  const document = utf8(JSON.stringify(fields))
  const read = decode(document)
  if ("problem" in read) throw new CosignerError("E-LNK-020", { what, problem: String(read.problem) })
  return document
}
