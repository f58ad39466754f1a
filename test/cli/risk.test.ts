/** policy, event key, callback-server and callback-test, as typed. */

import { afterAll, expect, setDefaultTimeout, test } from "bun:test"
import { createPublicKey, generateKeyPairSync, randomBytes } from "node:crypto"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { copy, utf8 } from "../../src/bytes.ts"
import { ED } from "../../src/crypto/curve.ts"
import { partyOf } from "../../src/keys/party.ts"
import { RULES_OFF } from "../../src/policy/schema.ts"
import { Secret } from "../../src/secret.ts"
import { createStore } from "../../src/store/store.ts"
import { judge } from "../../src/tasks/policyRequest.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { encodeTask, type KeyGenTask, taskDigest } from "../../src/wire/task.ts"
import { sshTestKey } from "../support/approvers.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { EXCHANGE, readingNode, withPayloads } from "../tasks/payloads.ts"
import { cli } from "./world.ts"

setDefaultTimeout(30_000)

const dir = temporaryFolder("risk").path
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const at = (name: string) => join(dir, name)
const write = (name: string, text: string, mode = 0o600) => {
  writeFileSync(at(name), text, { mode })
  return at(name)
}

const PASSWORD = "correct horse battery staple"
const keyFile = write("password.key", PASSWORD)
const rsa = () => generateKeyPairSync("rsa", { modulusLength: 2048 })
const nodeIdAt = (k: bigint) => {
  const party = partyOf(ED.encodePoint(ED.multiplyBasePublic(k)))
  if (party === undefined) throw new Error("no party")
  return nodeIdOf(party)
}
const [a = "", b = "", c = ""] = [3n, 5n, 7n].map(nodeIdAt)

const keyGen = (id: string, members: readonly string[], createdMs = Date.now()): KeyGenTask => ({
  version: 1,
  task_id: id,
  biz_task_id: "biz",
  created_ms: createdMs,
  deadline_ms: createdMs + 60_000,
  extra_info: {},
  type: "KeyGen",
  group_id: "OoQGkknsPdPjLCmSuuSf",
  curve: "ed25519",
  threshold: 2,
  node_ids: members,
})
const config = (name: string, rules: string) => write(name, `[embedded_risk_control_rules]\n${rules}`)
const RULES = `enable = true
[embedded_risk_control_rules.key_gen]
reject_all = false
allow_list = [{ threshold = 2, node_ids = ["${b}", "${a}"] }]
[embedded_risk_control_rules.key_sign]
reject_all = false
[embedded_risk_control_rules.key_reshare]
reject_all = true
[embedded_risk_control_rules.key_share_sign]
reject_all = false
`
const good = config("good.toml", RULES)

// ---- a node's database with a journal of three tasks, and one that is older

const db = at("secrets.db")
{
  using password = Secret.from(utf8(PASSWORD))
  using identitySeed = Secret.take(copy(randomBytes(32)))
  using callbackKey = Secret.from(rsa().privateKey.export({ type: "pkcs8", format: "der" }))
  using store = createStore(db, password, { identitySeed, callbackKey })
  const put = (task: KeyGenTask) => {
    const document = encodeTask(task)
    const digest = taskDigest(document)
    const nowMs = task.created_ms
    store.tasks.claim({
      taskId: task.task_id,
      digest,
      type: task.type,
      document,
      deadlineMs: task.deadline_ms,
      nowMs,
      events: [],
    })
    store.tasks.approve(
      task.task_id,
      nowMs,
      (usage) => judge(RULES_OFF, task, undefined, usage, nowMs),
      () => [],
    )
  }
  put(keyGen("old", [a, c], Date.now() - 90 * 86_400_000))
  put(keyGen("one", [a, b]))
  put(keyGen("two", [b, c]))
  put(keyGen("three", [b, a]))
}
const node = ["-d", db, "--key-file", keyFile]

// ---- policy

test("policy check: clean, with findings, and with rules that do not parse", async () => {
  expect(await cli(["policy", "check", "-c", good])).toMatchObject({
    exit: 0,
    stdout: expect.stringContaining("0 errors"),
  })
  const empty = config("empty.toml", RULES.replace(/allow_list.*/, ""))
  const found = await cli(["policy", "check", "-c", empty, "--json"])
  expect(found.exit).toBe(2)
  expect(JSON.parse(found.stdout)).toMatchObject({ findings: [{ severity: "error", where: "key_gen.allow_list" }] })
  const entry = '\n[[operation_approvals]]\nfor = ["restore"]\ngroup = "nobody"\nmin = 1\n'
  const orders = await cli(["policy", "check", "-c", config("orders.toml", RULES + entry), "--json"])
  expect(JSON.parse(orders.stdout)).toMatchObject({
    findings: [{ severity: "error", where: "operation_approvals[0]", what: expect.stringContaining("nobody") }],
  })
  const bad = config("bad.toml", RULES.replace("reject_all = true", 'reject_all = "yes"'))
  const refused = await cli(["policy", "check", "-c", bad])
  expect(refused.exit).toBe(2)
  expect(refused.stderr).toContain("bad.toml:9")
  expect(refused.stderr).toContain("reject_all")
})

