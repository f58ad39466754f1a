/**
 * The proofs of the handshake (formats.md 10, 13.1). Each side signs the whole transcript under its own role, with a nonce that the
 * other side drew for this connection, so a proof can be neither replayed, nor reflected, nor used at another server.
 *
 *     node -> WaaS  hello      node key, node nonce
 *     WaaS -> node  challenge  WaaS nonce, clock, token, signature     the node checks it against its pinned key
 *     node -> WaaS  proof      versions, both tokens, signature        sent only after that check
 *     WaaS -> node  welcome | refused
 *
 * Each nonce says which link versions its side speaks (versions.ts), and both signatures cover both nonces and the chosen version.
 * So an attacker in between can end the handshake, but cannot force an older version.
 *
 * The handshake makes no session key. TLS protects secrecy and integrity of the connection; end to end, WaaS signs tasks, and nodes
 * sign and seal their envelopes.
 */
import { type Bytes, concat, u8, u64be, utf8 } from "../bytes.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { frame } from "../crypto/frame.ts"
import type { RemoteSigner, Signer } from "./signed.ts"
import { encodeVersions, LINK_WITH_STANDING, type Versions } from "./versions.ts"
import { encodeSignedToken, type SignedWaasToken } from "./waasToken.ts"

/**
 * How far the node's database had come when this connection was made. WaaS refuses a node with an older token than it knows: that
 * database is a restored copy or a clone, and lacks the bans made since (threshold.md 2.5 rule 11).
 */
export interface FencingToken {
  readonly incarnation: number
  readonly boot: number
  /** 16 random bytes of this start: two clones with the same counts differ in them. */
  readonly bootId: Bytes
  readonly generation: number
}

export const BOOT_ID_BYTES = 16

export const encodeFencingToken = ({ incarnation, boot, bootId, generation }: FencingToken): Bytes =>
  concat(u64be(incarnation), u64be(boot), bootId, u64be(generation))

export interface Transcript {
  /** The newest link version in the ranges of both nonces. */
  readonly version: number
  readonly nodeKey: Bytes
  readonly waasKey: Bytes
  readonly nodeNonce: Bytes
  readonly waasNonce: Bytes
  readonly waasMs: number
  /** From the challenge, from link version 4 on: how far the database of WaaS has come. */
  readonly standing?: SignedWaasToken
  /** Only in the node's proof, from link version 4 on: the newest token of this WaaS that the node has followed. */
  readonly followed?: SignedWaasToken
  /** Only in the node's proof. Absent for a probe, which is not the running node. */
  readonly fencingToken?: FencingToken
  /** Only in the node's proof, from link version 2 on. */
  readonly versions?: Versions
}

type HelloRole = "node" | "waas"

const signedBytes = (role: HelloRole, t: Transcript): Bytes =>
  frame(
    "link/hello",
    utf8(role),
    u8(t.version),
    t.nodeKey,
    t.waasKey,
    t.nodeNonce,
    t.waasNonce,
    u64be(t.waasMs),
    ...(t.version >= LINK_WITH_STANDING ? [tokenField(t.standing)] : []),
    ...(role === "node" ? saidByNode(t) : []),
  )

const tokenField = (token: SignedWaasToken | undefined): Bytes =>
  token === undefined ? new Uint8Array(0) : encodeSignedToken(token)

/** From version 2 on each part has its own field, empty if the part is absent; version 1 has no field for an absent token. */
function saidByNode({ version, fencingToken, versions, followed }: Transcript): readonly Bytes[] {
  const token = fencingToken === undefined ? new Uint8Array(0) : encodeFencingToken(fencingToken)
  if (version === 1) return token.length === 0 ? [] : [token]
  const said = [token, versions === undefined ? new Uint8Array(0) : encodeVersions(versions)]
  return version >= LINK_WITH_STANDING ? [...said, tokenField(followed)] : said
}

export function prove(role: HelloRole, transcript: Transcript, by: Signer): Bytes
export function prove(role: HelloRole, transcript: Transcript, by: RemoteSigner): Bytes | Promise<Bytes>
export function prove(role: HelloRole, transcript: Transcript, by: RemoteSigner) {
  return by.sign(signedBytes(role, transcript))
}

/** Whether `signature` is the proof of that role over the transcript, under the key that the transcript names for it. */
export const isProof = (role: HelloRole, transcript: Transcript, signature: Uint8Array): boolean =>
  verifyEd25519(role === "node" ? transcript.nodeKey : transcript.waasKey, signedBytes(role, transcript), signature)
