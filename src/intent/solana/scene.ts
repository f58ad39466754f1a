/**
 * What the readers of instructions are given: each instruction with its accounts resolved, and what of the message and the
 * node's settings they need. An account that stands in a lookup table is unresolved unless the settings list the table.
 */
import { copy, toHex } from "../../bytes.ts"
import type { Settings } from "../decoder.ts"
import { refuse } from "../problem.ts"
import type { Account, Call, Effect } from "../reading.ts"
import type { SolanaMessage } from "./layout.ts"

export interface Instruction {
  /** `instruction 2`. */
  readonly at: string
  readonly program: string
  readonly accounts: readonly Account[]
  /** `s` signs, `w` is written to; for each account. */
  readonly flags: readonly string[]
  readonly data: Uint8Array
  readonly offset: number
}

export interface Scene {
  /** CAIP-2. */
  readonly chain: string
  /** CAIP-19 of the chain's own token. */
  readonly native: string
  readonly feePayer: string
  /** Whether it is a key of the task's messages, and what it pays is ours. Offline, every account is. */
  readonly isOurs: (account: Account) => boolean
  readonly mints: Settings["solana"]["mints"]
}

export interface Outcome {
  readonly effects: readonly Effect[]
  /** Lamports beyond the fee for signatures: rent that nobody wrote down. */
  readonly rent?: bigint
  /** What is no effect, and is shown. */
  readonly note?: string
}

export const only = (...effects: readonly Effect[]): Outcome => ({ effects })

/** All accounts of the message in the order of their indices. */
export function accountsOf(
  { keys, lookups }: SolanaMessage,
  tables: Settings["solana"]["lookupTables"],
): readonly Account[] {
  const entry = (table: string) => (index: number) =>
    tables.get(table)?.[index] ?? { unresolved: `entry ${index} of lookup table ${table}` }
  return [
    ...keys,
    ...lookups.flatMap(({ table, writable }) => writable.map(entry(table))),
    ...lookups.flatMap(({ table, readonly }) => readonly.map(entry(table))),
  ]
}

export function instructionsOf(message: SolanaMessage, accounts: readonly Account[]): readonly Instruction[] {
  const flags = accounts.map((_, index) => flagsOf(message, index))
  return message.instructions.map(({ programIndex, accountIndices, data, offset }, i) => ({
    at: `instruction ${i}`,
    program: message.keys[programIndex] ?? refuse("E-INT-092", `instruction ${i}`, "no program"),
    accounts: accountIndices.map((index) => accounts[index] ?? refuse("E-INT-092", `instruction ${i}`, "no account")),
    flags: accountIndices.map((index) => flags[index] ?? ""),
    data,
    offset,
  }))
}

function flagsOf(message: SolanaMessage, index: number): string {
  const { requiredSignatures, readonlySigned, readonlyUnsigned, keys, lookups } = message
  if (index < requiredSignatures) return index < requiredSignatures - readonlySigned ? "sw" : "s"
  if (index < keys.length) return index < keys.length - readonlyUnsigned ? "w" : ""
  const written = lookups.reduce((sum, { writable }) => sum + writable.length, 0)
  return index < keys.length + written ? "w" : ""
}

/** The account at a place of the instruction; refuses an instruction that has too few. */
export const accountAt = ({ accounts, at }: Instruction, index: number, what: string): Account =>
  accounts[index] ?? refuse("E-INT-095", at, `the ${what} is missing: ${accounts.length} accounts`)

/** Any instruction as a call: to its program, with its data and the accounts that it may touch. */
export function callOf({ program, accounts, flags, data }: Instruction, scene: Scene, selector?: string): Call {
  const signer = flags.findIndex((flag) => flag.startsWith("s"))
  return {
    kind: "call",
    from: accounts[signer] ?? scene.feePayer,
    to: program,
    selector: selector ?? `0x${toHex(data.subarray(0, 8))}`,
    data: copy(data),
    value: 0n,
    accounts: accounts.map((account, i) => describeAccount(account, flags[i] ?? "")).join(" "),
  }
}

const describeAccount = (account: Account, flags: string): string => {
  const name = typeof account === "string" ? account : `(${account.unresolved})`
  return flags === "" ? name : `${name}:${flags}`
}

/** CAIP-19 of a token, if its mint is known. */
export const tokenOf = (scene: Scene, mint: Account): Account =>
  typeof mint === "string" ? `${scene.chain}/token:${mint}` : mint
