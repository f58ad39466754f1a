/**
 * The handshake's proofs. Each side signs the whole transcript under its own role, on a nonce that the other drew for
 * this connection: neither proof can be replayed, reflected, or used at another server.
 *
 *     node -> WaaS  hello      node key, node nonce
 *     WaaS -> node  challenge  WaaS nonce, clock, token, signature     the node checks it against its pinned key
 *     node -> WaaS  proof      versions, both tokens, signature        only now, and only to that key
 *     WaaS -> node  welcome | refused
 *
 * Both nonces say which link versions their makers speak (versions.ts), and both signatures cover both nonces and the version
 * that was chosen: a relay in between can end the handshake, not lead it to an older version (formats.md 10).
 *
 * What the handshake does not do: it makes no session key. Secrecy and integrity of what follows are TLS's, and end to
 * end those of the signatures in it: WaaS signs tasks, nodes sign and seal envelopes.
 */
import { type Bytes, concat, u8, u64be, utf8 } from "../bytes.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { frame } from "../crypto/frame.ts"
import type { RemoteSigner, Signer } from "./signed.ts"
import { encodeVersions, LINK_WITH_STANDING, type Versions } from "./versions.ts"
import { encodeSignedToken, type SignedWaasToken } from "./waasToken.ts"

/**
 * How far the node's database had come when this connection was made. WaaS lets no older one in: it would be a copy that was
 * put back, or a clone, and would know nothing of the bans since (threshold.md 2.5 rule 11).
 */
export interface FencingToken {
  readonly incarnation: number
  readonly boot: number
  /** 16 random bytes of this start: two clones that count alike differ in it. */
  readonly bootId: Bytes
  readonly generation: number
}

export const BOOT_ID_BYTES = 16

export const encodeFencingToken = ({ incarnation, boot, bootId, generation }: FencingToken): Bytes =>
  concat(u64be(incarnation), u64be(boot), bootId, u64be(generation))

export interface Transcript {
  /** The link version that both nonces lead to. */
  readonly version: number
  readonly nodeKey: Bytes
  readonly waasKey: Bytes
  readonly nodeNonce: Bytes
  readonly waasNonce: Bytes
  readonly waasMs: number
  /** Of WaaS's challenge, from link version 4 on: how far its database has come. */
  readonly standing?: SignedWaasToken
  /** Of the node's proof alone, from link version 4 on: the newest token of that WaaS that it followed. */
  readonly followed?: SignedWaasToken
  /** Of the node's proof alone. Absent: a probe that is not the node at work. */
  readonly fencingToken?: FencingToken
  /** Of the node's proof alone, from link version 2 on. */
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

/** From version 2 on each part has its own field, there or not; version 1 left an absent token out. */
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

export const isProof = (role: HelloRole, transcript: Transcript, signature: Uint8Array): boolean =>
  verifyEd25519(role === "node" ? transcript.nodeKey : transcript.waasKey, signedBytes(role, transcript), signature)
