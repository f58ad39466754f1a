/** Amounts as decimal text, exactly: no floating point comes near money. */

const DECIMAL = /^(0|[1-9][0-9]{0,40})(?:\.([0-9]{1,36}))?$/

/** `1.5` with 18 decimals to 1500000000000000000n; undefined if it is no such number or has more digits than decimals. */
export function parseDecimal(text: string, decimals: number): bigint | undefined {
  const found = DECIMAL.exec(text)
  if (found === null) return undefined
  const fraction = (found[2] ?? "").replace(/0+$/, "")
  if (fraction.length > decimals) return undefined
  return BigInt(`${found[1] ?? ""}${fraction.padEnd(decimals, "0")}`)
}

export function formatDecimal(amount: bigint, decimals: number): string {
  const digits = amount.toString().padStart(decimals + 1, "0")
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "")
  return fraction === "" ? whole : `${whole}.${fraction}`
}

const UNITS: Readonly<Record<string, number>> = { wei: 0, gwei: 9, ether: 18 }

/** `1.5 ether`, `20 gwei`, `7 wei`: the unit is part of the amount, because the lack of it costs money. */
export function parseEther(text: string): bigint | undefined {
  const [number = "", unit = "", ...more] = text.split(" ")
  const decimals = UNITS[unit]
  return decimals === undefined || more.length > 0 ? undefined : parseDecimal(number, decimals)
}

export const formatEther = (wei: bigint): string => `${formatDecimal(wei, 18)} ether`
