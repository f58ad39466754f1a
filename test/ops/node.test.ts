/** The binary with its status port open: what it says while it makes a key and signs, and that no secret is in it. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { Value } from "@sinclair/typebox/value"
import { type DemoVault, sign } from "../../src/kit/demo/keys.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import { groupsSchema, readySchema, statusSchema, tasksSchema } from "../../src/ops/port/documents.ts"
import { readyVault, type ScannedDeployment, scannedDeployment } from "../e2e/deployment.ts"
import { cosigner } from "../support/binary.ts"
import { readLines, readPrometheus } from "./metrics/parsers.ts"
import { jsonOf } from "./port/rig.ts"

setDefaultTimeout(120_000)

const USER = "canary-user-99"
let influxPassword = ""
const bodies: string[] = []
const logins = new Set<string | null>()
const influx = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    logins.add(request.headers.get("authorization"))
    bodies.push(await request.text())
    return new Response(null, { status: 204 })
  },
})

let it: ScannedDeployment
let vault: DemoVault
const socketOf = (dir: string) => join(dir, "status.sock")

beforeAll(async () => {
  it = await scannedDeployment(2, {
    toml: (_, { plant }) => {
      influxPassword ||= plant("InfluxDB password", "configs/cosigner.toml")
      return `
[metrics]
instance = 7
name_prefix = "x_"
[metrics.influxdb]
server_addr = "http://127.0.0.1:${influx.port}"
database = "tss"
username = "${USER}"
password = "${influxPassword}"
interval = "300ms"
`
    },
  })
  vault = await readyVault(it.deployment, 2)
  const { curve, path, message, tweak } = solana(vault, 1)
  const { nodes } = it.deployment
  const answer = await sign(it.deployment, vault, {
    curve,
    signatureType: 2,
    path,
    message,
    tweak,
    nodes,
    extraInfo: {},
  })
  expect(answer.kind).toBe("signed")
})
afterAll(() => influx.stop(true))

const node = () => {
  const [first] = it.deployment.nodes
  if (first === undefined) throw new Error("there are nodes")
  return first
}
const get = (path: string): Promise<Response> =>
  fetch(`http://node${path}`, {
    unix: socketOf(node().dir),
    headers: { authorization: `Bearer ${it.surveillance.tokenOf(node())}` },
  })
const command = async (...args: string[]) => {
  const ended = await cosigner(args, { cwd: node().dir })
  it.surveillance.logTap.said(0, args, ended.stdout + ended.stderr)
  return ended
}

/** The status once it shows what was done; snapshots are up to a second old. */
async function settled(done: (status: { tasks: { completed: number } }) => boolean) {
  for (;;) {
    const status = await jsonOf(await get("/status"))
    if (done(status)) return status
    await Bun.sleep(100)
  }
}

