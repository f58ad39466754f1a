/** Digests against the vectors of BIP-143 and BIP-341 and against two libraries. */
import { describe, expect, test } from "bun:test"
import * as btcSigner from "@scure/btc-signer"
import * as bitcoin from "bitcoinjs-lib"
import fc from "fast-check"
import { type Bytes, copy, fromHex, toHex } from "../../../src/bytes.ts"
import { p2pkhScript } from "../../../src/intent/bitcoin/scripts.ts"
import { type Sighashes, sighashesOf } from "../../../src/intent/bitcoin/sighash.ts"
import { readTransaction, type TxOutput } from "../../../src/intent/bitcoin/transaction.ts"
import { Dice } from "./plans.ts"

const hex = (text: string): Bytes => fromHex(text) ?? new Uint8Array(0)
const spentOf = (outputs: readonly (readonly [script: string, amount: number])[]): readonly TxOutput[] =>
  outputs.map(([script, amount]) => ({ script: hex(script), amount: BigInt(amount) }))
const digestsOf = (tx: Uint8Array, spent: readonly TxOutput[]): Sighashes =>
  sighashesOf(readTransaction({ bytes: tx, offset: 0 }, "none", "E-INT-064"), spent)

describe("BIP-143", () => {
  test("native P2WPKH", () => {
    const tx = hex(
      "0100000002fff7f7881a8099afa6940d42d1e7f6362bec38171ea3edf433541db4e4ad969f0000000000eeffffffef51e1b804cc89d182d279655c3aa89e815b1b309fe287d9b2b55d57b90ec68a0100000000ffffffff02202cb206000000001976a9148280b37df378db99f66f85c95a783a76ac7a6d5988ac9093510d000000001976a9143bde42dbee7e4dbe6a21b2d50ce2f0167faa815988ac11000000",
    )
    const spent = spentOf([
      ["2103c9f4836b9a4f77fc0d81f7bcb01b7f1b35916864b9476c241ce9fc198bd25432ac", 625_000_000],
      ["00141d0f172a0ecb48aee1be1f2687d2963ae33f71a1", 600_000_000],
    ])
    expect(toHex(digestsOf(tx, spent).witnessV0(1, hex("1d0f172a0ecb48aee1be1f2687d2963ae33f71a1")))).toBe(
      "c37af31116d1b27caf68aae9e3ac82f1477929014d5b917657d0eb49478cb670",
    )
  })
  test("P2SH-P2WPKH", () => {
    const tx = hex(
      "0100000001db6b1b20aa0fd7b23880be2ecbd4a98130974cf4748fb66092ac4d3ceb1a54770100000000feffffff02b8b4eb0b000000001976a914a457b684d7f0d539a46a45bbc043f35b59d0d96388ac0008af2f000000001976a914fd270b1ee6abcaea97fea7ad0402e8bd8ad6d77c88ac92040000",
    )
    const spent = spentOf([["a9144733f37cf4db86fbc2efed2500b4f4e49f31202387", 1_000_000_000]])
    expect(toHex(digestsOf(tx, spent).witnessV0(0, hex("79091972186c449eb1ded22b78e40d009bdf0089")))).toBe(
      "64f3b0f4dd2bb3aa1ce8566d220cc74dda9df97d8490cc81d89d735c92e59fb6",
    )
  })
})

