/** Backups of nodes that keep records of epochs they have no share of: dealers that left, and bystanders. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { copy, utf8 } from "../../src/bytes.ts"
import { Secret } from "../../src/secret.ts"
import { openStore } from "../../src/store/store.ts"
import { importStore, type StoredRecord } from "../../src/store/transfer.ts"
import { type Node, Simulation } from "./simulation.ts"

// Real stores and protocols: on a busy machine a test takes a while.
setDefaultTimeout(60_000)

const GROUP = "EdwardsEdwardsEdward"
const KDF = { memoryKiB: 64, passes: 1, parallelism: 1 }

/** The statuses of the group's epochs, oldest first, in what a backup of the node becomes. */
function restored(it: Simulation, node: Node): readonly string[] {
  using password = Secret.from(utf8("password"))
  const path = join(it.dir, `${node.name}-restored`, "secrets.db")
  const records: StoredRecord[] = []
  {
    using snapshot = node.store.snapshot(join(it.dir, `${node.name}-snapshot.db`))
    for (const record of snapshot.records(undefined))
      if (record !== undefined) records.push({ ...record, body: copy(record.body) })
  }
  importStore(path, password, records, { kdf: KDF, nowMs: it.clock.nowMs })
  using store = openStore(path, password, { readOnly: true })
  return [...store.groups.list()]
    .filter(({ groupId }) => groupId === GROUP)
    .sort((a, b) => a.createdMs - b.createdMs)
    .map(({ status }) => status)
}

test("a dealer that left, a member that stays and a bystander are restored from their backups", async () => {
  await using it = await Simulation.open(["leaves", "stays", "bystander", "comes"])
  const { vault, group } = await it.vault(2, ["leaves", "stays", "bystander"])
  const target = await it.group(vault, "MainGroup", 2, ["stays", "comes"])
  await it.reshare(vault, group, target, { dealers: ["leaves", "stays"] })
  await it.settle()
  await it.online(it.node("bystander"))
  await it.settle()
  for (const [name, expected] of [
    ["leaves", ["SUPERSEDED", "ERASED"]],
    ["bystander", ["SUPERSEDED", "ERASED"]],
    ["stays", ["SUPERSEDED", "ACTIVE"]],
    ["comes", ["ACTIVE"]],
  ] as const) {
    expect([name, restored(it, it.node(name))]).toEqual([name, [...expected]])
  }
})
