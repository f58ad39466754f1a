/** Strikes: what is remembered of a party, for how long, and how it is lifted. */
import { expect, test } from "bun:test"
import { KEPT_STRIKES, MAX_STRIKES } from "../../src/store/strikes.ts"
import type { Strike } from "../../src/tasks/ports.ts"
import { bytesOf, Folder, partyNo } from "./fixtures.ts"

const strikeOf = (n: number, over: Partial<Strike> = {}): Strike => ({
  peer: partyNo(1),
  kind: "FAULT",
  reason: `reason ${n}`,
  sid: bytesOf(n),
  taskId: `t${n}`,
  atMs: 1000 + n,
  evidence: [],
  ...over,
})

test("the third strike refuses that party and no other, and a restart changes nothing", () => {
  using folder = new Folder()
  const equivocation = strikeOf(2, { kind: "EQUIV", evidence: [bytesOf(5, 237), bytesOf(6, 237)] })
  {
    using store = folder.create()
    expect(store.strikes.list()).toEqual([])
    store.strikes.add([strikeOf(1), strikeOf(9, { peer: partyNo(2) })])
    store.strikes.add([equivocation])
    expect([MAX_STRIKES, store.strikes.refused()]).toEqual([3, []])
    store.strikes.add([strikeOf(3)])
    expect(store.strikes.refused()).toEqual([partyNo(1)])
  }
  for (const readOnly of [false, true]) {
    using store = folder.open(readOnly)
    expect(store.strikes.refused()).toEqual([partyNo(1)])
    const [first, second] = [...store.strikes.list()].sort((a, b) => b.count - a.count)
    expect(first).toEqual({
      peer: partyNo(1),
      count: 3,
      total: 3,
      strikes: [strikeOf(1), equivocation, strikeOf(3)],
      pardons: [],
    })
    expect(second).toMatchObject({ peer: partyNo(2), count: 1 })
    if (!readOnly) expect(store.verify()).toBeGreaterThan(0)
  }
})

test("two strikes of one party in one transaction are two", () => {
  using folder = new Folder()
  using store = folder.create()
  store.strikes.add([strikeOf(1), strikeOf(2), strikeOf(3)])
  expect(store.strikes.refused()).toEqual([partyNo(1)])
  expect(store.strikes.list()[0]?.strikes).toHaveLength(3)
})

test("a pardon begins the count anew, is remembered with the strikes, and survives a restart", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    for (let n = 0; n < 4; n++) store.strikes.add([strikeOf(n)])
    expect(store.strikes.pardon(partyNo(1), 7)).toBe(4)
    expect(store.strikes.refused()).toEqual([])
    const { generation } = store
    expect(store.strikes.pardon(partyNo(1), 8)).toBe(0)
    expect(store.strikes.pardon(partyNo(2), 8)).toBe(0)
    expect(store.generation).toBe(generation)
  }
  using store = folder.open()
  expect(store.strikes.refused()).toEqual([])
  expect(store.strikes.list()).toMatchObject([{ count: 0, total: 4, pardons: [{ atMs: 7, strikes: 4 }] }])
  expect(store.strikes.list()[0]?.strikes).toHaveLength(4)
  for (let n = 5; n < 8; n++) {
    expect(store.strikes.refused()).toEqual([])
    store.strikes.add([strikeOf(n)])
  }
  expect(store.strikes.refused()).toEqual([partyNo(1)])
})

test("of many strikes and pardons the newest are kept, and all are counted", () => {
  using folder = new Folder()
  using store = folder.create()
  const many = KEPT_STRIKES + 5
  for (let n = 0; n < many; n++) {
    store.strikes.add([strikeOf(n)])
    store.strikes.pardon(partyNo(1), n)
  }
  store.strikes.add([strikeOf(99)])
  const [record] = store.strikes.list()
  expect(record).toMatchObject({ count: 1, total: many + 1 })
  expect(record?.strikes.map(({ taskId }) => taskId)).toEqual([
    ...Array.from({ length: KEPT_STRIKES - 1 }, (_, i) => `t${many - KEPT_STRIKES + 1 + i}`),
    "t99",
  ])
  expect(record?.pardons).toHaveLength(KEPT_STRIKES)
  expect(record?.pardons.at(-1)).toEqual({ atMs: many - 1, strikes: 1 })
})
