/** How much of a node each of several replicas uses. */
import { expect, test } from "bun:test"
import { NodeHealth } from "../../../src/waas/engine/nodeHealth.ts"
import { NodeLoad } from "../../../src/waas/engine/nodeLoad.ts"
import { situationOf } from "../../../src/waas/engine/situation.ts"
import { BEFORE_VERSIONS } from "../../../src/wire/versions.ts"

/** How many tasks of one node a replica asks for, and lets run, before it waits. */
function roomAmong(living: number): readonly [number, number] {
  const relay = { send() {}, online: () => true, silentMs: () => 0 }
  const pace = { attempts: 3, attemptMs: 1, retryMs: 1, silentMs: 1, slowMs: 1, laterMs: 1, nudgeMs: 1 }
  const now = () => 0
  const common = { now, pace, relay, windows: { asked: 128, running: 16 }, isLate: false }
  const most = (isFree: (counts: { asked: number; running: number }) => boolean): number => {
    let count = 0
    while (isFree({ asked: count, running: count })) count++
    return count
  }
  const at = (counts: { readonly asked: number; readonly running: number }) =>
    situationOf({
      ...common,
      shared: { living: () => living },
      versions: () => BEFORE_VERSIONS,
      health: new NodeHealth({ relay, now, pace }),
      loads: Object.assign(new NodeLoad(), { of: () => ({ ...counts, waiting: 0 }) }),
    })
  return [most((counts) => at(counts).hasRoom("n")), most((counts) => at(counts).mayRun("n"))]
}

test("replicas share what a node takes, and each has enough to go on with", () => {
  expect([1, 2, 3, 10].map(roomAmong)).toEqual([
    [128, 16],
    [64, 8],
    [43, 6],
    [32, 6],
  ])
})
