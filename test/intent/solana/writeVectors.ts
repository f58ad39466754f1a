/**
 * Writes test/vectors/intent-solana.json: messages that the second implementation encodes, with the readings that their inputs
 * say (never ours). Run it when the meaning of a reading changes, and read what it changes.
 */
import { join } from "node:path"
import fc from "fast-check"
import { toHex } from "../../../src/bytes.ts"
import { readingJson } from "../../../src/intent/json.ts"
import { KINDS } from "./cases.ts"
import { anyScenario, type Scenario, scenarioWith } from "./scenario.ts"

const fits = ({ bytes, compiled }: Scenario): boolean => bytes.length + 1 + 64 * compiled.signers.length <= 1232

const vectorOf = (name: string, { bytes, context, expected }: Scenario): object => {
  const { chain, from, effects, fee, expires, notes } = readingJson(expected, { intentHash: undefined, text: [] })
  return {
    name,
    message: toHex(bytes),
    keys: context.messages.map(({ publicKey }) => toHex(publicKey)),
    lookupTables: Object.fromEntries(context.settings.solana.lookupTables),
    mints: context.settings.solana.mints,
    reading: { chain, from, effects, fee, ...(expires && { expires }), ...(notes && { notes }) },
  }
}

const each = Object.entries(KINDS).flatMap(([name, one]) =>
  fc.sample(scenarioWith(one).filter(fits), { seed: 501, numRuns: 2 }).map((made) => vectorOf(name, made)),
)
const whole = fc.sample(anyScenario.filter(fits), { seed: 502, numRuns: 20 }).map((made) => vectorOf("message", made))
const lines = [...each, ...whole].map((vector) => JSON.stringify(vector))
await Bun.write(join(import.meta.dir, "../../vectors/intent-solana.json"), `[\n${lines.join(",\n")}\n]\n`)
