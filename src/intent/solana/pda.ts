/**
 * Addresses that programs derive: SHA-256 of seeds and program, off the curve, so that no key signs for them. Associated token
 * accounts are such addresses; the owner of one is found by deriving it again.
 */
import { ed25519 } from "@noble/curves/ed25519.js"
import { type Bytes, concat, u8, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { decodeBase58, encodeBase58 } from "../../keys/base58.ts"
import { ASSOCIATED_TOKEN } from "./programs.ts"

const MARKER = utf8("ProgramDerivedAddress")

/** Number of derived addresses kept. Beyond it all are forgotten and derived again (0.1 ms each). */
const KEPT = 16_384
const kept = new Map<string, string>()

/** The 32 bytes of an address; undefined for any other text. */
export function addressBytes(address: string): Bytes | undefined {
  const bytes = decodeBase58(address)
  return bytes?.length === 32 ? bytes : undefined
}

/**
 * The associated account of `wallet` for `mint` under a token program, all in base58. Undefined if one of them is not an
 * address, or (2^-255) no candidate is off the curve.
 */
export function associatedTokenAddress(wallet: string, mint: string, tokenProgram: string): string | undefined {
  const name = `${wallet} ${mint} ${tokenProgram}`
  const known = kept.get(name)
  if (known !== undefined) return known
  const seeds = [wallet, tokenProgram, mint].map(addressBytes).filter((seed) => seed !== undefined)
  const program = addressBytes(ASSOCIATED_TOKEN)
  const found = seeds.length === 3 && program !== undefined ? programAddress(seeds, program) : undefined
  if (found === undefined) return undefined
  if (kept.size >= KEPT) kept.clear()
  const address = encodeBase58(found)
  kept.set(name, address)
  return address
}

/** The first address off the curve, from bump 255 down (Solana SDK, `find_program_address`). */
export function programAddress(seeds: readonly Uint8Array[], program: Uint8Array): Bytes | undefined {
  for (let bump = 255; bump >= 0; bump--) {
    const address = sha256(concat(...seeds, u8(bump), program, MARKER))
    if (!isOnCurve(address)) return address
  }
  return undefined
}

// Follows curve25519-dalek's decompression: y is reduced, and x = 0 with a sign is accepted, as in ZIP-215.
function isOnCurve(bytes: Uint8Array): boolean {
  try {
    ed25519.Point.fromBytes(bytes, true)
    return true
  } catch {
    return false
  }
}