test("BIP-341, the key paths of its wallet vectors with types 1 and 0", () => {
  const tx = hex(
    "02000000097de20cbff686da83a54981d2b9bab3586f4ca7e48f57f5b55963115f3b334e9c010000000000000000d7b7cab57b1393ace2d064f4d4a2cb8af6def61273e127517d44759b6dafdd990000000000fffffffff8e1f583384333689228c5d28eac13366be082dc57441760d957275419a418420000000000fffffffff0689180aa63b30cb162a73c6d2a38b7eeda2a83ece74310fda0843ad604853b0100000000feffffffaa5202bdf6d8ccd2ee0f0202afbbb7461d9264a25e5bfd3c5a52ee1239e0ba6c0000000000feffffff956149bdc66faa968eb2be2d2faa29718acbfe3941215893a2a3446d32acd050000000000000000000e664b9773b88c09c32cb70a2a3e4da0ced63b7ba3b22f848531bbb1d5d5f4c94010000000000000000e9aa6b8e6c9de67619e6a3924ae25696bb7b694bb677a632a74ef7eadfd4eabf0000000000ffffffffa778eb6a263dc090464cd125c466b5a99667720b1c110468831d058aa1b82af10100000000ffffffff0200ca9a3b000000001976a91406afd46bcdfd22ef94ac122aa11f241244a37ecc88ac807840cb0000000020ac9a87f5594be208f8532db38cff670c450ed2fea8fcdefcc9a663f78bab962b0065cd1d",
  )
  const spent = spentOf([
    ["512053a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343", 420_000_000],
    ["5120147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3", 462_000_000],
    ["76a914751e76e8199196d454941c45d1b3a323f1433bd688ac", 294_000_000],
    ["5120e4d810fd50586274face62b8a807eb9719cef49c04177cc6b76a9a4251d5450e", 504_000_000],
    ["512091b64d5324723a985170e4dc5a0f84c041804f2cd12660fa5dec09fc21783605", 630_000_000],
    ["00147dd65592d0ab2fe0d0257d571abf032cd9db93dc", 378_000_000],
    ["512075169f4001aa68f15bbed28b218df1d0a62cbbcf1188c6665110c293c907b831", 672_000_000],
    ["5120712447206d7a5238acc7ff53fbe94a3b64539ad291c7cdbc490b7577e4b17df5", 546_000_000],
    ["512077e30a5522dd9f894c3f8b8bd4c4b2cf82ca7da8a3ea6a239655c39c050ab220", 588_000_000],
  ])
  const digests = digestsOf(tx, spent)
  expect(toHex(digests.taproot(3, 1))).toBe("bf013ea93474aa67815b1b6cc441d23b64fa310911d991e713cd34c7f5d46669")
  expect(toHex(digests.taproot(4, 0))).toBe("4f900a0bae3f1446fd48490c2958b5a023228f01661cda3496a11da502a7f7ef")
})

test("any transaction: the digests of bitcoinjs-lib and of btc-signer", () => {
  fc.assert(
    fc.property(fc.nat(), (seed) => {
      const dice = new Dice(seed)
      const tx = new bitcoin.Transaction()
      tx.version = dice.pick([1, 2, 3])
      tx.locktime = dice.roll(2 ** 32)
      const spent = Array.from({ length: 1 + dice.roll(5) }, () => {
        tx.addInput(dice.bytes(32), dice.roll(2 ** 32), dice.roll(2 ** 32))
        return {
          script: dice.pick([p2pkhScript(dice.bytes(20)), dice.bytes(34), dice.bytes(300)]),
          amount: BigInt(dice.roll(2 ** 32)) * 1000n,
        }
      })
      const outputs = 1 + dice.roll(3)
      for (let i = 0; i < outputs; i++)
        tx.addOutput(dice.bytes(dice.pick([0, 22, 252, 253, 400])), BigInt(dice.roll(2 ** 32)))
      const other = otherLibrary(tx)
      const digests = digestsOf(copy(tx.toBuffer()), spent)
      const scripts = spent.map(({ script }) => script)
      const amounts = spent.map(({ amount }) => amount)
      const keyHash = dice.bytes(20)
      for (const [index, { script, amount }] of spent.entries()) {
        const code = p2pkhScript(keyHash)
        if (script.length === 25) expect(digests.legacy(index)).toEqual(copy(tx.hashForSignature(index, script, 1)))
        const v0 = digests.witnessV0(index, keyHash)
        expect(v0).toEqual(copy(tx.hashForWitnessV0(index, code, amount, 1)))
        expect(v0).toEqual(copy(other.preimageWitnessV0(index, code, 1, amount)))
        for (const type of [0, 1] as const) {
          const v1 = digests.taproot(index, type)
          expect(v1).toEqual(copy(tx.hashForWitnessV1(index, scripts, amounts, type)))
          expect(v1).toEqual(copy(other.preimageWitnessV1(index, scripts, type, amounts)))
        }
      }
    }),
    { numRuns: 100 },
  )
})

function otherLibrary(tx: bitcoin.Transaction): btcSigner.Transaction {
  const other = new btcSigner.Transaction({
    version: tx.version,
    lockTime: tx.locktime,
    allowUnknownInputs: true,
    allowUnknownOutputs: true,
    disableScriptCheck: true,
  })
  for (const { hash, index, sequence } of tx.ins) other.addInput({ txid: copy(hash).reverse(), index, sequence })
  for (const { script, value } of tx.outs) other.addOutput({ script, amount: value })
  return other
}

test("an input that is not there is a bug of the caller", () => {
  const tx = new bitcoin.Transaction()
  tx.addInput(new Uint8Array(32), 0)
  const digests = digestsOf(copy(tx.toBuffer()), [{ script: new Uint8Array(0), amount: 0n }])
  for (const digest of [
    () => digests.legacy(1),
    () => digests.witnessV0(1, new Uint8Array(20)),
    () => digests.taproot(1, 0),
  ]) {
    expect(digest).toThrow(RangeError)
  }
})
