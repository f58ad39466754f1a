/** The node dies in the middle of checks, again and again: long before a pair ends, a refresh is due and everybody who looks is told. */
import { expect, test } from "bun:test"
import { groupsProbe } from "../../src/ops/readiness/probes.ts"
import type { Store } from "../../src/store/store.ts"
import { activeSignable, REFRESH_FROM, refreshDue } from "../../src/tasks/signable.ts"
import { approved, bytesOf, epochNo, Folder, groupNo, groupSecret, sessionOf, still } from "./fixtures.ts"

const due = (store: Store) => activeSignable(store).flatMap(({ groupId, refresh }) => (refresh ? [groupId] : []))
const looked = (store: Store) => groupsProbe(() => activeSignable(store)).look()

/** Begins an ECDSA session with both peers, and the process is gone before it ends. */
function crashDuringChecks(folder: Folder, n: number): void {
  using store = folder.open()
  approved(store, `t${n}`)
  store.tasks.startSession(sessionOf(`t${n}`, 1), 7, still)
}

test("a refresh is due from the fourth crash on, which is before the ninth ends the pairs, and no more in the next epoch", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    store.groups.prepare(groupNo("g", 0), groupSecret(0))
    store.groups.activate("g", epochNo(0), [bytesOf(1)])
    expect(due(store)).toEqual([])
  }
  for (let crash = 1; crash <= 8; crash++) {
    crashDuringChecks(folder, crash)
    using store = folder.open()
    expect(store.bans.hiddenVerdicts("g", epochNo(0))).toBe(crash)
    expect(due(store)).toEqual(crash < REFRESH_FROM ? [] : ["g"])
    const found = looked(store)
    expect(found.state).toBe("ok")
    expect(found.state === "ok" && found.notice?.code).toBe(crash < REFRESH_FROM ? undefined : "E-TSK-050")
    expect(store.bans.unusable("g", epochNo(0))).toEqual([])
  }
  {
    using store = folder.open()
    store.groups.prepare(groupNo("g", 1, { createdMs: 2_000_000_000_000 }), groupSecret(1))
    store.groups.activate("g", epochNo(1), [bytesOf(1)])
    expect(due(store)).toEqual([])
    expect(looked(store)).toEqual({ state: "ok", reason: "1 can sign with every algorithm of their keys" })
    expect(refreshDue({ groupId: "g", epochId: epochNo(0) }, store.bans)?.code).toBe("E-TSK-050")
  }
})
