/** PSBTs that second implementations encode, read by ours: every field and every digest equal. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { psbtDecoder } from "../../../src/intent/bitcoin/psbt.ts"
import { isProblem, type Reading } from "../../../src/intent/reading.ts"
import { planOf } from "./plans.ts"
import { askedOf, contextOf, encode, expectedReading, KINDS, type Plan } from "./wallet.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"

function readingOf(plan: Plan): Omit<Reading, "notes"> {
  const decoded = psbtDecoder.decode(encode(plan), contextOf(askedOf(plan), plan.chain))
  if (isProblem(decoded)) throw new Error(`${decoded.code} ${decoded.at}: ${decoded.message}`)
  const { notes: _, ...reading } = decoded
  return reading
}

describe("PSBTs of a second implementation", () => {
  for (const version of [0, 2] as const) {
    for (const kind of KINDS) {
      test(`version ${version}, ${kind}: ten plans`, () => {
        for (let seed = 0; seed < 10; seed++) {
          const plan = planOf(seed, { version, kind })
          expect(readingOf(plan)).toEqual(expectedReading(plan))
        }
      })
    }
  }
  test("any valid PSBT reads as it was planned", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const plan = planOf(seed)
        expect(readingOf(plan)).toEqual(expectedReading(plan))
      }),
      { numRuns: LONG ? 100_000 : 300 },
    )
  }, 1_800_000)
})