describe("a node that signs", () => {
  test("is ready, and says what it did", async () => {
    const status = await settled(({ tasks }) => tasks.completed >= 3)
    expect([...Value.Errors(statusSchema, status)]).toEqual([])
    expect(status).toMatchObject({
      ready: true,
      node_id: node().nodeId,
      groups: { active: 2 },
      link: { phase: "online" },
    })
    const ready = await get("/readyz")
    expect(ready.status).toBe(200)
    expect(Value.Check(readySchema, await ready.json())).toBe(true)
  })
  test("shows its groups and tasks, page by page", async () => {
    const groups = await jsonOf(await get("/groups"))
    expect(Value.Check(groupsSchema, groups)).toBe(true)
    expect(groups.groups).toHaveLength(2)
    // tasks are told to the port a second after they change
    let first = await jsonOf(await get("/tasks?limit=1"))
    while (first.tasks[0]?.state !== "completed" || first.tasks[0].type !== "KeySign") {
      await Bun.sleep(100)
      first = await jsonOf(await get("/tasks?limit=1"))
    }
    expect(Value.Check(tasksSchema, first)).toBe(true)
    expect(first.tasks[0]).toMatchObject({ type: "KeySign", state: "completed", verdict: { action: "approve" } })
    expect(first.next_skip).toBe(1)
    const rest = await jsonOf(await get("/tasks?skip=1&limit=100"))
    expect(rest.tasks.map(({ type }: { type: string }) => type)).toEqual(["KeyGen", "KeyGen"])
    expect(rest.next_skip).toBeNull()
    expect((await jsonOf(await get("/tasks?state=failed"))).tasks).toEqual([])
  })
  test("measures it, for Prometheus and for InfluxDB alike", async () => {
    const families = readPrometheus(await (await get("/metrics")).text())
    const sample = (name: string, labels: object) =>
      families
        .get(name)
        ?.samples.find((sample) =>
          sample.name.endsWith(name) || sample.name === `${name}_count` ? Bun.deepEquals(sample.labels, labels) : false,
        )?.value
    expect(sample("x_cosigner_tasks_total", { type: "KeySign", outcome: "completed", code: "" })).toBe(1)
    expect(sample("x_cosigner_tasks_total", { type: "KeyGen", outcome: "completed", code: "" })).toBe(2)
    expect(sample("x_cosigner_signatures_total", { signature_type: "2" })).toBe(1)
    expect(sample("x_cosigner_session_duration_seconds", { protocol: "sign eddsa", ending: "done" })).toBe(1)
    expect(sample("x_cosigner_verdicts_total", { action: "approve", code: "" })).toBe(3)
    expect(sample("x_cosigner_ready", {})).toBe(1)
    expect(sample("x_cosigner_link_up", {})).toBe(1)
    for (const name of [
      "store_commit_seconds",
      "store_bytes",
      "event_loop_delay_seconds",
      "clock_offset_seconds",
      "build_info",
      "open_files",
    ]) {
      expect([...families.keys()]).toContain(`x_cosigner_${name}`)
    }
    const points = () => bodies.flatMap(readLines)
    while (
      !points().some(
        (linePoint) => linePoint.measurement === "x_cosigner_tasks_total" && linePoint.tags["type"] === "KeySign",
      )
    )
      await Bun.sleep(50)
    expect(points().every(({ tags }) => tags["job"] === "tss-node" && tags["instance"] === "7")).toBe(true)
    // Names of points are names of the text, which the port is told a second after a family comes up.
    const named = async (): Promise<boolean> => {
      const names = new Set([...readPrometheus(await (await get("/metrics")).text()).keys()])
      return points().every(({ measurement }) => names.has(measurement))
    }
    while (!(await named())) await Bun.sleep(100)
    expect([...logins]).toEqual([`Token ${USER}:${influxPassword}`])
  })
  test("answers `cosigner status`, for people and for programs", async () => {
    expect((await command("config", "show")).exit).toBe(0)
    const plain = await command("status")
    expect(plain).toMatchObject({ exit: 0, stderr: "" })
    expect(plain.stdout).toStartWith(`ready: ${node().nodeId}`)
    const json = await command("status", "--json")
    expect(Value.Check(statusSchema, JSON.parse(json.stdout))).toBe(true)
  })
  test("answers commands beside it: without a password what is public, with it a signature of its share", async () => {
    const info = await command("info", "group", "--json")
    expect(info).toMatchObject({ exit: 0, stderr: "" })
    const [group] = JSON.parse(info.stdout)
    const sign = ["share-sign", "--group-id", group.group_id, "--message", "hello", "--json"]
    expect((await command(...sign)).exit).toBe(3)
    const signed = await command(...sign, "--key-file", ".password")
    expect(JSON.parse(signed.stdout)).toMatchObject({ node_id: node().nodeId, message_encoding: "utf-8" })
    expect((await command("info", "task")).stdout).toContain("KeyShareSign local-")
    const log = await Bun.file(join(it.deployment.dir, "logs", `${node().name}.log`)).text()
    expect(log).toMatch(/msg="admin command" command=share-sign outcome=E-STO-004|command=share-sign outcome=done/)
  })
  test("is not ready without WaaS, and cannot be reached when it has ended", async () => {
    await it.deployment.endNode({ name: "waas", nodeId: "", dir: "" }, "SIGTERM")
    let ended = await command("status", "--json")
    while (ended.exit === 0) ended = await command("status", "--json")
    expect(ended.exit).toBe(1)
    const link = JSON.parse(ended.stdout).items.find(({ name }: { name: string }) => name === "link")
    expect(link).toMatchObject({ state: "failed", code: expect.stringMatching(/^E-LNK-0/) })
    expect((await get("/readyz")).status).toBe(503)
    const begun = performance.now()
    await it.deployment.endNode(node(), "SIGTERM")
    expect(performance.now() - begun).toBeLessThan(5_000)
    const gone = await command("status")
    expect(gone).toMatchObject({ exit: 2, stdout: "" })
    expect(gone.stderr).toContain("E-STA-004")
  })
  test("lets no secret out", async () => {
    const { leakScanner } = it.surveillance
    leakScanner.hear("influx", "requests", bodies.join("\n"))
    leakScanner.expect({ channel: "output", what: "the configuration", text: 'metrics.influxdb.password = "[secret]"' })
    // throws what the leakScanner found
    await it[Symbol.asyncDispose]()
  })
})
