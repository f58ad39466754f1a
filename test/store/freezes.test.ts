/** Freezes in the store: durable before they are answered, never shortened, ended by no clock alone. */
import { expect, spyOn, test } from "bun:test"
import { cpSync } from "node:fs"
import { join } from "node:path"
import { openStore, type Store, snapshotOf } from "../../src/store/store.ts"
import { importStore, type StoredRecord } from "../../src/store/transfer.ts"
import { Folder, KDF, password } from "./fixtures.ts"

const HOUR = 3_600_000
const asked = (over: Partial<Parameters<Store["freezes"]["freeze"]>[0]> = {}) => ({
  groupId: "",
  forMs: undefined,
  reason: "",
  by: "host",
  ...over,
})

/** The monotonic clock, moved by hand. */
function monotonic() {
  let atMs = 0
  const spy = spyOn(performance, "now").mockImplementation(() => atMs)
  return {
    advance: (ms: number) => {
      atMs += ms
    },
    [Symbol.dispose]: () => spy.mockRestore(),
  }
}

test("a freeze of the node is over every group, one of a group over that alone; both survive a restart", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    expect(store.freezes.over(["a"])).toBeUndefined()
    store.freezes.freeze(asked({ groupId: "a", reason: "why" }), 5)
    expect(store.freezes.over(["b", "a"])).toEqual({
      groupId: "a",
      sinceMs: 5,
      end: undefined,
      reason: "why",
      by: "host",
    })
    expect(store.freezes.over(["b"])).toBeUndefined()
    store.freezes.freeze(asked(), 6)
    expect(store.freezes.over([])?.groupId).toBe("")
  }
  for (const readOnly of [true, false]) {
    using store = folder.open(readOnly)
    expect(store.freezes.list().map(({ groupId, sinceMs }) => [groupId, sinceMs])).toEqual([
      ["", 6],
      ["a", 5],
    ])
    if (readOnly) continue
    store.freezes.lift([""], "host", 7)
    expect(store.freezes.over(["b"])).toBeUndefined()
    expect(store.verify()).toBeGreaterThan(0)
  }
  using store = folder.open()
  expect(store.freezes.list().map(({ groupId }) => groupId)).toEqual(["a"])
})

test("what was answered is in a copy of the file that was made at that moment", () => {
  using folder = new Folder()
  using store = folder.create()
  store.freezes.freeze(asked(), 5)
  cpSync(folder.db, join(folder.path, "copy.db"))
  using copy = openStore(join(folder.path, "copy.db"), password(), { readOnly: true })
  expect(copy.freezes.over([])).toBeDefined()
})

test("another freeze never shortens one", () => {
  using folder = new Folder()
  using store = folder.create()
  const first = store.freezes.freeze(asked({ forMs: 2 * HOUR }), 1000)
  expect(store.freezes.freeze(asked({ forMs: HOUR, reason: "other" }), 1000)).toEqual(first)
  const generation = store.generation
  store.freezes.freeze(asked({ forMs: 1 }), 1000)
  expect(store.generation).toBe(generation)
  expect(store.freezes.freeze(asked({ forMs: 3 * HOUR }), 1000).end?.atMs).toBe(1000 + 3 * HOUR)
  expect(store.freezes.freeze(asked(), 1000).end).toBeUndefined()
  expect(store.freezes.freeze(asked({ forMs: 1 }), 1000).end).toBeUndefined()
})

test("its end needs the wall clock and time in service: a jump of the clock ends nothing, nor does a restart", () => {
  using folder = new Folder()
  using clock = monotonic()
  {
    using store = folder.create()
    store.served.begin()
    clock.advance(1000)
    store.freezes.freeze(asked({ forMs: HOUR }), 0)
    expect(store.freezes.ended(HOUR * 24)).toEqual([])
    clock.advance(HOUR / 2)
    store.served.keep()
  }
  clock.advance(100 * HOUR)
  using store = folder.open()
  // not yet in service, and time beside the node's own does not count
  clock.advance(HOUR)
  expect(store.freezes.ended(HOUR * 200)).toEqual([])
  store.served.begin()
  clock.advance(HOUR / 2 - 1)
  expect(store.freezes.ended(HOUR * 200)).toEqual([])
  clock.advance(1)
  expect(store.freezes.ended(HOUR * 200)).toHaveLength(1)
  // a wall clock that was put back lengthens it
  expect(store.freezes.ended(HOUR - 1)).toEqual([])
})

test("one that cannot be recorded is in force all the same, and says so", () => {
  using folder = new Folder()
  folder.create().close()
  using store = folder.open(true)
  expect(() => store.freezes.freeze(asked(), 5)).toThrow(expect.objectContaining({ code: "E-FRZ-002" }))
  expect(store.freezes.over([])).toBeDefined()
})

test("one that could not be recorded is recorded when somebody freezes again", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    const full = () => {
      throw new Error("the disk is full")
    }
    expect(() => store.freezes.freeze(asked(), 5, full)).toThrow(expect.objectContaining({ code: "E-FRZ-002" }))
    expect(store.freezes.freeze(asked(), 6)).toMatchObject({ sinceMs: 5 })
  }
  using again = folder.open(true)
  expect(again.freezes.over([])).toMatchObject({ sinceMs: 5 })
})

test("a restored backup is frozen as the node was", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    store.freezes.freeze(asked({ groupId: "a", forMs: HOUR }), 5)
  }
  const records: StoredRecord[] = []
  {
    using snapshot = snapshotOf(folder.db, password(), join(folder.path, "snapshot"))
    for (const record of snapshot.records(undefined)) {
      if (record !== undefined) records.push({ ...record, body: Uint8Array.from(record.body) })
    }
  }
  const restored = join(folder.path, "restored.db")
  importStore(restored, password(), records, { kdf: KDF, nowMs: 9 })
  using store = openStore(restored, password(), { readOnly: true })
  expect(store.freezes.list()).toEqual([
    { groupId: "a", sinceMs: 5, end: { atMs: 5 + HOUR, servedMs: HOUR }, reason: "", by: "host" },
  ])
})
