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
import { reshareTo } from "../../src/kit/demo/reshare.ts"
import { ethereum, signed, solana } from "../../src/kit/demo/signatures.ts"
import { readyVault, runScanned, type ScannedDeployment, scannedDeployment } from "./deployment.ts"

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

interface Told {
  readonly status: {
    readonly ready: boolean
    readonly groups: object
    readonly items: readonly { readonly name: string }[]
  }
  /** Of `status`: the one about groups. */
  readonly item: object | undefined
  readonly readyz: number
  readonly metrics: string
  /** Of ACTIVE epochs. */
  readonly algorithms: readonly string[]
  readonly doctor: readonly object[]
  readonly admission: readonly object[]
}

interface DoctorReport {
  readonly sections: readonly { readonly findings: readonly { readonly check: string }[] }[]
}

const findingsOf = ({ sections }: DoctorReport, wanted: string): readonly object[] =>
  sections.flatMap(({ findings }) => findings).filter(({ check }) => check === wanted)

/** What the node says of itself, by every way there is to ask it. */
async function told({ surveillance }: ScannedDeployment, node: DeployedNode): Promise<Told> {
  const command = async (...args: string[]) => {
    const { stdout } = await runScanned(surveillance, node, [...args, "--json"])
    return JSON.parse(stdout)
  }
  const get = (path: string): Promise<Response> =>
    fetch(`http://node${path}`, {
      unix: join(node.dir, "status.sock"),
      headers: { authorization: `Bearer ${surveillance.tokenOf(node)}` },
    })
  const status = await command("status")
  const doctor = await command("doctor", "--key-file", ".password")
  const { groups }: { groups: readonly ListedGroup[] } = JSON.parse(await (await get("/groups")).text())
  return {
    status,
    item: status.items.find(({ name }: { name: string }) => name === "groups"),
    readyz: (await get("/readyz")).status,
    metrics: await (await get("/metrics")).text(),
    algorithms: groups
      .filter(({ status }) => status === "ACTIVE")
      .flatMap(({ algorithms }) =>
        algorithms.map(({ algorithm, ready, code }) => `${algorithm} ${ready ? "ready" : code}`),
      )
      .sort(),
    doctor: findingsOf(doctor, "groups.signing"),
    admission: findingsOf(doctor, "waas.admission"),
  }
}

interface ListedGroup {
  readonly status: string
  readonly algorithms: readonly { readonly algorithm: string; readonly ready: boolean; readonly code: string }[]
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

  // ---- ECDSA waits for a refresh, and whoever asks is told so; after the refresh all is well
  const [first, second, third] = deployment.nodes
  if (first === undefined || second === undefined || third === undefined) throw new Error("three nodes")
  const waits = await told(set, one)
  expect(waits.status).toMatchObject({ ready: false, groups: { active: 2, blocked: 1 } })
  expect(waits.item).toMatchObject({ state: "failed", code: "E-STA-018", reason: expect.stringContaining("E-TSK-040") })
  expect(waits.readyz).toBe(503)
  expect(waits.metrics).toMatch(/^cosigner_ready 0$/m)
  expect(waits.metrics).toMatch(/^cosigner_groups_signing\{algorithm="ecdsa",code="E-TSK-040"\} 1$/m)
  expect(waits.metrics).toMatch(/^cosigner_groups_signing\{algorithm="bip340",code=""\} 1$/m)
  expect(waits.algorithms).toEqual(["bip340 ready", "ecdsa E-TSK-040", "eddsa ready"])
  expect(waits.doctor).toMatchObject([{ level: "failure", code: "E-TSK-040" }])
  const group = await runToEnd(program, ["info", "group", "--key-file", ".password"], one.dir)
  expect(group).toMatch(/Last Check-up: .* passed/)
  const refreshed = await reshareTo(deployment, vault, [first, second, third], async () => {})
  await until("a node that is ready", async () => ((await told(set, one)).status.ready ? true : undefined))
  const well = await told(set, one)
  expect(well.readyz).toBe(200)
  expect(well.algorithms).toEqual(["bip340 ready", "ecdsa ready", "eddsa ready"])
  expect(well.doctor).toMatchObject([{ level: "ok" }])
  expect(well.admission).toEqual([{ check: "waas.admission", level: "ok", text: "the running node is online" }])
  await signed(deployment, refreshed, silent, [one, two], ethereum(refreshed, 3))
  await deployment.endNode(one, "SIGTERM")

  // ---- doctor finds out by itself that WaaS lets the node in
  const args = ["doctor", "--key-file", ".password", "--json"]
  const alone = await runScanned(set.surveillance, one, args)
  expect(findingsOf(JSON.parse(alone.stdout), "waas.admission")).toMatchObject([{ level: "ok" }])

  // ---- and the database that it was restored over is the older one now
  const former: DeployedNode = { ...one, name: "former", dir: join(deployment.dir, "former") }
  cpSync(one.dir, former.dir, { recursive: true })
  rmSync(join(former.dir, "db"), { recursive: true })
  cpSync(join(deployment.dir, "newest"), join(former.dir, "db"), { recursive: true })
  expect(await refusedWith(program, deployment, former, "E-LNK-015")).toContain("older copy")
  expect(existsSync(join(one.dir, "db", "secrets.db.guard"))).toBe(true)
  expect(readdirSync(join(one.dir, "backups"))).toEqual(["b"])
}, 120_000)
