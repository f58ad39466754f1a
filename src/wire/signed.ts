/**
 * The documents that WaaS signs with its Ed25519 key: task, start and cancel, each under its own tag, so that none passes for another
 * (threshold.md 1.4). Owns signing, verifying, and the documents of start and cancel; task.ts owns the task document.
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

/** An Ed25519 key that signs without showing its private part: a node's identity key, or WaaS's key. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Bytes
  /** 64 bytes over the message itself. */
  sign(message: Uint8Array): Bytes
}

/** A key that may be outside this process (KMS, HSM). `sign` returns only signatures that verify; it may take time, and reject. */
export interface RemoteSigner {
  readonly publicKey: Bytes
  sign(message: Uint8Array): Bytes | Promise<Bytes>
}

/** `make` of the signature, at once if the signature is there; otherwise a promise. */
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

/** WaaS's order to begin an attempt of the task with this digest. */
export interface StartDocument {
  readonly task_id: string
  readonly digest: string
  /** 1 to MAX_ATTEMPTS. */
  readonly attempt: number
  /** Further inputs of the session id, beside the task; absent in suite 1. */
  readonly terms?: StartTerms
}

/** The terms of a start, from suite 2 on. Suite 3 differs from 2 only in set-ups, so WaaS names 3 only for those. */
export interface StartTerms {
  readonly suite: 2 | 3
  /**
   * 16 random bytes, hex. If WaaS loses a commit and gives out an attempt number twice, the nonce makes the second one another signing
   * session. It is not part of a set-up's session id, which must be computable from the task alone.
   */
  readonly nonce: string
  /** The reader version that all signers use for payloads. Absent in the start of a set-up. */
  readonly reader?: number
  /** Only for a task of version 3: the nodes that sign in this attempt, exactly threshold of them. */
  readonly signers?: readonly string[]
}

/** WaaS's order to end the task with this digest. */
export interface CancelDocument {
  readonly task_id: string
  readonly digest: string
  /** For people. */
  readonly reason: string
}

/** The largest start or cancel document, bytes: enough for 32 signers by name. */
const MAX_SMALL = 4096
/** Bounds what a node does and remembers for the attempts of one task. */
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

/** Throws E-LNK-020 for a document that nodes would refuse to read. */
export const encodeStart = (startDocument: StartDocument): Bytes =>
  checked("start document", startDocument, decodeStart)
/** Throws E-LNK-020 for a document that nodes would refuse to read. */
export const encodeCancel = (cancelDocument: CancelDocument): Bytes =>
  checked("cancel document", cancelDocument, decodeCancel)

function checked(what: string, fields: object, decode: (document: Bytes) => object): Bytes {
  const document = utf8(JSON.stringify(fields))
  const read = decode(document)
  if ("problem" in read) throw new CosignerError("E-LNK-020", { what, problem: String(read.problem) })
  return document
}
