/** Owners of token accounts, by derivation. */
import { expect, test } from "bun:test"
import type { Transfer } from "../../../src/intent/reading.ts"
import { tokenAccountOwner } from "../../../src/intent/solana/owner.ts"
import { ATAS, CHAIN, FOREIGN, NATIVE, OWN } from "./cases.ts"
import { numbered } from "./kit.ts"

const WALLETS = [...OWN, ...FOREIGN]
const transferTo = (change: Partial<Transfer>): Transfer => ({
  ...{ kind: "transfer", from: WALLETS[0]!, to: WALLETS[1]!, asset: NATIVE, amount: 1n },
  ...change,
})

test("the associated account of each wallet, mint and program has that owner", () => {
  for (const { wallet, mint, program, account } of ATAS) {
    const transfer = transferTo({ to: account, asset: `${CHAIN}/token:${mint}`, program })
    expect(tokenAccountOwner(transfer, WALLETS)).toBe(wallet)
    expect(
      tokenAccountOwner(
        transfer,
        WALLETS.filter((one) => one !== wallet),
      ),
    ).toBeUndefined()
  }
})

test("nothing is said of another mint, another program, another account, or what is unresolved", () => {
  const { wallet, mint, program, account } = ATAS[0]!
  const right = transferTo({ to: account, asset: `${CHAIN}/token:${mint}`, program })
  expect(tokenAccountOwner(right, [wallet])).toBe(wallet)
  const wrong: readonly Partial<Transfer>[] = [
    { asset: `${CHAIN}/token:${numbered("m", 9)}` },
    { asset: NATIVE },
    { program: numbered("p", 9) },
    { to: numbered("t", 9) },
    { to: wallet },
    { to: { unresolved: "a table" } },
    { asset: { unresolved: "no mint" } },
    { program: { unresolved: "a table" } },
  ]
  expect(wrong.map((change) => tokenAccountOwner({ ...right, ...change }, [wallet]))).toEqual(
    wrong.map(() => undefined),
  )
  const { program: _, ...without } = right
  expect(tokenAccountOwner(without, [wallet])).toBeUndefined()
})
