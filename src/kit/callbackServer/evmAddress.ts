/** EVM addresses as people write them: 40 hex digits, whose capitals, if mixed, are the checksum of EIP-55. */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Bytes, fromHex, toHex, utf8 } from "../../bytes.ts"

const ADDRESS = /^0x[0-9a-fA-F]{40}$/

/** The 20 bytes; undefined for anything else, a wrong checksum or letters that only look like hex included. */
export function parseAddress(text: string): Bytes | undefined {
  if (!ADDRESS.test(text)) return undefined
  const digits = text.slice(2)
  const bytes = fromHex(digits.toLowerCase())
  if (bytes === undefined) return undefined
  const mixed = digits !== digits.toLowerCase() && digits !== digits.toUpperCase()
  return mixed && formatAddress(bytes) !== text ? undefined : bytes
}

/** With the capitals of EIP-55. */
export function formatAddress(bytes: Uint8Array): string {
  const hex = toHex(bytes)
  const hash = toHex(keccak_256(utf8(hex)))
  return `0x${[...hex].map((digit, i) => (Number.parseInt(hash[i] ?? "0", 16) >= 8 ? digit.toUpperCase() : digit)).join("")}`
}

/** Whether somebody who compares the ends of two different addresses would take one for the other. */
export function looksLike(a: Uint8Array, b: Uint8Array): boolean {
  const [left, right] = [toHex(a), toHex(b)]
  return left !== right && left.slice(0, 4) === right.slice(0, 4) && left.slice(-4) === right.slice(-4)
}
