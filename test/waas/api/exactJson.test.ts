/** What JSON.parse would change silently on its way from a caller to a callback server is refused at the door. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { problemOfJson } from "../../../src/waas/api/exactJson.ts"
import { Rig } from "../../support/waas.ts"
import { Caller } from "./caller.ts"

const REFUSED: readonly (readonly [string, string])[] = [
  ["a number beyond 2^53", '{"amount":9007199254740993}'],
  ["the same, negative and deep inside", '{"a":[{"b":-9007199254740993}]}'],
  ["a power of ten beyond 2^53", '{"amount":1e18}'],
  ["a fraction with more digits than are kept", '{"amount":0.12345678901234567890}'],
  ["a number that is none to JSON.parse", '{"amount":1e999}'],
  ["one that becomes nothing", '{"amount":1e-999}'],
  ["a member twice", '{"to":"a","to":"b"}'],
  ["a member twice, once in escapes", '{"to":"a","\\u0074o":"b"}'],
  ["half a surrogate pair", '{"memo":"\\ud800"}'],
  ["half of one as a name", '{"\\udc00":1}'],
  ["20 000 brackets", `${"[".repeat(20_000)}${"]".repeat(20_000)}`],
  ["no JSON", '{"a":1'],
]

describe("a body is refused with", () => {
  for (const [what, text] of REFUSED) test(what, () => expect(problemOfJson(text)).toBeString())
})

test("what stays as it is passes, however it is written", () => {
  const text =
    '{ "a": [0, -0, 1.50, 0.1, 9007199254740991, -9007199254740991, 1E3, 2.5e-7, 100e-2], "b": "\\ud83d\\ude00" }\n'
  expect(problemOfJson(text)).toBeUndefined()
})

test("whatever JSON.stringify writes passes, but for numbers beyond 2^53 and halves of characters", () => {
  const number = fc.double({ min: -(2 ** 53) + 1, max: 2 ** 53 - 1, noNaN: true })
  const leaf = fc.oneof(number, fc.string({ unit: "grapheme" }), fc.boolean(), fc.constant(null))
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("value")),
      fc.dictionary(fc.string({ unit: "grapheme" }), tie("value")),
    ),
  })).value
  fc.assert(
    fc.property(value, (one) => problemOfJson(JSON.stringify(one)) === undefined),
    { seed: 53 },
  )
})

test("REST answers 400 and says where", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const wire = '{"name":"v","name":"w"}'
  const style = {
    signedPath: (path: string) => path,
    signedQuery: () => "",
    wireQuery: () => "",
    write: () => ({ signed: wire, wire }),
  }
  const answer = await caller.call("POST", "/v2/wallets/mpc/vaults", { body: {}, style })
  expect(answer.status).toBe(400)
  expect(answer.json).toMatchObject({ error_code: 2006, error_message: expect.stringContaining("a member twice") })
})
