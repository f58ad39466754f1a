/**
 * `bitcoin/message`: a message signed in the "simple" form of BIP-322, which proves that the signer controls an address. The
 * payload is the message. The address follows from the key and the kind of signature: P2WPKH for ECDSA, Taproot for Schnorr.
 * One payload may be signed for several addresses, for example as proof of reserves.
 *
 * Such a signature cannot spend anything: it signs a transaction whose one input is an output that does not exist.
 */
import { type Bytes, concat, copy, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { type Asked, type Context, type Decoder, demandSignature } from "../decoder.ts"
import { attempt, isPrintable, refuse } from "../problem.ts"
import type { Decoded, Effect } from "../reading.ts"
import { networkOf } from "./psbt.ts"
import { destinationOf, hash160, p2trScript, p2wpkhScript, taprootScript } from "./scripts.ts"
import { SIGHASH_DEFAULT, sighashesOf } from "./sighash.ts"
import { type BitcoinTransaction, serialized, sha256d, type TxOutput } from "./transaction.ts"

export const messageDecoder: Decoder = {
  format: "bitcoin/message",
  decode: (data, context) => attempt(() => decode(data, context)),
}

function decode(data: Uint8Array, context: Context): Decoded {
  demandSignature(context, "secp256k1", ["ECDSA", "Schnorr"])
  const network = networkOf(context)
  if (context.messages.length === 0) {
    return refuse("E-INT-075", "messages", "the address that signs is in the digest, and without a key there is none")
  }
  const message = copy(data)
  const signed = context.messages.map((asked, position) => {
    if (asked.input !== undefined)
      refuse("E-INT-075", `message ${position}`, "it names an input, and a message has none")
    const script = scriptOf(asked)
    const address = destinationOf(script, network)
    return { path: asked.path, address, digest: digestOf(message, asked, script) }
  })
  return {
    format: "bitcoin/message",
    chain: network.chain,
    from: signed.map(({ address }) => address),
    effects: signed.map(({ address }) => effectOf(message, address)),
    fee: { max: 0n, asset: network.asset, unbounded: false },
    signs: signed.map(({ path, digest }) => ({ path, bytes: digest })),
  }
}

/** The kind of signature determines which address is meant: no address accepts both kinds. */
function scriptOf({ signature, publicKey, merkleRoot }: Asked): Bytes {
  if (signature === "ECDSA") return p2wpkhScript(hash160(publicKey))
  return merkleRoot === undefined ? p2trScript(publicKey.subarray(1)) : taprootScript(publicKey, merkleRoot).script
}

function effectOf(message: Bytes, from: string): Effect {
  const text = textOf(message)
  if (text !== undefined) return { kind: "message", from, text }
  return { kind: "opaque_hash", from, hash: messageHash(message), reason: "the message is not printable text" }
}

function textOf(message: Bytes): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(message)
    return isPrintable(text) ? text : undefined
  } catch {
    return undefined
  }
}

// ---- BIP-322 -------------------------------------------------------------------------------------------------------

const TAG = concat(sha256(utf8("BIP0322-signed-message")), sha256(utf8("BIP0322-signed-message")))

export const messageHash = (message: Uint8Array): Bytes => sha256(concat(TAG, message))

const NO_TXID = new Uint8Array(32)
const NO_INDEX = 0xffff_ffff
const NOTHING = new Uint8Array(0)
const OP_RETURN = Uint8Array.of(0x6a)

/** The two transactions of BIP-322: one that can never exist, whose output has the address's script, and one that spends it. */
export function virtualTransactions(
  message: Uint8Array,
  script: Uint8Array,
): { readonly spent: TxOutput; readonly toSpend: BitcoinTransaction; readonly toSign: BitcoinTransaction } {
  const spent = { amount: 0n, script }
  const toSpend: BitcoinTransaction = {
    version: 0,
    inputs: [
      {
        outpoint: { txid: NO_TXID, index: NO_INDEX },
        scriptSig: concat(Uint8Array.of(0x00, 0x20), messageHash(message)),
        sequence: 0,
      },
    ],
    outputs: [spent],
    lockTime: 0,
  }
  const outpoint = { txid: sha256d(serialized(toSpend)), index: 0 }
  const toSign: BitcoinTransaction = {
    version: 0,
    inputs: [{ outpoint, scriptSig: NOTHING, sequence: 0 }],
    outputs: [{ amount: 0n, script: OP_RETURN }],
    lockTime: 0,
  }
  return { spent, toSpend, toSign }
}

function digestOf(message: Uint8Array, { signature, publicKey }: Asked, script: Bytes): Bytes {
  const { spent, toSign } = virtualTransactions(message, script)
  const sighashes = sighashesOf(toSign, [spent])
  return signature === "ECDSA" ? sighashes.witnessV0(0, hash160(publicKey)) : sighashes.taproot(0, SIGHASH_DEFAULT)
}
