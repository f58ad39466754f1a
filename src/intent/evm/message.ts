/**
 * `evm/message`: personal messages (EIP-191, version 0x45). The payload is the message itself, without the prefix. It names no
 * chain, so it is valid on all of them. Contract accounts take 32 bytes as consent to anything that has that hash. So such a message,
 * and a message that people cannot read, is an opaque hash and never a message.
 */
import { concat, utf8 } from "../../bytes.ts"
import { ethereumAddress } from "../../keys/addresses.ts"
import { ANY_EVM, namespaceOf } from "../caip.ts"
import { type Context, type Decoder, demandSignature, onlyMessage } from "../decoder.ts"
import { attempt, isPrintable, refuse } from "../problem.ts"
import type { Account, Effect, Reading } from "../reading.ts"
import { keccak } from "./address.ts"
import { accountOf, noFee } from "./chain.ts"

export const messageDecoder: Decoder = {
  format: "evm/message",
  decode: (data, context) => attempt(() => readingOf(data, context)),
}

function readingOf(payload: Uint8Array, context: Context): Reading {
  const message = onlyMessage(context)
  demandSignature(context, "secp256k1", ["ECDSA"])
  allowAnyEvm(context)
  const from = accountOf(message?.publicKey, ethereumAddress)
  return {
    format: "evm/message",
    chain: ANY_EVM,
    from: typeof from === "string" ? [from] : [],
    effects: [effectOf(payload, from)],
    fee: noFee(ANY_EVM),
    signs: [{ path: message?.path, bytes: personalDigest(payload) }],
  }
}

/** A payload that is valid on every EVM chain may be signed if the path signs for one of them. */
export function allowAnyEvm({ messages, chains }: Context): void {
  if (messages.length === 0 && chains.length === 0) return
  if (!chains.some((chain) => namespaceOf(chain) === "eip155"))
    refuse("E-INT-004", "chain", `it is for EVM chains, and the path signs for ${chains.join(", ") || "no chain"}`)
}

const personalDigest = (message: Uint8Array) =>
  keccak(concat(utf8(`\x19Ethereum Signed Message:\n${message.length}`), message))

function effectOf(payload: Uint8Array, from: Account): Effect {
  if (payload.length === 32)
    return { kind: "opaque_hash", from, hash: payload.slice(), reason: "a message of 32 bytes can be any hash" }
  const text = textOf(payload)
  if (text !== undefined) return { kind: "message", from, text }
  return { kind: "opaque_hash", from, hash: keccak(payload), reason: "the message is not text that people can read" }
}

function textOf(payload: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload)
    return isPrintable(text) ? text : undefined
  } catch {
    return undefined
  }
}
