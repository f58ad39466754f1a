/**
 * The compute budget: the units that a transaction may use, and the price that it offers for each. Price times limit is the priority
 * fee (Agave, `compute_budget_instruction_details` and `FeeDetails`).
 */
import { refuse } from "../problem.ts"
import { Data } from "./data.ts"
import { COMPUTE_BUDGET, SIGNATURE_FEE, SIGNATURE_VERIFIERS } from "./programs.ts"
import type { Instruction } from "./scene.ts"

const MAX_UNITS = 1_400_000
/** If no limit is set, each instruction gets at most this many units; those of built-in programs get fewer. */
const UNITS_FOR_EACH = 200_000
const MICRO = 1_000_000n

const LIMIT = 2
const PRICE = 3
/** Heap frame, units, price, loaded data; number 0 was withdrawn, and the runtime refuses it. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [1, "heap frame"],
  [LIMIT, "unit limit"],
  [PRICE, "unit price"],
  [4, "limit of loaded data"],
])

/** The highest amount that the fee payer pays for signatures and priority, in lamports. */
export function transactionFee(requiredSignatures: number, instructions: readonly Instruction[]): bigint {
  const { units, price } = readBudget(instructions)
  const limit = Math.min(MAX_UNITS, units ?? UNITS_FOR_EACH * instructions.length)
  const priority = (price * BigInt(limit) + MICRO - 1n) / MICRO
  return SIGNATURE_FEE * BigInt(requiredSignatures + verifiedSignatures(instructions)) + priority
}

interface Budget {
  readonly units: number | undefined
  /** Millionths of a lamport for one unit. */
  readonly price: bigint
}

function readBudget(instructions: readonly Instruction[]): Budget {
  const found = new Map<number, bigint>()
  for (const instruction of instructions) {
    if (instruction.program !== COMPUTE_BUDGET) continue
    const data = new Data(instruction)
    const number = data.u8()
    const name = NAMES.get(number) ?? refuse("E-INT-097", instruction.at, `number ${number} is not known`)
    if (found.has(number)) refuse("E-INT-097", instruction.at, `the ${name} is set twice`)
    found.set(number, number === PRICE ? data.u64() : BigInt(data.u32()))
    data.end()
  }
  const units = found.get(LIMIT)
  return { units: units === undefined ? undefined : Number(units), price: found.get(PRICE) ?? 0n }
}

/** The data of these instructions begins with the number of signatures to verify. */
const verifiedSignatures = (instructions: readonly Instruction[]): number =>
  instructions
    .filter(({ program }) => SIGNATURE_VERIFIERS.includes(program))
    .reduce((sum, { data }) => sum + (data[0] ?? 0), 0)
