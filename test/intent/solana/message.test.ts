/** Solana messages against the second implementation: every instruction, whole messages, mutants, noise. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { solanaMessage } from "../../../src/intent/solana/message.ts"
import { runs } from "../../support/runs.ts"
import { KINDS } from "./cases.ts"
import { anyScenario, type Scenario, scenarioWith } from "./scenario.ts"

function readsAsExpected({ bytes, compiled, context, expected }: Scenario): void {
  const decoded = solanaMessage.decode(bytes, context)
  if (bytes.length + 1 + 64 * compiled.signers.length > 1232) {
    expect(decoded).toMatchObject({ code: "E-INT-093" })
    return
  }
  expect(decoded).toEqual(expected)
}

describe("what the second implementation encodes", () => {
  for (const [name, one] of Object.entries(KINDS)) {
    test(`${name} is read as it was meant`, () => {
      fc.assert(fc.property(scenarioWith(one), readsAsExpected), { numRuns: runs(30, 2000) })
    })
  }
  test("whole messages are read as they were meant", () => {
    fc.assert(fc.property(anyScenario, readsAsExpected), { numRuns: runs(300, 100_000) })
  }, 1_800_000)
})
