/** The log in the database: with what it records or not at all, in order, through groups, restarts, packing, backups and restores. */
import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { type AuditKind, parseLeaf } from "../../src/audit/entry.ts"
import { frontierOf, inclusionProof, leafHash, rangeRoot, rootByInclusion, rootOf } from "../../src/audit/merkle.ts"
import { type Bytes, copy, toHex } from "../../src/bytes.ts"
import { readLeaves } from "../../src/jobs/auditExport.ts"
import { reencrypt } from "../../src/store/reencrypt.ts"
import { openStore, type Store } from "../../src/store/store.ts"
import { importStore, type StoredRecord } from "../../src/store/transfer.ts"
import { APPROVE, claimOf, Folder, KDF, partyNo, password, REJECT } from "./fixtures.ts"

const leavesIn = ({ audit }: Store): readonly Bytes[] => {
  const leaves: Bytes[] = []
  for (let first = 0; first < audit.size; first += 256) {
    leaves.push(...(audit.bundle(first / 256, Math.min(256, audit.size - first)) ?? []))
  }
  return leaves
}
const kindsIn = (store: Store): readonly AuditKind[] => leavesIn(store).map((leaf) => parseLeaf(leaf).kind)
const rootFromLeaves = (store: Store): string => toHex(rootOf(frontierOf(leavesIn(store).map(leafHash))))
/** All that is kept of the tree agrees with the leaves themselves. */
function expectWhole(store: Store): void {
  expect(toHex(store.audit.root)).toBe(rootFromLeaves(store))
  expect(toHex(rangeRoot(0, store.audit.size, store.audit.subtree))).toBe(rootFromLeaves(store))
  expect(leavesIn(store).map((leaf) => parseLeaf(leaf).seq)).toEqual(
    Array.from({ length: store.audit.size }, (_, n) => n),
  )
}
const fill = (store: Store, count: number): void => {
  store.audit.record(1, ...Array.from({ length: count }, (_, n) => ({ kind: "config" as const, facts: { n } })))
}

describe("a task", () => {
  test("leaves a decision, a share and an end, each in the commit of what it records", () => {
    using folder = new Folder()
    using store = folder.create()
    store.audit.rules = "ab"
    store.tasks.claim(claimOf("t1"))
    const before = store.generation
    store.tasks.approve(
      "t1",
      7,
      () => ({ verdict: APPROVE, debits: [] }),
      () => [],
    )
    expect(store.generation).toBe(before + 1)
    const [decision] = leavesIn(store).map(parseLeaf)
    expect(decision).toMatchObject({
      kind: "decision",
      atMs: 7,
      facts: { task: "t1", decision: "approve", rules: "ab" },
    })
    store.tasks.claim(claimOf("t2"))
    store.tasks.approve(
      "t2",
      8,
      () => ({ verdict: REJECT, debits: [] }),
      () => [],
    )
    store.tasks.finish("t1", { state: "failed", code: "E-TSK-004", reason: "late" }, 9, [])
    expect(kindsIn(store)).toEqual(["decision", "decision", "end"])
    expectWhole(store)
  })
  test("that is refused by an exception leaves nothing; another of the same commit leaves its own", async () => {
    using folder = new Folder()
    using store = folder.create()
    for (const id of ["t1", "t2", "t3"]) store.tasks.claim(claimOf(id))
    const asked = ["t1", "t2", "t3"].map((id) =>
      store.journal.approve(
        id,
        7,
        () => ({ verdict: APPROVE, debits: [] }),
        () => {
          if (id === "t2") throw new TypeError("no")
          return []
        },
      ),
    )
    const settled = await Promise.allSettled(asked)
    expect(settled.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"])
    expect(leavesIn(store).map((leaf) => parseLeaf(leaf).facts["task"])).toEqual(["t1", "t3"])
    expectWhole(store)
  })
})

test("several leaves in one transaction, and one that fails behind them", () => {
  using folder = new Folder()
  using store = folder.create()
  const { audit } = store
  audit.record(1, { kind: "stop", facts: {} })
  expect(() =>
    store.tasks.approve(
      "nobody",
      1,
      () => ({ verdict: APPROVE, debits: [] }),
      () => [],
    ),
  ).toThrow()
  store.strikes.add([
    { peer: partyNo(1), kind: "FAULT", reason: "", sid: new Uint8Array(32), taskId: "t", atMs: 1, evidence: [] },
  ])
  store.strikes.pardon(partyNo(1), 3)
  store.nextBoot({ nowMs: 4, facts: { rules: "" } })
  store.acceptRollback(5)
  using next = password()
  store.changePassword(next, KDF)
  expect(kindsIn(store)).toEqual(["stop", "pardon", "start", "rollback", "password"])
  expectWhole(store)
})

test("a restart, and tiles that were packed, change no root; a database of before begins empty", () => {
  using folder = new Folder()
  let root = ""
  {
    using store = folder.create()
    expect([store.audit.size, store.audit.key()]).toEqual([0, undefined])
    fill(store, 600)
    expectWhole(store)
    root = toHex(store.audit.root)
    expect([store.audit.pack(), store.audit.pack(), store.audit.pack()]).toEqual([true, true, false])
    expectWhole(store)
    expect(store.verify()).toBeLessThan(110)
  }
  using again = folder.open()
  expect([again.audit.size, toHex(again.audit.root)]).toEqual([600, root])
  expectWhole(again)
  fill(again, 3)
  expectWhole(again)
  expect(toHex(again.audit.rootAt(600))).toBe(root)
})

test("the key is made once", () => {
  using folder = new Folder()
  using store = folder.create()
  store.audit.ensureKey()
  using first = store.audit.key() ?? password()
  store.audit.ensureKey()
  using second = store.audit.key() ?? password()
  expect(Buffer.compare(first.expose(), second.expose())).toBe(0)
})

test("the log travels in backups, and a restore is its next leaf; a new data key keeps it", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    store.audit.ensureKey()
    fill(store, 300)
    store.audit.pack()
    fill(store, 2)
    const records: StoredRecord[] = []
    using snapshot = store.snapshot(join(folder.path, "copy"))
    for (const record of snapshot.records(undefined)) {
      if (record !== undefined) records.push({ ...record, body: copy(record.body) })
    }
    using to = password()
    importStore(join(folder.path, "restored.db"), to, records, { kdf: KDF, nowMs: 77 })
    using restored = openStore(join(folder.path, "restored.db"), password(), { readOnly: true })
    expect([restored.audit.size, toHex(restored.audit.rootAt(302))]).toEqual([303, toHex(store.audit.root)])
    expect(parseLeaf(leavesIn(restored).at(-1) ?? new Uint8Array(0))).toMatchObject({
      kind: "restore",
      atMs: 77,
      facts: { size: 302, root: toHex(store.audit.root) },
    })
    expectWhole(restored)
    expect(restored.audit.key()).toBeDefined()
  }
  using from = password()
  using next = password()
  expect(reencrypt(folder.db, { password: from, next, kdf: KDF, progress: () => {} })).toBeGreaterThan(40)
  using again = folder.open()
  expect(again.audit.size).toBe(302)
  expectWhole(again)
})

