/** Solana messages of a vault's wallet and what a task asks for them, by the second implementation's encoders. */

import * as system from "@solana-program/system"
import * as token from "@solana-program/token"
import { childKey } from "../../src/kit/demo/keys.ts"
import {
  type Address,
  addressOf,
  associated,
  compile,
  type Instruction,
  numbered,
  signer,
  TOKEN,
} from "../intent/solana/kit.ts"
import type { Ask } from "./guarded.ts"

export const WALLET_PATH = "m/44/501/0/0/1"
export const MINT = numbered("m", 1)
/** Whoever wants what is not his. */
export const MALLORY = numbered("f", 1)
export const EXCHANGE = numbered("x", 1)
export const TABLE = numbered("t", 1)
export const DECIMALS = 6

/** The vault's wallet and what it pays with. */
export async function solanaWallet(root: string) {
  const wallet = addressOf(childKey(root, WALLET_PATH))
  const found = await associated([wallet, EXCHANGE, MALLORY], [MINT])
  const accountOf = (owner: Address): Address => {
    const ata = found.find((one) => one.wallet === owner && one.program === TOKEN)
    if (ata === undefined) throw new Error("no associated account")
    return ata.account
  }
  const own = accountOf(wallet)
  return {
    wallet,
    accountOf,
    pay: (to: Address, amount: bigint): Instruction =>
      system.getTransferSolInstruction({ source: signer(wallet), destination: to, amount }),
    payTokens: (to: Address, amount: bigint, { mint = MINT, decimals = DECIMALS } = {}): Instruction =>
      token.getTransferCheckedInstruction({
        ...{ source: own, mint, destination: to, authority: signer(wallet), amount, decimals },
      }) as Instruction,
    /** The transfer that names neither mint nor decimals. */
    payUnchecked: (source: Address, to: Address, amount: bigint): Instruction =>
      token.getTransferInstruction({ source, destination: to, authority: signer(wallet), amount }) as Instruction,
    approve: (delegate: Address, amount: bigint): Instruction =>
      token.getApproveCheckedInstruction({
        ...{ source: own, mint: MINT, delegate, owner: signer(wallet), amount, decimals: DECIMALS },
      }) as Instruction,
    makeAccountOf: (owner: Address): Instruction =>
      token.getCreateAssociatedTokenIdempotentInstruction({
        ...{ payer: signer(wallet), ata: accountOf(owner), owner, mint: MINT },
      }) as Instruction,
    advanceNonce: (): Instruction =>
      system.getAdvanceNonceAccountInstruction({ nonceAccount: numbered("n", 1), nonceAuthority: signer(wallet) }),
    /** A task for the whole message; `hidden` accounts stand in a lookup table. */
    ask: (instructions: readonly Instruction[], hidden: readonly Address[] = []): Ask => {
      const tables = hidden.length === 0 ? {} : { [TABLE]: hidden }
      const { bytes } = compile(instructions, {
        ...{ version: 0, feePayer: wallet, blockhash: numbered("h", 1), tables },
      })
      return {
        scheme: "eddsa",
        messages: [{ bip32_path: WALLET_PATH, msg_hash: `0x${Buffer.from(bytes).toString("hex")}`, payload: 0 }],
        payloads: [{ format: "solana/message", data: Buffer.from(bytes).toString("base64") }],
      }
    },
  }
}
