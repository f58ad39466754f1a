/**
 * What signs for a person: an OpenSSH key in a file, in an agent, or behind ssh-keygen. All make SSHSIG (PROTOCOL.sshsig), the
 * signature whose namespace says what it is for, so that one made for an approval is none for a commit or a login.
 */
import { createHash } from "node:crypto"
import { type Bytes, concat, u32be, utf8 } from "../bytes.ts"
import { block } from "../codec.ts"
import { sshText } from "./sshWire.ts"

export interface SshSigner extends Disposable {
  /** As the second word of an OpenSSH public key has it, in base64. */
  readonly publicKey: Bytes
  /** The SSHSIG over a message, without its armor. A security key waits for its owner's touch. */
  sign(namespace: string, message: Uint8Array): Promise<Bytes>
}

const MAGIC = utf8("SSHSIG")
const VERSION = 1
const HASH = "sha512"

/** What the key itself signs: no key signs a message here, so that nothing else that SSH signs can be mistaken for it. */
export const sshsigInput = (namespace: string, message: Uint8Array): Bytes =>
  concat(MAGIC, sshText(namespace), sshText(""), sshText(HASH), block(createHash("sha512").update(message).digest()))

/** `signature` is SSH's own form of one: its algorithm and its bytes. */
export const sshsigOf = (publicKey: Uint8Array, namespace: string, signature: Uint8Array): Bytes =>
  concat(MAGIC, u32be(VERSION), block(publicKey), sshText(namespace), sshText(""), sshText(HASH), block(signature))
