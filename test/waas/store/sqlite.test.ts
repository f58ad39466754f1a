/** What is particular to the store in a file: never one that it does not know, and every release's can be opened. */
import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { openSqliteStore } from "../../../src/waas/store/sqlite.ts"
import { must, Rig } from "../../support/waas.ts"

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
  expect([...(await rig.store.followersOf(shareGroupId))].sort()).toEqual(
    group.holders.map(({ nodeId }) => nodeId).sort(),
  )
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
  expect([...(await rig.store.followersOf(shareGroupId))].sort()).toEqual(
    [...group.holders.map(({ nodeId }) => nodeId), "left"].sort(),
  )
  expect(second).not.toBe("")
})

test.skipIf(Bun.which("strace") === null || Bun.spawnSync(["strace", "-o", "/dev/null", "true"]).exitCode !== 0)(
  "the nonce of a call, and that a task is retired, are synced with what comes after; any other commit by itself",
  async () => {
    await using rig = await Rig.open({ curves: ["ED25519"] })
    const { group } = await rig.madeVault()
    const page = { limit: 1, after: undefined, before: undefined }
    const [made] = (await rig.store.tssRequests({ vaultId: group.vaultId, groupId: group.groupId }, page)).items
    const keyGen = must(await rig.store.task(must(made).taskIds[0] ?? ""))
    await rig.store.commit([{ put: "task", record: { ...keyGen, taskId: "retired" }, live: true }])
    await rig.store.close()
    const file = join(rig.dir, "waas.db")
    const program = `
      import { openSqliteStore } from ${JSON.stringify(join(import.meta.dir, "../../../src/waas/store/sqlite.ts"))}
      import { writeSync } from "node:fs"
      const store = openSqliteStore(${JSON.stringify(file)})
      const commit = (name) => store.commit([{ put: "fencingToken", nodeId: name, record: { incarnation: 0, boot: 1, bootId: "b", generation: 1 } }])
      await commit("first")
      writeSync(2, "nonces\\n")
      for (const digest of ["a", "b", "c"]) if (!(await store.spendNonce(digest, 1, 1000))) throw new Error(digest)
      if (await store.spendNonce("a", 2, 1000)) throw new Error("twice")
      const record = await store.task("retired")
      await store.commit([{ put: "task", record, live: false, isRetired: true }])
      if ((await store.liveTasks()).some(({ taskId }) => taskId === "retired")) throw new Error("it is live")
      writeSync(2, "commits\\n")
      for (const name of ["x", "y"]) await commit(name)
      writeSync(2, "end\\n")
      process.kill(process.pid, "SIGKILL")`
    const trace = join(rig.dir, "trace")
    const words = [
      "-f",
      "-y",
      "-o",
      trace,
      "-e",
      "trace=fsync,fdatasync,pwrite64,write",
      process.execPath,
      "-e",
      program,
    ]
    expect(Bun.spawnSync(["strace", ...words]).stderr.toString()).toBe("nonces\ncommits\nend\n")
    const [, nonces = "", commits = ""] = readFileSync(trace, "utf8").split(/write\(2<.*"(?:nonces|commits|end)/)
    const syncs = (part: string) => part.match(/(?:fsync|fdatasync)\(\d+<[^>]*waas\.db/g)?.length ?? 0
    expect(nonces).toMatch(/pwrite64\(\d+<[^>]*waas\.db-wal>/)
    expect([syncs(nonces), syncs(commits)]).toEqual([0, 2])
    await rig.start()
    expect(await rig.store.spendNonce("b", 3, 1000)).toBe(false)
    expect((await rig.store.liveTasks()).map(({ taskId }) => taskId)).not.toContain("retired")
  },
)
