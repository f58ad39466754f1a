/** The demo's transactions against the libraries that wallets build them with. */
import { expect, test } from "bun:test"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { Transaction as BitcoinTransaction } from "@scure/btc-signer"
import fc from "fast-check"
import { Transaction as EthereumTransaction } from "micro-eth-signer"
import { type Bytes, bigToBe, concat, copy, toHex } from "../../../src/bytes.ts"
import {
  eip1559Transfer,
  p2trScript,
  p2wpkhScript,
  p2wpkhSighash,
  type Spend,
  solanaTransfer,
  taprootSighash,
} from "../../../src/kit/demo/transactions.ts"

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length }).map(copy)
const amount = fc.bigInt({ min: 1000n, max: 2_100_000_000_000_000n })

function spends(script: (key: Bytes) => Bytes, keyLength: number): fc.Arbitrary<Spend> {
  return fc
    .record({
      txid: bytes(32),
      vout: fc.nat(1000),
      value: amount,
      outValue: amount,
      key: bytes(keyLength),
      to: bytes(20),
    })
    .map(({ key, to, ...rest }) => ({ ...rest, scriptPubKey: script(key), outScript: p2wpkhScript(to) }))
}

function wallet(spend: Spend): BitcoinTransaction {
  const tx = new BitcoinTransaction({
    version: 2,
    disableScriptCheck: true,
    allowUnknownInputs: true,
    allowUnknownOutputs: true,
  })
  tx.addInput({
    txid: copy(spend.txid).reverse(),
    index: spend.vout,
    sequence: 0xffff_fffd,
    witnessUtxo: { amount: spend.value, script: spend.scriptPubKey },
  })
  tx.addOutput({ script: spend.outScript, amount: spend.outValue })
  return tx
}

test("p2wpkhSighash is the BIP-143 digest that a wallet library computes", () => {
  fc.assert(
    fc.property(spends(p2wpkhScript, 20), (spend) => {
      const keyHash = spend.scriptPubKey.slice(2)
      const code = copy(Buffer.from(`76a914${toHex(keyHash)}88ac`, "hex"))
      expect(toHex(p2wpkhSighash(spend))).toBe(toHex(wallet(spend).preimageWitnessV0(0, code, 1, spend.value)))
    }),
    { seed: 143, numRuns: 50 },
  )
})

test("taprootSighash is the BIP-341 digest that a wallet library computes", () => {
  fc.assert(
    fc.property(spends(p2trScript, 32), (spend) => {
      expect(toHex(taprootSighash(spend))).toBe(
        toHex(wallet(spend).preimageWitnessV1(0, [spend.scriptPubKey], 0, [spend.value])),
      )
    }),
    { seed: 341, numRuns: 50 },
  )
})

test("eip1559Transfer is the unsigned transaction and digest that a wallet library makes", () => {
  const key = new Uint8Array(32).fill(7)
  const small = fc.bigInt({ min: 0n, max: 10n ** 12n })
  fc.assert(
    fc.property(small, small, small, bytes(20), amount, (nonce, tip, gas, to, value) => {
      const of = {
        chainId: 1n,
        nonce,
        maxPriorityFeePerGas: tip,
        maxFeePerGas: tip + gas,
        gasLimit: 21_000n,
        to,
        value,
      }
      const theirs = EthereumTransaction.prepare(
        { ...of, type: "eip1559", to: `0x${toHex(to)}`, accessList: [] },
        false,
      )
      const ours = eip1559Transfer(of)
      expect(toHex(ours.raw)).toBe(theirs.toHex({ includeSignature: false }).slice(2))
      const { r, s } = theirs.signBy(key).raw
      const signature = concat(bigToBe(r ?? 0n, 32), bigToBe(s ?? 0n, 32))
      expect(secp256k1.verify(signature, ours.digest, secp256k1.getPublicKey(key), { prehash: false })).toBe(true)
    }),
    { seed: 1559, numRuns: 50 },
  )
})

test("solanaTransfer has the layout of a legacy message: header, accounts, block hash, one transfer instruction", () => {
  const from = new Uint8Array(32).fill(1)
  const to = new Uint8Array(32).fill(2)
  const blockhash = new Uint8Array(32).fill(3)
  const message = solanaTransfer(from, to, 1_000_000_007n, blockhash)
  const expected =
    `01000103${"01".repeat(32)}${"02".repeat(32)}${"00".repeat(32)}${"03".repeat(32)}` +
    "010202000" +
    "10c020000" +
    "0007ca9a3b00000000"
  expect(toHex(message)).toBe(expected)
})