test("policy explain: every rule, the verdict in the exit code", async () => {
  const yes = write("yes.json", JSON.stringify(keyGen("t", [a, b]), null, 2))
  const no = write("no.json", JSON.stringify(keyGen("t", [a, c])))
  expect(await cli(["policy", "explain", "--task", yes, "-c", good, ...node])).toMatchObject({
    exit: 0,
    stdout: expect.stringContaining("=> approve"),
  })
  const rejected = await cli(["policy", "explain", "--task", no, "-c", good, "--without-db", "--json"])
  expect(rejected.exit).toBe(5)
  expect(JSON.parse(rejected.stdout)).toMatchObject({ verdict: { action: "reject", code: "E-RSK-004" } })
  const broken = write("broken.json", JSON.stringify({ ...keyGen("t", [a, b]), threshold: "2" }))
  expect(await cli(["policy", "explain", "--task", broken, "-c", good, "--without-db"])).toMatchObject({
    exit: 1,
    stderr: expect.stringContaining("E-RSK-020"),
  })
  expect((await cli(["policy", "explain", "-c", good, "--without-db"])).stderr).toContain("E-CLI-002")
})

test("policy explain says of each effect which entry covers it, or which condition does not hold", async () => {
  const rules = (to: string) => `enable = true
[embedded_risk_control_rules.key_sign]
reject_all = false
[[embedded_risk_control_rules.key_sign.allow]]
name = "payout"
effects = ["transfer"]
assets = ["ETH"]
to = ["${to}"]
max_fee = ["0.02 ETH"]
`
  const { w } = readingNode()
  const task = write("payload.json", JSON.stringify(withPayloads(w)))
  const explain = (to: string) =>
    cli(["policy", "explain", "--task", task, "-c", config("intents.toml", rules(to)), "--without-db"])
  const yes = await explain(EXCHANGE)
  expect(yes.exit).toBe(0)
  expect(yes.stdout).toContain("    payout: covers it")
  expect(yes.stdout).toContain("  covered: its fee")
  const no = await explain("0x1111111111111111111111111111111111111111")
  expect(no.exit).toBe(5)
  expect(no.stdout).toContain("    payout: no, to does not hold")
  expect(no.stdout).toContain("=> reject E-RSK-018")
})

test("policy explain --at looks at the time windows of that moment", async () => {
  const window = 'time_windows = [{ zone = "Europe/Zurich", days = ["mon"], from = "08:00", to = "18:00" }]'
  const office = config("office.toml", RULES.replace(/(allow_list.*)/, `$1\n${window}`))
  const task = write("t.json", JSON.stringify(keyGen("t", [a, b])))
  const explain = (time: string) =>
    cli(["policy", "explain", "--task", task, "-c", office, "--without-db", "--at", time])
  expect((await explain("2026-11-23T09:00:00Z")).exit).toBe(0)
  expect((await explain("2026-11-22T09:00:00Z")).exit).toBe(5)
  expect((await explain("tomorrow")).exit).toBe(1)
})

test("policy explain says what words of people would do, as if they had been said", async () => {
  const person = (name: string) => `[[approvers]]\nname = "${name}"\nkey = "${sshTestKey("ssh-ed25519").line}"\n`
  const people = `${["ada", "bea", "cy"].map(person).join("")}
[[approver_groups]]
name = "treasury"
members = ["ada", "bea", "cy"]
`
  const require = '[[embedded_risk_control_rules.key_gen.require]]\ngroup = "treasury"\nmin = 2\n'
  const file = write("people.toml", `${people}[embedded_risk_control_rules]\n${RULES}${require}`)
  const task = write("t.json", JSON.stringify(keyGen("t", [a, b])))
  const explain = (...words: string[]) =>
    cli(["policy", "explain", "--task", task, "-c", file, "--without-db", ...words])
  const nobody = await explain()
  expect(nobody.exit).toBe(5)
  expect(nobody.stdout).toContain("waits  2 more of treasury\n")
  const one = await explain("--requested-by", "ada", "--approved-by", "bea")
  expect(one.exit).toBe(5)
  expect(one.stdout).toContain("waits  1 more of treasury (bea approved)\n")
  // Whoever asks does not count as one who approves.
  expect((await explain("--requested-by", "ada", "--approved-by", "bea,ada")).exit).toBe(5)
  expect((await explain("--approved-by", "bea,cy")).stdout).toContain("waits  the signed word of whoever asks for it\n")
  const both = await explain("--requested-by", "ada", "--approved-by", "bea", "--approved-by", "cy")
  expect([both.exit, both.stdout.includes("=> approve")]).toEqual([0, true])
  for (const option of ["--approved-by", "--requested-by"]) {
    const stranger = await explain(option, "zoe")
    expect(stranger.exit).toBe(1)
    expect(stranger.stderr).toContain("a name of [[approvers]]")
  }
})

