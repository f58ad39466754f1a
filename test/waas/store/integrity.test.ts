/** A byte that changed inside a record, which SQLite itself does not see, stops the start of WaaS by the record's name. */
import { Database } from "bun:sqlite"
import { expect, test } from "bun:test"
import { join } from "node:path"
import { openCheckedStore } from "../../../src/waas/store/sqlite.ts"
import { must, Rig } from "../../support/waas.ts"

async function signedOnce() {
  const rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const request = await rig.sign(made)
  await rig.relay.settle()
  await rig.pass(1)
  await rig.store.close()
  return { rig, file: join(rig.dir, "waas.db"), request, taskId: must(request.taskIds[0]) }
}

test("what was written opens, and what an earlier release wrote without sums", async () => {
  const { rig, file } = await signedOnce()
  await openCheckedStore(file).close()
  const db = new Database(file)
  db.run("UPDATE vaults SET sum = ''")
  db.close()
  await openCheckedStore(file).close()
  await rig.start()
  await rig[Symbol.asyncDispose]()
})

const changes: readonly (readonly [string, string, string])[] = [
  ["vaults", "body", 'replace(body, \'"name":"v"\', \'"name":"w"\')'],
  ["holder_groups", "body", "replace(body, '\"threshold\":2', '\"threshold\":3')"],
  ["tss_requests", "body", "replace(body, 'Success', 'Sucsess')"],
  ["sign_requests", "body", "replace(body, 'Completed', 'Completee')"],
  ["tasks", "body", "replace(body, '\"attempt\":1', '\"attempt\":2')"],
  ["tasks", "document", "CAST(replace(CAST(document AS TEXT), '0x010203', '0x010204') AS BLOB)"],
]

test.each(changes)("%s.%s", async (table, column, change) => {
  const { rig, file } = await signedOnce()
  const db = new Database(file)
  const { changes: count } = db.run(`UPDATE ${table} SET ${column} = ${change} WHERE ${column} <> ${change}`)
  db.close()
  expect(count).toBeGreaterThan(0)
  expect(() => openCheckedStore(file)).toThrow(/is not what was written/)
  await rig.start()
  await rig[Symbol.asyncDispose]()
})

test("a task that is live is looked at however many came after it", async () => {
  const { rig, file } = await signedOnce()
  const db = new Database(file)
  db.run(`UPDATE tasks SET live = 1, body = replace(body, '"attempt":1', '"attempt":2') WHERE body LIKE '%"KeySign"%'`)
  db.run(`INSERT INTO tasks (id, live, document, signature, body)
    WITH RECURSIVE later (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM later WHERE n < 20000)
    SELECT 'later ' || n, 0, x'00', x'00', '{}' FROM later`)
  expect(() => openCheckedStore(file)).toThrow(/is not what was written/)
  db.run("UPDATE tasks SET live = 0")
  db.close()
  await openCheckedStore(file).close()
  await rig.start()
  await rig[Symbol.asyncDispose]()
})