test("old leaves go in whole tiles; hashes, root and every proof stay, and a leaf says what went", () => {
  using folder = new Folder()
  using store = folder.create()
  const { audit } = store
  for (const atMs of [10, 20, 30]) {
    audit.record(atMs, ...Array.from({ length: 256 }, (_, n) => ({ kind: "config" as const, facts: { n } })))
    audit.pack()
  }
  const [root, kept] = [toHex(audit.root), audit.bundle(0, 256)?.[7]]
  if (kept === undefined) throw new Error("it is there")
  expect(audit.prune(10, 40)).toBe(0)
  expect([audit.prune(25, 40, 1), audit.prune(25, 40), audit.prune(25, 40)]).toEqual([1, 1, 0])
  expect([audit.bundle(0, 256), audit.bundle(1, 256), audit.bundle(2, 256)?.length]).toEqual([
    undefined,
    undefined,
    256,
  ])
  expect([audit.size, toHex(audit.rootAt(768))]).toEqual([770, root])
  expect([...readLeaves(audit)].slice(-2)).toMatchObject([
    { kind: "prune", facts: { from: 0, to: 255 } },
    { kind: "prune", facts: { from: 256, to: 511 } },
  ])
  const path = inclusionProof(7, 768, audit.subtree)
  expect(toHex(rootByInclusion(7, 768, leafHash(kept), path) ?? new Uint8Array(0))).toBe(root)
})

test("a log of which a leaf is missing, in the middle or before the first, is not read", () => {
  using folder = new Folder()
  using store = folder.create()
  const hash = leafHash(copy(new Uint8Array(1)))
  for (const seqs of [[1], [0, 2], [0, 0]]) {
    const leaves = seqs.map((seq) => ({ seq, hash }))
    expect(() => store.audit.restore({ tiles: [], leaves })).toThrow(expect.objectContaining({ code: "E-AUD-001" }))
  }
  const tiles = [{ index: 1, root: hash }]
  expect(() => store.audit.restore({ tiles, leaves: [] })).toThrow(expect.objectContaining({ code: "E-AUD-001" }))
})
