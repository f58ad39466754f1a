/** What operations remember of what they were told, and of earlier runs. */
import { describe, expect, test } from "bun:test"
import type { LogFields } from "../../src/log.ts"
import { createMetrics } from "../../src/ops/metrics/catalogue.ts"
import { createObservers } from "../../src/ops/observers.ts"
import { createHistory } from "../../src/ops/port/history.ts"
import type { Store } from "../../src/store/store.ts"
import { APPROVE, claimOf, epochNo, Folder, groupNo, groupSecret, REJECT } from "../store/fixtures.ts"
import { logTo } from "../support/logTo.ts"

const observed = (store: Store) => {
  const metrics = createMetrics()
  const history = createHistory()
  const said: { readonly level: string; readonly message: string; readonly fields: LogFields }[] = []
  const log = logTo((level, message, fields) => void said.push({ level, message, fields }))
  const lists = { taskChanged: () => {}, written: () => {} }
  const { observers, seen } = createObservers({ store, metrics, history, lists, clock: () => 77, log })
  const seriesOf = (name: string) =>
    metrics
      .families()
      .find((family) => family.name === name)
      ?.series.map(({ labels, value }) => [...labels.map(([, name]) => name), value])
  return { observers, seen, history, seriesOf, said }
}
const SIGNED = { state: "completed", outcome: { type: "signatures", signatures: [] } } as const

function activate(store: Store, groupId: string): void {
  const secret = groupSecret(0)
  store.groups.prepare(groupNo(groupId, 0), secret)
  store.groups.activate(groupId, epochNo(0), [])
}

describe("tasks", () => {
  test("are counted as they end, and timed from their claim", async () => {
    using folder = new Folder()
    using store = folder.create()
    const { observers, seen, history, seriesOf } = observed(store)
    const { journal } = observers
    for (const id of ["signed", "refused", "late", "called off"]) journal.claim(claimOf(id))
    const decide = (id: string, verdict: typeof APPROVE | typeof REJECT) =>
      journal.approve(
        id,
        6,
        () => ({ verdict, debits: [] }),
        () => [],
      )
    await decide("signed", APPROVE)
    await decide("refused", REJECT)
    await journal.finish("signed", SIGNED, 1_005, [], undefined)
    await journal.finish("late", { state: "failed", code: "E-TSK-004", reason: "late" }, 7, [], undefined)
    await journal.finish("called off", { state: "cancelled", code: "E-TSK-005", reason: "no" }, 8, [], undefined)
    expect(seen.ended).toEqual({ completed: 1, rejected: 1, failed: 1, cancelled: 1 })
    expect(seen.provenMs()).toBe(1_005)
    expect(seen.writtenAt()).toBe(77)
    expect(seriesOf("cosigner_tasks_total")).toEqual([
      ["KeySign", "rejected", "E-RSK-001", 1],
      ["KeySign", "completed", "", 1],
      ["KeySign", "failed", "E-TSK-004", 1],
      ["KeySign", "cancelled", "E-TSK-005", 1],
    ])
    expect(seriesOf("cosigner_verdicts_total")).toEqual([
      ["approve", "", 1],
      ["reject", "E-RSK-001", 1],
    ])
    expect(seriesOf("cosigner_rules_total")).toEqual([["key_sign.allowed_paths", "deny", 1]])
    expect(history.document(1_005).points).toEqual([
      { at_ms: 0, completed: 1, rejected: 1, failed: 2, p50_ms: 1_000, p95_ms: 1_000 },
    ])
  })
  test("a transaction that does not stand is counted apart, and proves nothing", () => {
    using folder = new Folder()
    using store = folder.create()
    const { seen, seriesOf } = observed(store)
    expect(() => store.tasks.endSession(new Uint8Array(32), "done", 1, [])).toThrow()
    expect(seen.writtenAt()).toBeUndefined()
    expect(seriesOf("cosigner_store_commit_seconds")?.map(([outcome]) => outcome)).toEqual(["undone"])
  })
})

describe("the trace", () => {
  test("tells of commits which kinds of record they wrote and how long it took; of servers, who answered what", () => {
    using folder = new Folder()
    using store = folder.create()
    const { observers, said } = observed(store)
    activate(store, "g")
    observers.journal.claim(claimOf("t"))
    store.flush()
    const commits = said.filter(({ message }) => message === "store commit").map(({ fields }) => fields)
    expect(commits.map(({ records, isDone }) => [records, isDone])).toEqual([
      ["group, group secret", true],
      ["group", true],
      ["task", true],
    ])
    for (const { tookMs } of commits) expect(tookMs).toBeNumber()
    expect(() => store.tasks.endSession(new Uint8Array(32), "done", 1, [])).toThrow()
    expect(said.at(-1)?.fields).toMatchObject({ isDone: false })

    const server = "http://127.0.0.1:1/v2/check"
    const failed = { kind: "failed", code: "E-RSK-111", reason: "10 s", skewMs: undefined } as const
    observers.callbackTried({ server, answer: failed, tookMs: 5, atMs: 1 })
    observers.callbackTried({ server, answer: { kind: "approve", skewMs: 3 }, tookMs: 6, atMs: 2 })
    observers.eventSent({ server, eventType: "request.keysign.succeeded", failure: "", givenUp: false, tookMs: 7 })
    expect(said.slice(-3).map(({ level, message, fields }) => [level, message, fields])).toEqual([
      ["trace", "callback server asked", { server, answer: "failed", code: "E-RSK-111", tookMs: 5 }],
      ["trace", "callback server asked", { server, answer: "approve", tookMs: 6 }],
      [
        "trace",
        "event sent",
        { server, eventType: "request.keysign.succeeded", failure: "", givenUp: false, tookMs: 7 },
      ],
    ])
  })
})

describe("the last proof of earlier runs", () => {
  test("is a signature, or a check-up that every active share passed", () => {
    using folder = new Folder()
    using store = folder.create()
    const proven = () => observed(store).seen.provenMs()
    expect(proven()).toBeUndefined()
    activate(store, "g")
    activate(store, "h")
    const checked = (groupId: string, atMs: number, problem = "") =>
      store.recordCheckups([{ groupId, epochId: epochNo(0), atMs, problem }])
    checked("g", 900)
    expect(proven()).toBeUndefined()
    checked("h", 800)
    expect(proven()).toBe(800)
    checked("g", 1_000, "E-KEY-008")
    expect(proven()).toBeUndefined()
    store.tasks.claim(claimOf("signed"))
    store.tasks.approve(
      "signed",
      6,
      () => ({ verdict: APPROVE, debits: [] }),
      () => [],
    )
    store.tasks.finish("signed", SIGNED, 500, [])
    expect(proven()).toBe(500)
    checked("g", 1_100)
    expect(proven()).toBe(800)
  })
  test("a check-up of this run counts from then on", () => {
    using folder = new Folder()
    using store = folder.create()
    const { observers, seen } = observed(store)
    observers.proven(123)
    expect(seen.provenMs()).toBe(123)
  })
})
