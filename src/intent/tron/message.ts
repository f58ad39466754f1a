/**
 * `tron/message`: a personal message (TIP-191). The payload is the message itself, without the prefix. Contracts take 32 bytes
 * as consent to anything that has that hash, and signers before TIP-191's second version signed such bytes. So these, and messages that
 * people cannot read, are an opaque hash and never a message.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Bytes, concat, copy, utf8 } from "../../bytes.ts"
import { tronAddress } from "../../keys/addresses.ts"
import { TRON } from "../caip.ts"
import { type Context, type Decoder, demandSignature, onlyChain, onlyMessage } from "../decoder.ts"
import { attempt, isPrintable } from "../problem.ts"
import type { Account, Effect, Reading } from "../reading.ts"

export const tronMessage: Decoder = {
  format: "tron/message",
  decode: (data, context) => attempt(() => decode(data, context)),
}

function decode(payload: Uint8Array, context: Context): Reading {
  demandSignature(context, "secp256k1", ["ECDSA"])
  const message = onlyMessage(context)
  const chain = onlyChain(context, "tron", TRON)
  const from = message === undefined ? { unresolved: "the signer" } : tronAddress(message.publicKey)
  return {
    format: "tron/message",
    chain,
    from: typeof from === "string" ? [from] : [],
    effects: [effectOf(payload, from)],
    fee: { max: 0n, asset: `${chain}/slip44:195`, unbounded: false },
    signs: [{ path: message?.path, bytes: messageDigest(payload) }],
  }
}

/** Keccak-256 of the prefix, the length in decimal, and the message. */
const messageDigest = (message: Uint8Array): Bytes =>
  copy(keccak_256(concat(utf8(`\x19TRON Signed Message:\n${message.length}`), message)))

function effectOf(payload: Uint8Array, from: Account): Effect {
  if (payload.length === 32)
    return { kind: "opaque_hash", from, hash: copy(payload), reason: "a message of 32 bytes can be any hash" }
  const text = textOf(payload)
  if (text !== undefined) return { kind: "message", from, text }
  const hash = copy(keccak_256(payload))
  return { kind: "opaque_hash", from, hash, reason: "the message is not text that people can read" }
}

function textOf(payload: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload)
    return isPrintable(text) ? text : undefined
  } catch {
    return undefined
  }
}
