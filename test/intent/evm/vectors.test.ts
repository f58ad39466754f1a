/** Frozen payloads of a second implementation: digest and every field of the reading, whatever that implementation becomes. */
import { expect, test } from "bun:test"
import { readingJson } from "../../../src/intent/json.ts"
import { isFormat } from "../../../src/intent/reading.ts"
import vectors from "../../vectors/intent-evm.json"
import { CHAINS } from "./arbitrary.ts"
import { contextFor, reading } from "./kit.ts"

const context = contextFor(CHAINS.map((id) => `eip155:${id}`))

test("there are enough", () => {
  expect(vectors.length).toBeGreaterThanOrEqual(120)
})
for (const [i, { format, payload, digest, reading: expected }] of vectors.entries()) {
  test(`${i} ${format}`, () => {
    if (!isFormat(format)) throw new Error(format)
    const {
      digests,
      text,
      format: _,
      ...rest
    } = readingJson(reading(format, payload, context), {
      intentHash: undefined,
      text: [],
    })
    expect([digests, text]).toEqual([[digest], []])
    expect(rest).toEqual(expected as typeof rest)
  })
}
