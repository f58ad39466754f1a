/** Derived addresses and the addresses of programs, against the second implementation. */
import { expect, test } from "bun:test"
import { getProgramDerivedAddress } from "@solana/kit"
import { COMPUTE_BUDGET_PROGRAM_ADDRESS } from "@solana-program/compute-budget"
import { SUPPORTED_MEMO_PROGRAM_ADDRESSES } from "@solana-program/memo"
import { STAKE_PROGRAM_ADDRESS } from "@solana-program/stake"
import { SYSTEM_PROGRAM_ADDRESS } from "@solana-program/system"
import { ASSOCIATED_TOKEN_PROGRAM_ADDRESS, findAssociatedTokenPda, TOKEN_PROGRAM_ADDRESS } from "@solana-program/token"
import fc from "fast-check"
import { addressBytes, associatedTokenAddress, programAddress } from "../../../src/intent/solana/pda.ts"
import * as programs from "../../../src/intent/solana/programs.ts"
import { addressOf, bytesOf, numbered, TOKEN, TOKEN_2022 } from "./kit.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const key = fc.uint8Array({ minLength: 32, maxLength: 32 })

test("program addresses are the second implementation's", async () => {
  const seeds = fc.array(fc.uint8Array({ maxLength: 32 }), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(seeds, key, async (drawn, program) => {
      const [address] = await getProgramDerivedAddress({ seeds: drawn, programAddress: addressOf(program) })
      expect(programAddress(drawn, program)).toEqual(bytesOf(address))
    }),
    { numRuns: LONG ? 20_000 : 200 },
  )
})

test("associated accounts are the second implementation's, asked for once or twice", async () => {
  await fc.assert(
    fc.asyncProperty(key, key, fc.constantFrom(TOKEN, TOKEN_2022), async (wallet, mint, tokenProgram) => {
      const [owner, token] = [addressOf(wallet), addressOf(mint)]
      const [address] = await findAssociatedTokenPda({ owner, mint: token, tokenProgram })
      expect(associatedTokenAddress(owner, token, tokenProgram)).toBe(address)
      expect(associatedTokenAddress(owner, token, tokenProgram)).toBe(address)
    }),
    { numRuns: LONG ? 20_000 : 200 },
  )
})

test("what is no address has no associated account", () => {
  const good = numbered("a", 1)
  expect(associatedTokenAddress("0", good, TOKEN)).toBeUndefined()
  expect(associatedTokenAddress(good, good.slice(3), TOKEN)).toBeUndefined()
  expect(addressBytes("111")).toBeUndefined()
})

test("the programs are those of their own clients", () => {
  expect<readonly string[]>(SUPPORTED_MEMO_PROGRAM_ADDRESSES).toEqual([
    programs.MEMO_1,
    programs.MEMO_3,
    programs.MEMO_4,
  ])
  expect<string>(SYSTEM_PROGRAM_ADDRESS).toBe(programs.SYSTEM)
  expect<string>(TOKEN_PROGRAM_ADDRESS).toBe(programs.TOKEN)
  expect<string>(STAKE_PROGRAM_ADDRESS).toBe(programs.STAKE)
  expect<string>(COMPUTE_BUDGET_PROGRAM_ADDRESS).toBe(programs.COMPUTE_BUDGET)
  expect<string>(ASSOCIATED_TOKEN_PROGRAM_ADDRESS).toBe(programs.ASSOCIATED_TOKEN)
})
