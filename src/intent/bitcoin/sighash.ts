/**
 * The digests that Bitcoin signatures sign, for the two types that this node signs: SIGHASH_ALL, and Taproot's
 * SIGHASH_DEFAULT. Original (P2PKH), BIP-143 (witness version 0), BIP-341 (key path, no annex).
 *
 * The code is our own and not @scure/btc-signer's: here the data that all inputs share is hashed once, there again for every input, in
 * JavaScript. For 32 signatures among 1000 inputs this takes 3 ms instead of 600 ms, and the cost of a payload must be linear in its
 * length. Tests compare every digest with that library, with another one, and with the vectors of the BIPs.
 */
import { type Bytes, concat, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { encodeCompactSize, encodeSized } from "./compactSize.ts"
import { p2pkhScript } from "./scripts.ts"
import {
  type BitcoinTransaction,
  join,
  outpointBytes,
  outputBytes,
  serialized,
  sha256d,
  type TxOutput,
  u32le,
  u64le,
} from "./transaction.ts"

export const SIGHASH_DEFAULT = 0
export const SIGHASH_ALL = 1
export type SighashType = typeof SIGHASH_DEFAULT | typeof SIGHASH_ALL

/** Digests of one unsigned transaction, by input. */
export interface Sighashes {
  /** Number of bytes that one `legacy` hashes. */
  readonly legacyCost: number
  /** Digest of a P2PKH input; SIGHASH_ALL. Its cost is the length of the transaction. */
  readonly legacy: (input: number) => Bytes
  /** BIP-143, SIGHASH_ALL; `keyHash`: the 20 bytes of the P2WPKH program, nested in P2SH or not. */
  readonly witnessV0: (input: number, keyHash: Uint8Array) => Bytes
  /** BIP-341, key path. */
  readonly taproot: (input: number, type: SighashType) => Bytes
}

/** `tx` is without scriptSigs; `spent` has the output behind each input. Throws RangeError for an input that does not exist. */
export function sighashesOf(tx: BitcoinTransaction, spent: readonly TxOutput[]): Sighashes {
  const unsigned = once(() => serialized(tx))
  const v0 = once(() => midstates(tx))
  const v1 = once(() => taprootHead(tx, spent))
  const inputAt = (index: number) => {
    const input = tx.inputs[index]
    const output = spent[index]
    if (input === undefined || output === undefined) throw new RangeError(`there is no input ${index}`)
    return { input, output }
  }
  return {
    get legacyCost() {
      return unsigned().length
    },
    legacy(index) {
      const { output } = inputAt(index)
      const bytes = unsigned()
      const emptyScript = 4 + encodeCompactSize(tx.inputs.length).length + UNSIGNED_INPUT * index + OUTPOINT
      const before = bytes.subarray(0, emptyScript)
      const behind = bytes.subarray(emptyScript + 1)
      return sha256d(concat(before, encodeSized(output.script), behind, u32le(SIGHASH_ALL)))
    },
    witnessV0(index, keyHash) {
      const { input, output } = inputAt(index)
      const { prevouts, sequences, outputs } = v0()
      return sha256d(
        concat(
          u32le(tx.version),
          prevouts,
          sequences,
          outpointBytes(input.outpoint),
          encodeSized(p2pkhScript(keyHash)),
          u64le(output.amount),
          u32le(input.sequence),
          outputs,
          u32le(tx.lockTime),
          u32le(SIGHASH_ALL),
        ),
      )
    },
    taproot(index, type) {
      inputAt(index)
      const keyPathWithoutAnnex = 0
      return sha256(concat(TAP_SIGHASH, Uint8Array.of(0, type), v1(), Uint8Array.of(keyPathWithoutAnnex), u32le(index)))
    },
  }
}

/** An outpoint, a scriptSig of no bytes with its length, a sequence. */
const UNSIGNED_INPUT = 41
const OUTPOINT = 36

const TAP_SIGHASH = concat(sha256(utf8("TapSighash")), sha256(utf8("TapSighash")))

interface Midstates {
  readonly prevouts: Bytes
  readonly sequences: Bytes
  readonly outputs: Bytes
}

function midstates(tx: BitcoinTransaction): Midstates {
  return {
    prevouts: sha256d(join(tx.inputs.map(({ outpoint }) => outpointBytes(outpoint)))),
    sequences: sha256d(join(tx.inputs.map(({ sequence }) => u32le(sequence)))),
    outputs: sha256d(join(tx.outputs.map(outputBytes))),
  }
}

/** The part that the BIP-341 messages of all inputs have in common, after the epoch and the type. */
function taprootHead(tx: BitcoinTransaction, spent: readonly TxOutput[]): Bytes {
  return concat(
    u32le(tx.version),
    u32le(tx.lockTime),
    sha256(join(tx.inputs.map(({ outpoint }) => outpointBytes(outpoint)))),
    sha256(join(spent.map(({ amount }) => u64le(amount)))),
    sha256(join(spent.map(({ script }) => encodeSized(script)))),
    sha256(join(tx.inputs.map(({ sequence }) => u32le(sequence)))),
    sha256(join(tx.outputs.map(outputBytes))),
  )
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
