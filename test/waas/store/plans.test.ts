/** What the store asks of SQLite, by its own query plans: no list walks through a table, and none grows dearer with its length. */
import { Database } from "bun:sqlite"
import { afterEach, expect, test } from "bun:test"
import { join } from "node:path"
import { newUuid } from "../../../src/waas/ids.ts"
import type { SignRequest, Vault } from "../../../src/waas/store/model.ts"
import { MOST_COUNTED } from "../../../src/waas/store/rows.ts"
import { createSqliteStore } from "../../../src/waas/store/sqlite.ts"
import type { StoreWrite, WaasStore } from "../../../src/waas/store/store.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { vault as anyVault, task } from "../../support/waasRecords.ts"

const open: WaasStore[] = []
afterEach(async () => {
  for (const store of open.splice(0)) await store.close()
})

function aStore(): { readonly store: WaasStore; readonly file: string } {
  const file = join(temporaryFolder("plans").path, "waas.db")
  const store = createSqliteStore(file, { orgId: newUuid(), bizOrgId: 1, createdMs: 1 })
  open.push(store)
  return { store, file }
}

const vault = (index: number, type: Vault["type"] = "Org-Controlled"): Vault => ({
  ...anyVault,
  vaultId: `vault-${index}`,
  type,
})

const request = (index: number, change: Partial<SignRequest> = {}): SignRequest => ({
  signRequestId: `sign-${index}`,
  requestId: `request-${index}`,
  fingerprint: "",
  vaultId: "vault-0",
  groupId: "g",
  curve: "ED25519",
  signatureType: 2,
  usedNodeIds: [],
  messages: [],
  status: "Completed",
  description: "",
  taskIds: [`task-${index}`],
  code: "",
  reason: "",
  createdMs: 1,
  updatedMs: 1000 + index,
  ...change,
})

/** Every statement that was prepared while `work` ran. */
async function asked(work: () => Promise<unknown>): Promise<readonly string[]> {
  const { query } = Database.prototype
  const seen = new Set<string>()
  Database.prototype.query = function (this: Database, sql: string) {
    seen.add(sql)
    return query.call(this, sql)
  } as typeof query
  try {
    await work()
  } finally {
    Database.prototype.query = query
  }
  return [...seen]
}

const first = { limit: 10, after: undefined, before: undefined }
const pages = [first, { ...first, after: 5 }, { ...first, before: 5 }, { ...first, before: "infinity" as const }]

test("no read walks through a table", async () => {
  const { store, file } = aStore()
  const vaultId = "v"
  const sqls = await asked(async () => {
    for (const page of pages) {
      await store.vaults({ type: "Org-Controlled" }, page)
      await store.vaults({ type: "Org-Controlled", projectId: "p" }, page)
      await store.groups({ vaultId }, page)
      await store.groups({ vaultId, type: "MainGroup" }, page)
      await store.holders({ vaultId }, page)
      await store.holders({ vaultId, groupIds: ["g", "h"], nodeId: "n" }, page)
      await store.tssRequests({ vaultId, groupId: "g" }, page)
      await store.signRequests({ vaultId }, page)
      await store.shareSignRequests({ vaultId }, page)
    }
    await store.groupOf(vaultId, "MainGroup", "Valid")
    for (const read of [store.vault, store.group, store.tssRequest, store.signRequest, store.signRequestOf])
      await read("i")
    for (const read of [store.shareSignRequest, store.fencingToken, store.task, store.apiKey]) await read("i")
    for (const read of [store.successions, store.followersOf, store.checkups]) await read("i")
    await store.liveTasks()
    await store.forgetEnded(1, 10)
  })
  expect(sqls.length).toBeGreaterThan(30)
  using db = new Database(file)
  for (const sql of sqls) {
    const plan = db.prepare<{ detail: string }, number[]>(`EXPLAIN QUERY PLAN ${sql}`)
    const details = plan.all(...Array<number>(plan.paramsCount).fill(1)).map(({ detail }) => detail)
    // json_each has one request's tasks; a subquery that was searched is scanned.
    const scans = details.filter((detail) => /^SCAN (?!own VIRTUAL|json_each|\(|own$|counted$)/.test(detail))
    expect({ sql, scans }).toEqual({ sql, scans: [] })
    // Those of one vault are few, and of it there are no lists that grow for ever but requests.
    const grows = /FROM (?:vaults|sign_requests|share_sign_requests) /.test(sql) && !sql.includes("count(*)")
    const sorts = grows ? details.filter((detail) => /TEMP B-TREE FOR ORDER/.test(detail)) : []
    expect({ sql, sorts }).toEqual({ sql, sorts: [] })
  }
})

test("a list counts as far as it says, and its pages are whole", async () => {
  const { store } = aStore()
  const all = Array.from({ length: MOST_COUNTED + 5 }, (_, i): StoreWrite => ({ put: "vault", record: vault(i) }))
  await store.commit(all)
  await store.commit([{ put: "vault", record: vault(-1, "User-Controlled") }])
  expect((await store.vaults({ type: "Org-Controlled" }, first)).total).toBe(MOST_COUNTED)
  expect((await store.vaults({ type: "User-Controlled" }, first)).total).toBe(1)
  const last = await store.vaults({ type: "Org-Controlled" }, { ...first, before: "infinity" })
  expect(last.items.map(({ vaultId }) => vaultId).at(-1)).toBe("vault-0")
})

test("what ended before a moment is forgotten, the oldest first, unless a task of it still lives or a transaction shows it", async () => {
  const { store, file } = aStore()
  await store.commit([{ put: "vault", record: vault(0) }])
  for (let i = 0; i < 6; i++) {
    const record = request(i, i === 5 ? { status: "Processing" } : {})
    await store.commit([
      { put: "signRequest", record },
      { put: "task", record: task(`task-${i}`, `sign-${i}`, { state: "completed" }), live: i === 1 },
    ])
  }
  using db = new Database(file)
  db.run("PRAGMA foreign_keys = OFF")
  db.run(
    "INSERT INTO transactions (id, request_id, wallet_id, vault_id, chain_id, type, status, created_ms, body) VALUES ('sign-2', 'r', 'w', 'v', 'c', 't', 's', 1, '{}')",
  )
  const left = async () =>
    (await store.signRequests({ vaultId: "vault-0" }, first)).items.map(({ signRequestId }) => signRequestId).reverse()
  expect(await store.forgetEnded(1004, 1)).toBe(1)
  expect(await left()).toEqual(["sign-1", "sign-2", "sign-3", "sign-4", "sign-5"])
  expect(await store.forgetEnded(1004, 10)).toBe(1)
  expect(await left()).toEqual(["sign-1", "sign-2", "sign-4", "sign-5"])
  expect(await store.task("task-3")).toBeUndefined()
  expect(await store.task("task-1")).toBeDefined()
  expect(await store.signRequestOf("request-3")).toBeUndefined()
  expect(await store.forgetEnded(9_999, 10)).toBe(1)
  expect(await left()).toEqual(["sign-1", "sign-2", "sign-5"])
})
