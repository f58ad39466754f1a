/** Helpers for what people write and see: amounts with their unit, and addresses that imitate others. */
import { toHex } from "../../bytes.ts"
import { formatDecimal, parseDecimal } from "../../intent/amount.ts"

const UNITS: Readonly<Record<string, number>> = { wei: 0, gwei: 9, ether: 18 }

/** `1.5 ether`, `20 gwei`, `7 wei`. The unit is part of the amount, because a missing unit costs money. */
export function parseEther(text: string): bigint | undefined {
  const [number = "", unit = "", ...more] = text.split(" ")
  const decimals = UNITS[unit]
  return decimals === undefined || more.length > 0 ? undefined : parseDecimal(number, decimals)
}

export const formatEther = (wei: bigint): string => `${formatDecimal(wei, 18)} ether`

/** Whether a person who compares only the ends of two different addresses would confuse them. */
export function looksLike(a: Uint8Array, b: Uint8Array): boolean {
  const [left, right] = [toHex(a), toHex(b)]
  return left !== right && left.slice(0, 4) === right.slice(0, 4) && left.slice(-4) === right.slice(-4)
}
