/**
 * Signs for a person: with an OpenSSH key in a file, in an agent, or through ssh-keygen. All make SSHSIG (PROTOCOL.sshsig). The namespace
 * of such a signature states its purpose, so a signature for an approval does not count for a commit or a login.
 */
import { createHash } from "node:crypto"
import { type Bytes, concat, u32be, utf8 } from "../bytes.ts"
import { block } from "../codec.ts"
import { sshText } from "./sshWire.ts"

export interface SshSigner extends Disposable {
  /** The second word of an OpenSSH public key, decoded from base64. */
  readonly publicKey: Bytes
  /** The SSHSIG over a message, without its armor. A security key waits for its owner's touch. */
  sign(namespace: string, message: Uint8Array): Promise<Bytes>
}

const MAGIC = utf8("SSHSIG")
const VERSION = 1
const HASH = "sha512"

/** The bytes that the key itself signs. No key signs a message directly, so no other SSH signature can be confused with it. */
export const sshsigInput = (namespace: string, message: Uint8Array): Bytes =>
  concat(MAGIC, sshText(namespace), sshText(""), sshText(HASH), block(createHash("sha512").update(message).digest()))

/** `signature` is in SSH's own form: its algorithm and its bytes. */
export const sshsigOf = (publicKey: Uint8Array, namespace: string, signature: Uint8Array): Bytes =>
  concat(MAGIC, u32be(VERSION), block(publicKey), sshText(namespace), sshText(""), sshText(HASH), block(signature))
