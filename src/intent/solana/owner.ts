/**
 * Whose token account it is. A message names token accounts and not their owners; the associated account of a wallet is known
 * by deriving it again. This annotates: readings do not depend on which wallets a node knows.
 */
import type { Transfer } from "../reading.ts"
import { associatedTokenAddress } from "./pda.ts"

/**
 * The wallet among `wallets` (base58) whose associated account the transfer's tokens go to; undefined if it is none of theirs,
 * or an unresolved account, asset or program. A derivation costs 0.1 ms, and is remembered.
 */
export function tokenAccountOwner(transfer: Transfer, wallets: Iterable<string>): string | undefined {
  const { to, asset, program } = transfer
  if (typeof to !== "string" || typeof asset !== "string" || typeof program !== "string") return undefined
  const [, mint] = asset.split("/token:")
  if (mint === undefined) return undefined
  for (const wallet of wallets) if (associatedTokenAddress(wallet, mint, program) === to) return wallet
  return undefined
}
