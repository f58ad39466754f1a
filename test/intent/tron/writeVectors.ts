/**
 * Writes test/vectors/intent-tron.json: transactions that the second implementation encodes, with the readings that their
 * inputs say (never ours). Run it when the meaning of a reading changes, then the formatter, and read what it changes.
 */
import { join } from "node:path"
import fc from "fast-check"
import { toHex } from "../../../src/bytes.ts"
import { readingJson } from "../../../src/intent/json.ts"
import { anyCase, KINDS } from "./cases.ts"
import { type Scenario, scenarioWith } from "./scenario.ts"

const vectorOf = (name: string, { encoded, context, expected }: Scenario): object => {
  const { chain, from, effects, fee, expires, digests, notes } = readingJson(expected, {
    intentHash: undefined,
    text: [],
  })
  return {
    name,
    rawData: toHex(encoded.bytes),
    key: toHex(context.messages[0]?.publicKey ?? new Uint8Array(0)),
    bandwidthPrice: context.settings.tron.bandwidthPrice.toString(),
    reading: { chain, from, effects, fee, expires, digests, ...(notes && { notes }) },
  }
}

const short = (one: Scenario): boolean => one.encoded.bytes.length < 1500
const each = Object.entries(KINDS).flatMap(([name, one]) =>
  fc.sample(scenarioWith(one).filter(short), { seed: 195, numRuns: 2 }).map((made) => vectorOf(name, made)),
)
const whole = fc
  .sample(scenarioWith(anyCase).filter(short), { seed: 196, numRuns: 30 })
  .map((made) => vectorOf("transaction", made))
const lines = [...each, ...whole].map((vector) => JSON.stringify(vector))
await Bun.write(join(import.meta.dir, "../../vectors/intent-tron.json"), `[\n${lines.join(",\n")}\n]\n`)
