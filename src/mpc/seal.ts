/**
 * Seals messages from one party to another (threshold.md 1.8): X25519 between keys made for this session only, one AES-256-GCM
 * key per direction, the round as nonce, the envelope's header as associated data.
 *
 *     using mine = ephemeralKey(rng)                        // public key into the round-1 broadcast
 *     using keys = mine.agree(sid, self, ephOfPeers)        // keys: the channel of every later sealed direct
 */

import { createCipheriv, createDecipheriv, diffieHellman, hkdfSync, type KeyObject } from "node:crypto"
import { type Bytes, concat, copy, u64be } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import type { Rng } from "../crypto/random.ts"
import { privateKeyOf, publicKeyOf, rawPublicKey } from "../crypto/rawKeys.ts"
import { type PartyId, partyBytes } from "../keys/party.ts"
import { fault } from "./blame.ts"

export const TAG_LENGTH = 16
export const EPHEMERAL_LENGTH = 32

/** The keys of one session with every peer; erased with it. */
export interface SealingKeys extends Disposable {
  seal(to: PartyId, round: number, header: Bytes, body: Bytes): Bytes
  /** undefined if it does not open; with equal views this is the sender's fault. */
  open(from: PartyId, round: number, header: Bytes, box: Bytes): Bytes | undefined
}

interface EphemeralKey extends Disposable {
  /** 32 bytes, for the round-1 broadcast. */
  readonly publicKey: Bytes
  /** Throws FAULT(peer) for a key of small order: its shared secret would be known to everybody. */
  agree(sid: Bytes, self: PartyId, peers: ReadonlyMap<PartyId, Bytes>): SealingKeys
}

export function ephemeralKey(rng: Rng): EphemeralKey {
  const seed = rng(32)
  let secret: KeyObject | undefined = privateKeyOf("x25519", seed)
  const publicKey = rawPublicKey(secret)
  seed.fill(0)
  return {
    publicKey,
    agree(sid, self, peers) {
      if (secret === undefined) throw new TypeError("an ephemeral key was used after its session")
      const both = new Map<PartyId, { readonly out: Bytes; readonly into: Bytes }>()
      for (const [peer, theirs] of peers) {
        const shared = sharedSecret(secret, theirs)
        if (shared === undefined) throw fault(peer, "ephemeral key of small order")
        const key = (from: PartyId, to: PartyId, ephOfFrom: Bytes, ephOfTo: Bytes): Bytes => {
          const info = concat(partyBytes(from), partyBytes(to), sha256(ephOfFrom), sha256(ephOfTo))
          return new Uint8Array(hkdfSync("sha256", shared, sid, info, 32))
        }
        both.set(peer, { out: key(self, peer, publicKey, theirs), into: key(peer, self, theirs, publicKey) })
        shared.fill(0)
      }
      return sealingKeys(both)
    },
    [Symbol.dispose]() {
      secret = undefined
    },
  }
}

function sealingKeys(keys: Map<PartyId, { readonly out: Bytes; readonly into: Bytes }>): SealingKeys {
  const keysWith = (peer: PartyId) => {
    const pair = keys.get(peer)
    if (pair === undefined) throw new TypeError("no sealing key for this party, or used after its session")
    return pair
  }
  return {
    seal(to, round, header, body) {
      const cipher = createCipheriv("aes-256-gcm", keysWith(to).out, nonce(round), { authTagLength: TAG_LENGTH })
      cipher.setAAD(header)
      return concat(cipher.update(body), cipher.final(), cipher.getAuthTag())
    },
    open(from, round, header, box) {
      if (box.length < TAG_LENGTH) return undefined
      const decipher = createDecipheriv("aes-256-gcm", keysWith(from).into, nonce(round), { authTagLength: TAG_LENGTH })
      decipher.setAAD(header)
      decipher.setAuthTag(box.subarray(-TAG_LENGTH))
      try {
        return concat(decipher.update(box.subarray(0, -TAG_LENGTH)), decipher.final())
      } catch {
        return undefined
      }
    },
    [Symbol.dispose]() {
      for (const { out, into } of keys.values()) {
        out.fill(0)
        into.fill(0)
      }
      keys.clear()
    },
  }
}

/** u96be(round): one sealed message per direction and round, so no (key, nonce) is ever used twice. */
const nonce = (round: number): Bytes => concat(new Uint8Array(4), u64be(round))

function sharedSecret(mine: KeyObject, theirs: Bytes): Bytes | undefined {
  if (theirs.length !== EPHEMERAL_LENGTH) return undefined
  try {
    const shared = copy(diffieHellman({ privateKey: mine, publicKey: publicKeyOf("x25519", theirs) }))
    return shared.some((byte) => byte !== 0) ? shared : undefined
  } catch {
    return undefined
  }
}
