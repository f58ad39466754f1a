/** The store's own promises: all or nothing, there again after reopening, and never a file that it does not know. */
import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { newUuid } from "../../../src/waas/ids.ts"
import type { Vault } from "../../../src/waas/store/model.ts"
import { openSqliteStore } from "../../../src/waas/store/sqlite.ts"
import { must, Rig } from "../../support/waas.ts"

const vault = (name: string): Vault => ({
  vaultId: newUuid(),
  projectId: undefined,
  name,
  type: "Org-Controlled",
  rootKeys: [],
  createdMs: 1,
})

test("what was stored is what is read, after reopening too", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const request = await rig.sign(made)
  await rig.relay.settle()
  // What nodes said last is written with the end of the task.
  await rig.pass(1)
  const before = {
    request: await rig.signed(request),
    tasks: await rig.engine.tasksOf(request),
    vault: await rig.mustVault(made.vault.vaultId),
    organisation: await rig.store.organisation(),
  }
  await rig.crash()
  expect({
    request: await rig.signed(request),
    tasks: await rig.engine.tasksOf(request),
    vault: await rig.mustVault(made.vault.vaultId),
    organisation: await rig.store.organisation(),
  }).toEqual(before)
  expect(must(before.tasks[0]).document.constructor).toBe(Uint8Array)
})

test("a commit is all or nothing", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const request = await rig.sign(made)
  const first = vault("first")
  // Another request under the same request_id breaks the constraint, and takes the vault with it.
  const twin = { ...request, signRequestId: newUuid() }
  const commit = rig.store.commit([
    { put: "vault", record: first },
    { put: "signRequest", record: twin },
  ])
  await expect(commit).rejects.toMatchObject({ code: "E-WAA-006" })
  expect(await rig.store.vault(first.vaultId)).toBeUndefined()
})

test("a record with a known id replaces the earlier one and keeps its place", async () => {
  await using rig = await Rig.open()
  const [a, b] = [vault("a"), vault("b")]
  for (const record of [a, b, { ...a, name: "a2" }]) await rig.store.commit([{ put: "vault", record }])
  const page = await rig.store.vaults({ type: "Org-Controlled" }, { limit: 10, after: undefined, before: undefined })
  expect(page.items.map(({ name }) => name)).toEqual(["b", "a2"])
})

test("a file of a newer version, and one that is no database, are not opened", async () => {
  await using rig = await Rig.open()
  await rig.store.close()
  const file = join(rig.dir, "waas.db")
  const db = new Database(file)
  db.run("INSERT INTO migrations (version) VALUES (99)")
  db.close()
  expect(() => openSqliteStore(file)).toThrow(expect.objectContaining({ code: "E-WAA-005" }))
  writeFileSync(join(rig.dir, "text.db"), "this is no database, whatever its name says".repeat(100))
  expect(() => openSqliteStore(join(rig.dir, "text.db"))).toThrow(expect.objectContaining({ code: "E-WAA-006" }))
  expect(() => openSqliteStore(join(rig.dir, "none.db"))).toThrow(expect.objectContaining({ code: "E-WAA-006" }))
  const again = new Database(file)
  again.run("DELETE FROM migrations WHERE version = 99")
  again.close()
  await rig.start()
})

test("check-ups: the first of a node under a reshare stays, after reopening too", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const [task] = await rig.engine.tasksOf(await rig.sign(made))
  const { taskId } = must(task)
  const checkup = (nodeId: string, byte: number) => ({
    nodeId,
    message: new Uint8Array(3).fill(byte),
    signature: new Uint8Array(64).fill(byte),
  })
  const records = [checkup("b", 1), checkup("a", 2)]
  await rig.store.commit([...records, checkup("b", 3)].map((record) => ({ put: "checkup" as const, taskId, record })))
  expect(await rig.store.checkups(taskId)).toEqual(records)
  await rig.crash()
  expect(await rig.store.checkups(taskId)).toEqual(records)
  expect(await rig.store.checkups("another")).toEqual([])
  expect(await rig.store.toldOf("another")).toEqual([])
  // Only of a task that is there.
  const stray = rig.store.commit([{ put: "checkup", taskId: "another", record: checkup("a", 1) }])
  await expect(stray).rejects.toMatchObject({ code: "E-WAA-006" })
})

test("what a node was told of before share groups were on record: all set-ups of the group, its key generation too", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const { group } = await rig.madeVault()
  const [first = "", second = ""] = group.holders.map(({ nodeId }) => nodeId)
  const [shareGroup] = group.shareGroups
  const { shareGroupId } = must(shareGroup)
  const page = { limit: 1, after: undefined, before: undefined }
  const [request] = (await rig.store.tssRequests({ vaultId: group.vaultId, groupId: group.groupId }, page)).items
  const keyGen = must(await rig.store.task(must(request).taskIds[0] ?? ""))
  // A group that was never reshared has no news.
  expect(await rig.store.successions(first)).toEqual([])
  expect([...(await rig.store.toldOf(shareGroupId))].sort()).toEqual(group.holders.map(({ nodeId }) => nodeId).sort())
  const reshare = { ...keyGen, taskId: "a-reshare", type: "KeyReshare" as const }
  await rig.store.commit([
    { put: "task", record: reshare, live: false },
    { put: "succession", nodeId: "left", taskId: "a-reshare", type: "KeyReshare", shareGroupId },
  ])
  await rig.store.close()
  const db = new Database(join(rig.dir, "waas.db"))
  db.run("DELETE FROM migrations WHERE version >= 5")
  for (const table of [
    "waas_token",
    "webhook_logs",
    "webhook_events",
    "webhook_endpoints",
    "transactions",
    "address_counters",
    "addresses",
    "wallets",
    "projects",
  ])
    db.run(`DROP TABLE ${table}`)
  for (const index of ["vaults_by_type", "vaults_by_project", "sign_requests_ended"]) db.run(`DROP INDEX ${index}`)
  db.run("ALTER TABLE sign_requests DROP COLUMN ended_ms")
  const summed = ["vaults", "holder_groups", "tss_requests", "sign_requests", "share_sign_requests", "tasks"]
  for (const table of summed) db.run(`ALTER TABLE ${table} DROP COLUMN sum`)
  for (const column of ["role", "addresses"]) db.run(`ALTER TABLE api_keys DROP COLUMN ${column}`)
  db.run("ALTER TABLE fencing_tokens RENAME TO standings")
  db.run("INSERT INTO standings VALUES ('left', ?)", ['{"lineage":7,"boot":1,"bootId":"aa","generation":9}'])
  db.run("DROP INDEX successions_by_group")
  db.run("ALTER TABLE successions DROP COLUMN share_group_id")
  db.run("ALTER TABLE successions DROP COLUMN is_reshare")
  db.run("DELETE FROM successions WHERE node_id <> 'left'")
  db.close()
  await rig.start()
  const ids = async (nodeId: string) => (await rig.store.successions(nodeId)).map(({ taskId }) => taskId)
  expect(await ids("left")).toEqual([keyGen.taskId, "a-reshare"])
  expect(await ids(first)).toEqual([keyGen.taskId, "a-reshare"])
  expect(await ids("stranger")).toEqual([])
  // and the field of its fencing token that had another name
  expect(await rig.store.fencingToken("left")).toEqual({ incarnation: 7, boot: 1, bootId: "aa", generation: 9 })
  expect([...(await rig.store.toldOf(shareGroupId))].sort()).toEqual(
    [...group.holders.map(({ nodeId }) => nodeId), "left"].sort(),
  )
  expect(second).not.toBe("")
})
