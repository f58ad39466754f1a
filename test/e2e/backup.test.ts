/**
 * Real processes: a node is backed up at work, wiped and restored; copies that must not run are kept out, at the start and by
 * WaaS; a key share check-up goes over REST.
 */
import { expect, test } from "bun:test"
import { cpSync, existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type DeployedNode, type Deployment, object, text } from "../../src/kit/demo/deployment.ts"
import { until } from "../../src/kit/demo/keys.ts"
import { type Program, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import { reportTo } from "../../src/kit/demo/report.ts"
import { signed, solana } from "../../src/kit/demo/signatures.ts"
import { readyVault, scannedDeployment } from "./deployment.ts"

const silent = reportTo({ json: true, line() {}, value() {}, result() {}, note() {} })

/** Starts a node that is not expected to come up; resolves with the first line that has `words`. */
async function refusedWith(
  program: Program,
  deployment: Deployment,
  node: DeployedNode,
  words: string,
): Promise<string> {
  const log = join(deployment.dir, "logs", `${node.name}-refused.log`)
  const actor = startActor(program, `${node.name} again`, ["start", "--key-file", ".password"], node.dir, log)
  try {
    return await actor.line((line) => line.includes(words), 30_000)
  } finally {
    await actor.end("SIGKILL")
  }
}

test("backup, wipe, restore, sign; twins and older copies are kept out; a check-up over REST", async () => {
  await using set = await scannedDeployment(3, { toml: () => '[checkup]\ninterval = "1h"\n' })
  const { deployment, program } = set
  const [one, two] = deployment.nodes
  if (one === undefined || two === undefined) throw new Error("three nodes")
  const vault = await readyVault(deployment, 2)

  // ---- a check-up over REST, and the node's own
  const path = `/wallets/mpc/vaults/${vault.vaultId}/key_share_sign_requests`
  const asked = await deployment.client.call(
    "POST",
    path,
    {},
    {
      key_share_holder_group_id: vault.holderGroupId,
      tss_node_id: one.nodeId,
      message: "0x68656c6c6f",
    },
  )
  const id = text(Object(asked), "key_share_sign_request_id")
  const done = await until("a check-up", async () => {
    const now = Object(await deployment.client.call("GET", `${path}/${id}`))
    return now.status === "Completed" || now.status === "Failed" ? now : undefined
  })
  expect(done).toMatchObject({ status: "Completed", failed_reason: "" })
  expect(done.shares).toHaveLength(2)

  // ---- backup while it runs
  const backup = join(one.dir, "backups", "b")
  const made = object(
    await runToEnd(program, ["backup", "create", "--key-file", ".password", "--out", backup, "--json"], one.dir),
  )
  expect(made).toMatchObject({ proven: true, node_id: one.nodeId })

  // ---- a clone of a running node is not let in, and the node itself is not disturbed
  const clone: DeployedNode = { ...one, name: "clone", dir: join(deployment.dir, "clone") }
  await deployment.endNode(one, "SIGTERM")
  cpSync(one.dir, clone.dir, { recursive: true })
  await deployment.startNode(one)
  expect(await refusedWith(program, deployment, clone, "E-LNK-016")).toContain("another process is connected")
  await signed(deployment, vault, silent, [one, two], solana(vault, 0))

  // ---- the clone alone, from before: WaaS has seen a later start
  await deployment.endNode(one, "SIGTERM")
  rmSync(join(clone.dir, "db"), { recursive: true })
  cpSync(join(one.dir, "db"), join(clone.dir, "db"), { recursive: true })
  await deployment.startNode(one)
  await signed(deployment, vault, silent, [one, two], solana(vault, 1))
  await deployment.endNode(one, "SIGTERM")
  await deployment.startNode(one)
  await deployment.endNode(one, "SIGTERM")
  expect(await refusedWith(program, deployment, clone, "E-LNK-015")).toContain("older copy")

  // ---- an older copy in the place of the newest: refused at the start, on this host's own memory
  const older: DeployedNode = { ...one, name: "older" }
  cpSync(join(one.dir, "db"), join(deployment.dir, "newest"), { recursive: true })
  cpSync(join(clone.dir, "db", "secrets.db"), join(one.dir, "db", "secrets.db"))
  expect(await refusedWith(program, deployment, older, "E-BAK-015")).toContain("recover-rollback")

  // ---- wiped, restored from the backup, it signs again
  rmSync(join(one.dir, "db"), { recursive: true })
  const restored = await runToEnd(program, ["backup", "restore", backup, "--key-file", ".password", "--json"], one.dir)
  expect(object(restored)).toMatchObject({ restored: true, shares: 2 })
  await deployment.startNode(one)
  await signed(deployment, vault, silent, [one, two], solana(vault, 2))
  await deployment.endNode(one, "SIGTERM")

  // ---- and the database that it was restored over is the older one now
  const former: DeployedNode = { ...one, name: "former", dir: join(deployment.dir, "former") }
  cpSync(one.dir, former.dir, { recursive: true })
  rmSync(join(former.dir, "db"), { recursive: true })
  cpSync(join(deployment.dir, "newest"), join(former.dir, "db"), { recursive: true })
  expect(await refusedWith(program, deployment, former, "E-LNK-015")).toContain("older copy")
  expect(existsSync(join(one.dir, "db", "secrets.db.guard"))).toBe(true)
  expect(readdirSync(join(one.dir, "backups"))).toEqual(["b"])

  const group = await runToEnd(program, ["info", "group", "--key-file", ".password"], one.dir)
  expect(group).toMatch(/Last Check-up: .* passed/)
}, 120_000)
