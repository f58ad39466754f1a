/** Amounts as exact decimal text; no floating point is used for money. */

const DECIMAL = /^(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,77}))?$/

/** `1.5` with 18 decimals to 1500000000000000000n; undefined if the text is not a decimal number or has more digits than decimals. */
export function parseDecimal(text: string, decimals: number): bigint | undefined {
  const found = DECIMAL.exec(text)
  if (found === null) return undefined
  const fraction = (found[2] ?? "").replace(/0+$/, "")
  if (fraction.length > decimals) return undefined
  return BigInt(`${found[1] ?? ""}${fraction.padEnd(decimals, "0")}`)
}

/** `amount` is not negative. */
export function formatDecimal(amount: bigint, decimals: number): string {
  const digits = amount.toString().padStart(decimals + 1, "0")
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals).replace(/0+$/, "")
  return fraction === "" ? whole : `${whole}.${fraction}`
}

const FEWEST = 1n << 255n
const ALL_ONES: readonly bigint[] = [96n, 128n, 160n].map((bits) => (1n << bits) - 1n)

/** Whether contracts treat the amount as unlimited: the upper half of 256 bits, or all ones in the widths that tokens use. */
export const isUnlimited = (amount: bigint): boolean => amount >= FEWEST || ALL_ONES.includes(amount)
