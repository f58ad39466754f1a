/** When a request that waits for an offline node goes to a replica to which that node is connected. */
import { expect, test } from "bun:test"
import { HandOvers } from "../../../src/waas/engine/handOvers.ts"
import type { LiveTasks } from "../../../src/waas/engine/liveTasks.ts"
import type { WaasTask } from "../../../src/waas/store/model.ts"

const task = {
  taskId: "r",
  request: { kind: "sign", id: "r" },
  nodeIds: ["a", "b"],
  state: "approving",
  reports: {},
} as unknown as WaasTask

/** A request that no other replica takes, of `living` in all; `look` at a time at which node `b` is here or away; times of hand-overs. */
function waiting(living = 2) {
  let nowMs = 0
  let isHere = true
  const handed: number[] = []
  const live = {
    atWork: { values: () => [task] },
    release: async () => [task],
    takeOver: async () => {},
  } as unknown as LiveTasks
  const handOver = async () => {
    handed.push(nowMs)
    return false
  }
  const parts = { live, online: (id: string) => id === "a" || isHere, now: () => nowMs }
  const handOvers = new HandOvers({ ...parts, shared: { living: () => living, handOver } })
  const look = async (atMs: number, node: "here" | "away") => {
    nowMs = atMs
    isHere = node === "here"
    await handOvers.look()
  }
  return { handed, look }
}

test("it waits two seconds first, and twice as long each time that it finds no better replica", async () => {
  const { handed, look } = waiting()
  for (let atMs = 0; atMs < 30_000; atMs += 500) await look(atMs, "away")
  expect(handed).toEqual([2_000, 6_000, 14_000])
})

test("a replica that is alone gives no request away", async () => {
  const { handed, look } = waiting(1)
  for (let atMs = 0; atMs < 10_000; atMs += 500) await look(atMs, "away")
  expect(handed).toEqual([])
})

test("its patience begins anew when the node was here meanwhile", async () => {
  const { handed, look } = waiting()
  await look(0, "away")
  await look(1_500, "here")
  await look(99_500, "here")
  await look(100_000, "away")
  await look(101_000, "away")
  expect(handed).toEqual([])
  await look(102_000, "away")
  expect(handed).toEqual([102_000])
})
