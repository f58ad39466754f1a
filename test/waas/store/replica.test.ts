/** What a process of a shared store makes of a database that does not hear it, by a clock of the test's own and without a database. */
import { expect, test } from "bun:test"
import { silentLog } from "../../../src/log.ts"
import { LEASE_MS, LivingReplica } from "../../../src/waas/store/replica.ts"

test("unheard for its lease a process leads no more; for 30 s it lets its nodes go, once", async () => {
  let nowMs = 1_000
  let looked: (() => void) | undefined
  const beat = Promise.withResolvers<never>()
  let letGo = 0
  const replica = new LivingReplica(
    {
      name: "away",
      heartbeat: () => beat.promise,
      all: async () => [],
      commit: async () => {},
    },
    { id: "7", living: ["7"] },
    {
      name: "a",
      log: silentLog,
      onUnheard() {
        letGo++
      },
      clock() {
        looked?.()
        return nowMs
      },
    },
  )
  /** Somebody has looked at the clock. */
  const watched = async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    looked = resolve
    await promise
    looked = undefined
  }
  nowMs = 1_000 + LEASE_MS
  expect(replica.isHeard()).toBe(true)
  nowMs++
  expect(replica.isHeard()).toBe(false)
  nowMs = 31_000
  // Its first beat, which hangs from now on, and its watch; later looks are the watch's alone.
  await watched()
  await watched()
  expect(letGo).toBe(0)
  nowMs++
  await watched()
  expect(letGo).toBe(1)
  await watched()
  expect(letGo).toBe(1)
  beat.reject(new Error("away"))
  await replica[Symbol.asyncDispose]()
})

test("heard from when it asked, not from the answer on; after a gap it declares nobody dead", async () => {
  let nowMs = 1_000
  const asked: string[] = []
  let answered = (): void => {}
  const replica = new LivingReplica(
    {
      name: "slow",
      async heartbeat<Row>() {
        nowMs += 2_000
        return [{ id: "7" }] as unknown as readonly Row[]
      },
      async all(sql) {
        asked.push(sql)
        answered()
        return []
      },
      commit: async () => {},
    },
    { id: "7", living: ["7"] },
    { name: "a", log: silentLog, onUnheard() {}, clock: () => nowMs },
  )
  /** A look follows each beat that was answered. */
  const looked = () => new Promise<void>((resolve) => (answered = resolve))
  nowMs = 2_000
  await looked()
  nowMs = 2_000 + LEASE_MS
  expect(replica.isHeard()).toBe(true)
  nowMs++
  expect(replica.isHeard()).toBe(false)
  nowMs = 20_000
  await looked()
  expect(replica.isHeard()).toBe(true)
  expect(asked.filter((sql) => sql.includes("alive = FALSE"))).toEqual([])
  await replica[Symbol.asyncDispose]()
  expect(replica.isHeard()).toBe(false)
})
