/**
 * Many random lives of a vault (randomFaults.ts). The seed of one that fails is in the failure; COSIGNER_SEED begins with another,
 * COSIGNER_LONG=1 runs thousands, COSIGNER_RUNS so many.
 */
import { expect, test } from "bun:test"
import type { CurveType } from "../../src/waas/store/model.ts"
import { RandomFaults } from "./randomFaults.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const SEED = Number(process.env["COSIGNER_SEED"] ?? 20_261_122)
const RUNS = Number(process.env["COSIGNER_RUNS"] ?? (LONG ? 2_000 : 6))

/** How often an epoch that was over was asked to sign, and refused. */
async function live(seed: number, curve: CurveType, acts: number): Promise<number> {
  await using randomFaults = await RandomFaults.brew(seed, curve)
  try {
    await randomFaults.rage(acts)
    await randomFaults.clear()
    await randomFaults.expectSound()
    await randomFaults.expectToGoOn()
    return randomFaults.refused
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`seed ${seed} on ${curve}:\n${randomFaults.diary.join("\n")}\n${message}`, { cause })
  }
}

test(`${RUNS} lives of a vault on Ed25519, seeds from ${SEED}`, async () => {
  let refused = 0
  for (let n = 0; n < RUNS; n++) refused += await live(SEED + n, "ED25519", LONG ? 9 : 5)
  // Few lives may well leave no epoch behind that anybody could ask.
  if (RUNS >= 40) expect(refused).toBeGreaterThan(0)
}, 10_800_000)

if (LONG) {
  test(`${RUNS / 40} on secp256k1`, async () => {
    for (let n = 0; n < RUNS / 40; n++) await live(SEED + n, "SECP256K1", 5)
  }, 3_600_000)
}
