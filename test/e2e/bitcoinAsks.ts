/** PSBTs of a vault's own coins and what a task asks for them, by the second implementation; a caller may lie about any part. */

import * as bitcoin from "bitcoinjs-lib"
import * as ecc from "tiny-secp256k1"
import { HDKey } from "viem/accounts"
import type { Ask } from "./guarded.ts"

bitcoin.initEccLib(ecc)

interface Coin {
  /** Last level of m/84/0/0/0. */
  readonly index: number
  readonly value: bigint
  /** Left out: the coin's own, proven by its transaction. Given: only this is said of its amount. */
  readonly stated?: bigint
  /** What the transaction in the PSBT says of the amount, where it is not the one that is spent. */
  readonly forged?: bigint
  readonly sighash?: number
}

interface Output {
  readonly script: Uint8Array
  readonly value: bigint
  /** Said to be the vault's change at this path. */
  readonly as?: string
}

export interface Spend {
  readonly coins: readonly Coin[]
  readonly outputs: readonly Output[]
  /** Which input each message names, by position; as they stand unless given. */
  readonly named?: readonly number[]
}

export const pathOf = (index: number): string => `m/84/0/0/0/${index}`

/** P2WPKH of the key at a path. */
export function scriptAt(root: string, path: string): Uint8Array {
  const pubkey = publicKeyAt(root, path)
  return bitcoin.payments.p2wpkh({ pubkey }).output ?? new Uint8Array()
}

function publicKeyAt(root: string, path: string): Uint8Array {
  const { publicKey } = HDKey.fromExtendedKey(root).derive(path)
  if (publicKey === null) throw new Error(`no key at ${path}`)
  return publicKey
}

/** Pays to whoever has the key of 20 bytes of `letter`. */
export const strangers = (letter: number): Uint8Array =>
  Uint8Array.from([0x00, 0x14, ...new Uint8Array(20).fill(letter)])

/** A transaction of somebody with one output. */
function previousOf(script: Uint8Array, value: bigint, salt: number): bitcoin.Transaction {
  const previous = new bitcoin.Transaction()
  previous.version = 2
  previous.addInput(new Uint8Array(32).fill(salt + 1), 0)
  previous.addOutput(script, value)
  return previous
}

/** Signatures over all inputs; each message has the digest that Bitcoin has for its own key's input. */
export function spendCoins(root: string, { coins, outputs, named }: Spend): Ask {
  const psbt = new bitcoin.Psbt({ maximumFeeRate: 1e12 })
  const unsigned = new bitcoin.Transaction()
  unsigned.version = 2
  psbt.setVersion(2)
  const hint = (path: string) => ({
    bip32Derivation: [{ pubkey: publicKeyAt(root, path), masterFingerprint: new Uint8Array(4), path }],
  })
  for (const { index, value, stated, forged, sighash } of coins) {
    const script = scriptAt(root, pathOf(index))
    const previous = previousOf(script, value, index)
    const proof = stated === undefined || forged !== undefined ? { nonWitnessUtxo: previous.toBuffer() } : {}
    const input = {
      ...{ hash: previous.getHash(), index: 0, sequence: 0xffff_fffd },
      ...{ witnessUtxo: { script, value: stated ?? value }, ...proof },
      ...(sighash === undefined ? {} : { sighashType: sighash }),
      ...hint(pathOf(index)),
    }
    psbt.addInput(input)
    unsigned.addInput(previous.getHash(), 0, 0xffff_fffd)
  }
  for (const { script, value, as } of outputs) {
    psbt.addOutput({ script, value, ...(as === undefined ? {} : hint(as)) })
    unsigned.addOutput(script, value)
  }
  const messages = coins.map(({ index, value, stated, sighash = 1 }, i) => {
    const code = bitcoin.payments.p2pkh({ pubkey: publicKeyAt(root, pathOf(index)) }).output ?? new Uint8Array()
    const hash = unsigned.hashForWitnessV0(i, code, stated ?? value, sighash)
    const msg_hash = `0x${Buffer.from(hash).toString("hex")}`
    return { bip32_path: pathOf(index), msg_hash, payload: 0, input: named?.[i] ?? i }
  })
  return { messages, payloads: [{ format: "bitcoin/psbt", data: Buffer.from(psbt.toBuffer()).toString("base64") }] }
}
