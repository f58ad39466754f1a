/** Freezing as operators see it: what is told to whom, what ends, and that time alone lifts a freeze with an end. */
import { expect, spyOn, test } from "bun:test"
import { freezeEvents } from "../../src/events/envelope.ts"
import { silentLog } from "../../src/log.ts"
import { endFreezes, freezingOf, wordsOf } from "../../src/ops/freezing.ts"
import { freezeProbe } from "../../src/ops/readiness/probes.ts"
import { tellReadiness } from "../../src/ops/readiness/told.ts"
import { createWatch } from "../../src/ops/readiness/watch.ts"
import type { Readiness } from "../../src/wire/frames.ts"
import { Folder } from "../store/fixtures.ts"
import { logTo } from "../support/logTo.ts"

const event = freezeEvents("node-1", () => "event-1")
const asked = { groupId: "", forMs: 60_000, reason: "drill", by: "host" }
const SERVER = "http://127.0.0.1:1/"

function freezer(folder: Folder) {
  const store = folder.create()
  store.outbox.subscribe([{ server: SERVER, eventTypes: ["node.frozen", "node.unfrozen"] }])
  const lines: string[] = []
  const log = logTo((level, message) => void lines.push(`${level} ${message}`))
  let ended = 0
  const freezing = freezingOf({
    store,
    log,
    event,
    onFrozen: () => {
      ended++
    },
  })
  return { store, log, lines, freezing, ended: () => ended }
}

test("a freeze is told to log and event servers in its own commit, and ends what runs", () => {
  using folder = new Folder()
  const { store, lines, freezing, ended } = freezer(folder)
  const before = store.generation
  freezing.freeze(asked)
  expect([store.generation - before, ended(), lines]).toEqual([1, 1, ["warn frozen"]])
  const body = JSON.parse(store.outbox.next(SERVER)?.event.body ?? "")
  expect(body).toMatchObject({ event_type: "node.frozen", node_id: "node-1", data: { group_id: "", reason: "drill" } })
  freezing.unfreeze(undefined)
  expect(lines).toEqual(["warn frozen", "warn unfrozen"])
  expect(store.outbox.backlog()).toEqual([{ server: SERVER, pending: 2, failed: 0 }])
  store.close()
})

test("where it cannot be recorded, what runs ends all the same", () => {
  using folder = new Folder()
  folder.create().close()
  using store = folder.open(true)
  let ended = 0
  const freezing = freezingOf({ store, log: silentLog, event, onFrozen: () => void ended++ })
  expect(() => freezing.freeze(asked)).toThrow(expect.objectContaining({ code: "E-FRZ-002" }))
  expect(ended).toBe(1)
})

test("its end is its own, by both clocks, and is told", () => {
  using folder = new Folder()
  let atMs = 0
  const monotonic = spyOn(performance, "now").mockImplementation(() => atMs)
  const { store, log, lines, freezing } = freezer(folder)
  store.served.begin()
  freezing.freeze(asked)
  const parts = { store, log, event }
  endFreezes(parts, Date.now() + 3_600_000, true)
  expect(store.freezes.list()).toHaveLength(1)
  atMs = 60_000
  endFreezes(parts, Date.now(), false)
  expect(store.freezes.list()).toHaveLength(1)
  endFreezes(parts, Date.now() + 60_000, false)
  expect(store.freezes.list()).toEqual([])
  expect(lines).toEqual(["warn frozen", "warn unfrozen: its time has passed"])
  expect(store.outbox.backlog()[0]?.pending).toBe(2)
  monotonic.mockRestore()
  store.close()
})

test("readiness fails for the whole node, and names a group; WaaS hears the code and not the reason", () => {
  using folder = new Folder()
  const { store } = freezer(folder)
  const watch = createWatch({
    probes: [freezeProbe(() => store.freezes.list())],
    now: () => 1,
    log: silentLog,
    onAlarm: () => {},
  })
  const told: Readiness[] = []
  const { look } = tellReadiness({
    link: () => ({ phase: "online", connections: 1 }),
    open: () => 0,
    most: 1,
    groups: () => [],
    tell: (frame) => void told.push(frame),
  })
  expect(watch.look()).toMatchObject([{ name: "freeze", state: "ok", code: "" }])
  store.freezes.freeze({ ...asked, groupId: "a" }, 1)
  expect(watch.look()).toMatchObject([{ state: "ok", code: "E-FRZ-004", reason: expect.stringContaining("group a") }])
  store.freezes.freeze(asked, 1)
  const items = watch.look()
  expect(items).toMatchObject([{ state: "failed", code: "E-FRZ-004", reason: expect.stringContaining("drill") }])
  look(items)
  expect(told).toMatchObject([{ code: "E-FRZ-004", reason: "it is frozen" }])
  expect(store.freezes.list().map(wordsOf)[1]).toContain("group a, since 1970-01-01")
  store.close()
})
