/** Small payments by hand: what refusals start from. */
import * as bitcoin from "bitcoinjs-lib"
import { type Bytes, concat } from "../../../src/bytes.ts"
import { psbtDecoder } from "../../../src/intent/bitcoin/psbt.ts"
import type { Context } from "../../../src/intent/decoder.ts"
import { type Decoded, isProblem, type Reading } from "../../../src/intent/reading.ts"
import {
  askedOf,
  contextOf,
  encode,
  type Mine,
  type Plan,
  type PlannedInput,
  type PlannedOutput,
  scriptOf,
} from "./wallet.ts"

export const ALICE: Bytes = concat(Uint8Array.of(0x00, 0x14), new Uint8Array(20).fill(0xa1))
export const ALICE_ADDRESS = bitcoin.address.fromOutputScript(ALICE, bitcoin.networks.bitcoin)

/** A transaction of somebody with one output: `salt` makes its id. */
export function previousWith(script: Uint8Array, amount: bigint, salt = 1): bitcoin.Transaction {
  const previous = new bitcoin.Transaction()
  previous.version = 2
  previous.addInput(new Uint8Array(32).fill(salt), 0)
  previous.addOutput(script, amount)
  return previous
}

export function spend(
  mine: Mine | undefined,
  amount: bigint,
  more: Partial<PlannedInput> = {},
  salt = 1,
): PlannedInput {
  const script = more.script ?? scriptOf(mine!)
  return {
    mine,
    script,
    amount,
    previous: previousWith(script, amount, salt),
    index: 0,
    sequence: 0xffff_fffd,
    sighashType: undefined,
    gives: { previous: true, witness: mine?.kind !== "p2pkh", hint: true },
    ...more,
  }
}

export const pay = (script: Bytes, amount: bigint): PlannedOutput => ({
  role: "foreign",
  mine: undefined,
  script,
  amount,
})
export const back = (mine: Mine, amount: bigint, role: "change" | "own" = "change"): PlannedOutput => ({
  role,
  mine,
  script: scriptOf(mine),
  amount,
})

export const planWith = (
  inputs: readonly PlannedInput[],
  outputs: readonly PlannedOutput[],
  more: Partial<Plan> = {},
): Plan => ({
  version: 0,
  chain: "mainnet",
  txVersion: 2,
  lockTime: 0,
  inputs,
  outputs,
  order: inputs.flatMap(({ mine }, index) => (mine === undefined ? [] : [index])),
  ...more,
})

export const P2WPKH: Mine = { kind: "p2wpkh", path: [84, 0, 0, 0, 0] }
export const P2WPKH_2: Mine = { kind: "p2wpkh", path: [84, 0, 0, 0, 1] }
export const P2PKH: Mine = { kind: "p2pkh", path: [44, 0, 0, 0, 0] }
export const NESTED: Mine = { kind: "p2sh-p2wpkh", path: [49, 0, 0, 0, 0] }
export const P2TR: Mine = { kind: "p2tr", path: [86, 0, 0, 0, 0] }
export const TREE: Mine = { kind: "p2tr-tree", path: [86, 0, 0, 0, 3] }
export const CHANGE: Mine = { kind: "p2wpkh", path: [84, 0, 0, 1, 0] }

/** One P2WPKH input of 100 000, 60 000 to Alice, 39 000 back, 1000 for miners. */
export const PAYMENT = planWith([spend(P2WPKH, 100_000n)], [pay(ALICE, 60_000n), back(CHANGE, 39_000n)])

export const contextFor = (plan: Plan): Context => contextOf(askedOf(plan), plan.chain)

export const decode = (psbt: Uint8Array, context: Context): Decoded => psbtDecoder.decode(psbt, context)

export function read(plan: Plan, psbt: Uint8Array = encode(plan), context: Context = contextFor(plan)): Reading {
  const decoded = decode(psbt, context)
  if (isProblem(decoded)) throw new Error(`${decoded.code} ${decoded.at}: ${decoded.message}`)
  return decoded
}

/** `E-INT-066 input 1`, or `read`. */
export function refusalOf(psbt: Uint8Array, context: Context): string {
  const decoded = decode(psbt, context)
  return isProblem(decoded) ? `${decoded.code} ${decoded.at}` : "read"
}
