/** The demo's payloads, as other implementations write and read them. */
import { expect, test } from "bun:test"
import * as bitcoin from "bitcoinjs-lib"
import fc from "fast-check"
import {
  bytesToHex,
  encodeFunctionData,
  getAddress,
  hashTypedData,
  hexToBytes,
  keccak256,
  maxUint256,
  parseAbi,
  serializeTransaction,
} from "viem"
import { copy } from "../../../src/bytes.ts"
import { encodeExtendedPublicKey, neuter, rootPrivateKey } from "../../../src/keys/extendedKey.ts"
import type { DemoVault } from "../../../src/kit/demo/keys.ts"
import {
  allChangePsbt,
  ethereumPayload,
  multicall,
  safeDelegatecall,
  tokenTransfer,
  unlimitedApproval,
  withChangedDestination,
} from "../../../src/kit/demo/payloads.ts"
import { reading } from "../../intent/evm/kit.ts"

const vault: DemoVault = {
  vaultId: "vault",
  holderGroupId: "group",
  roots: {
    secp256k1: encodeExtendedPublicKey(neuter(rootPrivateKey("secp256k1", 0x5eedn, new Uint8Array(32).fill(7)))),
    ed25519: undefined,
  },
}
const ABI = parseAbi([
  "function transfer(address,uint256)",
  "function approve(address,uint256)",
  "function multicall(bytes[])",
])
const account = fc.uint8Array({ minLength: 20, maxLength: 20 }).map(copy)

test("calls of a token are those that viem encodes", () => {
  fc.assert(
    fc.property(account, fc.bigInt(0n, maxUint256), (to, amount) => {
      const address = bytesToHex(to)
      expect(bytesToHex(tokenTransfer(to, amount))).toBe(
        encodeFunctionData({ abi: ABI, functionName: "transfer", args: [address, amount] }),
      )
      expect(bytesToHex(unlimitedApproval(to))).toBe(
        encodeFunctionData({ abi: ABI, functionName: "approve", args: [address, maxUint256] }),
      )
    }),
    { numRuns: 30 },
  )
})

test("a multicall is the one that viem encodes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 }).map(copy), { maxLength: 6 }), (calls) => {
      const args = [calls.map((call) => bytesToHex(call))] as const
      expect(bytesToHex(multicall(calls))).toBe(encodeFunctionData({ abi: ABI, functionName: "multicall", args }))
    }),
    { numRuns: 100 },
  )
})

test("an Ethereum payload is viem's, and its message the payload's hash until a byte is changed", () => {
  const to = copy(hexToBytes("0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"))
  const wanted = ethereumPayload(vault, "a payment", { index: 10, nonce: 3, to, value: 5n, data: Uint8Array.of(1, 2) })
  expect(bytesToHex(wanted.payload.data)).toBe(
    serializeTransaction({
      ...{ type: "eip1559", chainId: 1, nonce: 3, to: bytesToHex(to), value: 5n, data: "0x0102", gas: 100_000n },
      ...{ maxFeePerGas: 30_000_000_000n, maxPriorityFeePerGas: 1_000_000_000n },
    }),
  )
  expect(keccak256(wanted.payload.data)).toBe(bytesToHex(wanted.message))
  const changed = withChangedDestination(wanted, to)
  const differ = [...changed.payload.data].flatMap((byte, i) => (byte === wanted.payload.data[i] ? [] : [i]))
  expect(differ).toHaveLength(1)
  expect(changed.message).toEqual(wanted.message)
  const [effect] = reading("evm/transaction", changed.payload.data).effects
  expect(effect).toMatchObject({ to: getAddress("0x0f76f604fd7762bd94b48ca2523f69ab9665c97e") })
})

test("a SafeTx is the typed data that viem hashes, and is read as a delegatecall", () => {
  const data = safeDelegatecall(`0x${"11".repeat(20)}`, `0x${"22".repeat(20)}`, "0x1234")
  const read = reading("evm/typed-data", data)
  expect(read.effects.map(({ kind }) => kind)).toEqual(["typed_data", "delegatecall"])
  expect(bytesToHex(read.signs[0]?.bytes ?? new Uint8Array())).toBe(
    hashTypedData(JSON.parse(Buffer.from(data).toString())),
  )
})

test.each([true, false])("a PSBT that is all change; its amount proven: %p", (isProven) => {
  const wanted = allChangePsbt(vault, "a PSBT", { index: 1, value: 5_000_000n, back: 100_000n, isProven })
  const psbt = bitcoin.Psbt.fromBuffer(wanted.payload.data)
  const [input] = psbt.data.inputs
  const previous = input?.nonWitnessUtxo && bitcoin.Transaction.fromBuffer(input.nonWitnessUtxo)
  expect(previous?.outs[0]?.value).toBe(isProven ? 5_000_000n : undefined)
  expect(psbt.txOutputs.map(({ value }) => value)).toEqual([100_000n])
  const tx = new bitcoin.Transaction()
  tx.version = psbt.version
  for (const { hash, index, sequence } of psbt.txInputs) tx.addInput(hash, index, sequence)
  for (const { script, value } of psbt.txOutputs) tx.addOutput(script, value)
  const code = bitcoin.payments.p2pkh({ pubkey: wanted.publicKey }).output ?? new Uint8Array()
  expect(bytesToHex(copy(tx.hashForWitnessV0(0, code, 5_000_000n, 1)))).toBe(bytesToHex(wanted.message))
})
