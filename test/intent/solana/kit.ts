/**
 * Solana by the second implementation: addresses, compiled messages and their bytes come from @solana/kit, instructions from
 * the programs' own clients. Nothing of src/ is used here.
 */
import {
  type Address,
  address,
  appendTransactionMessageInstructions,
  type Blockhash,
  compileTransactionMessage,
  compressTransactionMessageUsingAddressLookupTables,
  createNoopSigner,
  createTransactionMessage,
  getAddressDecoder,
  getAddressEncoder,
  getCompiledTransactionMessageEncoder,
  type Instruction,
  setTransactionMessageFeePayer,
  setTransactionMessageLifetimeUsingBlockhash,
  type TransactionSigner,
} from "@solana/kit"
import { findAssociatedTokenPda } from "@solana-program/token"

export type { Address, Instruction }

const decoder = getAddressDecoder()
const encoder = getAddressEncoder()

export const addressOf = (bytes: Uint8Array): Address => decoder.decode(bytes)
export const bytesOf = (name: Address): Uint8Array<ArrayBuffer> => Uint8Array.from(encoder.encode(name))
export const signer = (name: Address): TransactionSigner => createNoopSigner(name)

/** 32 bytes that begin with `letter` and end with `number`. */
export const numbered = (letter: string, number: number): Address =>
  addressOf(Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? letter.charCodeAt(0) : i === 31 ? number : 7 * i)))

export const TOKEN = address("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA")
export const TOKEN_2022 = address("TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb")

export interface Ata {
  readonly wallet: Address
  readonly mint: Address
  readonly program: Address
  readonly account: Address
}

/** Associated accounts of every wallet, mint and token program. */
export async function associated(wallets: readonly Address[], mints: readonly Address[]): Promise<readonly Ata[]> {
  const found: Ata[] = []
  for (const wallet of wallets)
    for (const mint of mints)
      for (const program of [TOKEN, TOKEN_2022]) {
        const [account] = await findAssociatedTokenPda({ owner: wallet, mint, tokenProgram: program })
        found.push({ wallet, mint, program, account })
      }
  return found
}

export interface Envelope {
  readonly version: "legacy" | 0
  readonly feePayer: Address
  readonly blockhash: Address
  readonly tables: Readonly<Record<Address, readonly Address[]>>
}

export interface Compiled {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly staticAccounts: readonly Address[]
  readonly signers: readonly Address[]
  /** By index of the account: the address, or where it stands, and what may be done with it. */
  readonly metas: readonly Meta[]
  readonly accountIndices: readonly (readonly number[])[]
}
export interface Meta {
  readonly name: Address | { readonly table: Address; readonly entry: number }
  readonly flags: string
}

const lifetimeOf = ({ blockhash }: Envelope) => ({
  blockhash: blockhash as string as Blockhash,
  lastValidBlockHeight: 0n,
})

function legacy(instructions: readonly Instruction[], envelope: Envelope) {
  const empty = setTransactionMessageFeePayer(envelope.feePayer, createTransactionMessage({ version: "legacy" }))
  const full = appendTransactionMessageInstructions([...instructions], empty)
  return compileTransactionMessage(setTransactionMessageLifetimeUsingBlockhash(lifetimeOf(envelope), full))
}

function version0(instructions: readonly Instruction[], envelope: Envelope) {
  const empty = setTransactionMessageFeePayer(envelope.feePayer, createTransactionMessage({ version: 0 }))
  const full = appendTransactionMessageInstructions([...instructions], empty)
  const ready = setTransactionMessageLifetimeUsingBlockhash(lifetimeOf(envelope), full)
  const tables: Record<Address, Address[]> = {}
  for (const [table, entries] of Object.entries(envelope.tables)) tables[table as Address] = [...entries]
  return compileTransactionMessage(compressTransactionMessageUsingAddressLookupTables(ready, tables))
}

export function compile(instructions: readonly Instruction[], envelope: Envelope): Compiled {
  const compiled = envelope.version === "legacy" ? legacy(instructions, envelope) : version0(instructions, envelope)
  const { header, staticAccounts } = compiled
  const { numSignerAccounts, numReadonlySignerAccounts, numReadonlyNonSignerAccounts } = header
  const flagsAt = (i: number): string =>
    i < numSignerAccounts
      ? i < numSignerAccounts - numReadonlySignerAccounts
        ? "sw"
        : "s"
      : i < staticAccounts.length - numReadonlyNonSignerAccounts
        ? "w"
        : ""
  const lookups = "addressTableLookups" in compiled ? (compiled.addressTableLookups ?? []) : []
  const looked = (list: "writableIndexes" | "readonlyIndexes", flags: string): readonly Meta[] =>
    lookups.flatMap((lookup) =>
      lookup[list].map((entry) => ({ name: { table: lookup.lookupTableAddress, entry }, flags })),
    )
  return {
    bytes: Uint8Array.from(getCompiledTransactionMessageEncoder().encode(compiled)),
    staticAccounts,
    signers: staticAccounts.slice(0, numSignerAccounts),
    metas: [
      ...staticAccounts.map((name, i) => ({ name, flags: flagsAt(i) })),
      ...looked("writableIndexes", "w"),
      ...looked("readonlyIndexes", ""),
    ],
    accountIndices: compiled.instructions.map(({ accountIndices }) => accountIndices ?? []),
  }
}
