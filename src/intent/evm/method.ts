/** Defines a known method: its signature, and the effects of a call of it besides the call itself. */
import type { Bytes } from "../../bytes.ts"
import type { Account, Effect } from "../reading.ts"
import type { Args } from "./abi.ts"
import { type AbiSignature, parseSignature } from "./abiType.ts"

/** A call where it happens. */
export interface Site {
  /** msg.sender. */
  readonly from: Account
  readonly to: string
  /** Wei of the native asset. */
  readonly value: bigint
  readonly data: Bytes
  /** 0 is the transaction's own call. */
  readonly depth: number
  /** For problems: `data`, `data call 3`. */
  readonly at: string
}

/** Collects effects, counts them, and refuses more than the allowed number. */
export interface Effects {
  /** CAIP-2. */
  readonly chain: string
  /** CAIP-19. */
  readonly native: string
  push(effect: Effect): void
  /** Adds a call with everything that is known to happen in it. */
  call(site: Site): void
}

type ReadMethod = (args: Args, site: Site, effects: Effects) => void

export interface AbiMethod {
  readonly signature: AbiSignature
  readonly read: ReadMethod
}

export const method = (signature: string, read: ReadMethod): AbiMethod => ({
  signature: parseSignature(signature),
  read,
})

export const UNLIMITED = (1n << 256n) - 1n
