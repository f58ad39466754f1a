/**
 * Many random lives of a vault (storm.ts). The seed of one that fails is in the failure; COSIGNER_SEED begins with another,
 * COSIGNER_LONG=1 runs thousands.
 */
import { test } from "bun:test"
import type { CurveType } from "../../src/waas/store/model.ts"
import { Storm } from "./storm.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const SEED = Number(process.env["COSIGNER_SEED"] ?? 20_261_122)
const RUNS = Number(process.env["COSIGNER_RUNS"] ?? (LONG ? 2_000 : 10))

async function live(seed: number, curve: CurveType, acts: number): Promise<void> {
  await using storm = await Storm.brew(seed, curve)
  try {
    await storm.rage(acts)
    await storm.clear()
    await storm.expectSound()
    await storm.expectToGoOn()
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`seed ${seed} on ${curve}:\n${storm.diary.join("\n")}\n${message}`, { cause })
  }
}

test(`${RUNS} lives of a vault on Ed25519, seeds from ${SEED}`, async () => {
  for (let n = 0; n < RUNS; n++) await live(SEED + n, "ED25519", 6)
}, 3_600_000)