test("policy replay: what a draft would have changed, and since when", async () => {
  const run = async (...args: string[]) => {
    const { exit, stdout, stderr } = await cli(["policy", "replay", "--draft", good, "--json", ...args, ...node])
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" })
    const report: { tasks: number; changed: number; results: { taskId: string; now: { code: string } }[] } =
      JSON.parse(stdout)
    return [report.tasks, report.changed, report.results.map((one) => `${one.taskId} ${one.now.code}`.trim())]
  }
  // The journal's verdicts were made with the rules off; each is an approval.
  expect(await run()).toEqual([3, 1, ["two E-RSK-004"]])
  expect(await run("--since", "400d")).toEqual([4, 2, ["old E-RSK-004", "two E-RSK-004"]])
  expect(await run("--all")).toEqual([3, 1, ["one", "two E-RSK-004", "three"]])
  expect(await cli(["policy", "replay", "--draft", good, ...node])).toMatchObject({
    stdout: expect.stringContaining("3 tasks, 1 of them would end otherwise"),
  })
})

// ---- event key

test("event key: none, made once, shown, of 2048 bits", async () => {
  expect((await cli(["event", "key", "info", ...node])).stderr).toContain("E-RSK-204")
  const made = await cli(["event", "key", "create", ...node])
  expect(made.exit).toBe(0)
  const shown = await cli(["event", "key", "info", ...node])
  expect(shown.stdout).toBe(made.stdout)
  const [title, ...pem] = shown.stdout.split("\n")
  expect(title).toBe("Event public key:")
  expect(createPublicKey(pem.join("\n")).asymmetricKeyDetails?.modulusLength).toBe(2048)
  const again = await cli(["event", "key", "create", ...node])
  expect(again).toMatchObject({ exit: 1, stderr: expect.stringContaining("E-RSK-202") })
  expect((await cli(["event", "key", "info", ...node])).stdout).toBe(shown.stdout)
})

// ---- callback-server and callback-test

test("callback-server init, callback-server, and callback-test against it", async () => {
  const testNode = rsa()
  write("risk-node.key", testNode.privateKey.export({ type: "pkcs8", format: "pem" }).toString())
  const nodePub = write("risk-node-pub.key", testNode.publicKey.export({ type: "spki", format: "pem" }).toString())
  const made = await cli(["callback-server", "init", "--dir", at("risk"), "--node-key", nodePub, "--json"])
  const files: { config: string; publicKey: string } = JSON.parse(made.stdout)
  expect((await cli(["callback-server", "init", "--dir", at("risk")])).stderr).toContain("E-RSK-302")

  const TO = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
  const chain = `[[key_sign.evm]]\nname = "ETH"\nchain_id = 1\ndestinations = ["${TO}"]\nmax_amount = "0.1 ether"\nmax_fee = "0.01 ether"\n`
  const toml = readFileSync(files.config, "utf8").replace('#listen = "127.0.0.1:11020"', 'listen = "127.0.0.1:0"')
  writeFileSync(files.config, toml + chain)
  const main = new URL("../../src/main.ts", import.meta.url).pathname
  const child = Bun.spawn([process.execPath, main, "callback-server", "-c", files.config, "--json"], {
    stdout: "pipe",
    stderr: "inherit",
  })
  try {
    const { url } = JSON.parse(await firstLine(child.stdout))
    const keys = ["--node-key", at("risk-node.key"), "--server-pub", files.publicKey]
    const all = await cli(["callback-test", url, ...keys, "--to", TO, "--json"])
    const report: { grade: string; approved: string; results: { outcome: string }[] } = JSON.parse(all.stdout)
    expect(report.results.filter(({ outcome }) => outcome !== "pass")).toEqual([])
    expect([all.exit, report.grade, report.approved]).toEqual([0, "A", "transaction"])

    const wrongTo = `0x${"12".repeat(20)}`
    const none = await cli(["callback-test", url, ...keys, "--to", wrongTo])
    expect(none).toMatchObject({ exit: 1, stdout: expect.stringContaining("Grade -") })
    expect((await cli(["callback-test", url, ...keys, "--to", "0x12"])).stderr).toContain("E-CLI-002")
    expect((await cli(["callback-test", url])).stderr).toContain("--node-key")
    expect((await cli(["callback-test", "ftp://x/", ...keys])).stderr).toContain("E-RSK-130")
  } finally {
    child.kill("SIGTERM")
  }
  expect(await child.exited).toBe(0)
})

test("callback-server without its files says which", async () => {
  expect(await cli(["callback-server", "-c", at("nowhere.toml")])).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining("nowhere.toml"),
  })
})

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = ""
  const reader = stream.getReader()
  while (!text.includes("\n")) {
    const { value, done } = await reader.read()
    if (done) throw new Error(`ended after ${text}`)
    text += new TextDecoder().decode(value)
  }
  reader.releaseLock()
  return text.split("\n")[0] ?? ""
}
