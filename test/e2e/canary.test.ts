/**
 * A secret in every place that has one, everything switched on, and much of it broken: servers that repeat what they are sent,
 * wrong passwords, crashes. The leakScanner of the deployment hears all of it; what it must not find is said there, and here only what
 * else has its place.
 */
import { expect, test } from "bun:test"
import { createPrivateKey } from "node:crypto"
import { appendFileSync, chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { DeployedNode, Deployment } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, sign, until } from "../../src/kit/demo/keys.ts"
import { type Program, runToEnd, startActor } from "../../src/kit/demo/processes.ts"
import { ethereum, solana } from "../../src/kit/demo/signatures.ts"
import { binary, root } from "../support/binary.ts"
import { readyVault, scannedDeployment } from "./deployment.ts"
import { callbackServer, echoProxy, echoServer, eventServer } from "./leaks/servers.ts"
import type { Surveillance } from "./leaks/surveillance.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const KEY = ["--key-file", ".password"]

/** Cores may be as large as the kernel lets them, until the program takes that away from itself. */
const UNLIMITED = ["sh", "-c", 'ulimit -c "$(ulimit -H -c)"; exec "$0" "$@"', binary]

const configOf = (node: DeployedNode): string => join(node.dir, "configs", "cosigner.toml")

/** Runs a command whatever its end, without a terminal; its exit code. */
async function command(program: Program, args: readonly string[], cwd: string, stdin = ""): Promise<number | null> {
  const child = Bun.spawn(["setsid", "--wait", ...program.words, ...args], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: cwd, TZ: "UTC" },
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  })
  program.logTap?.started(child.pid, args)
  const said = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  for (const piece of said.slice(0, 2)) program.logTap?.said(child.pid, args, String(piece))
  return child.exitCode
}

const signs = async (
  deployment: Deployment,
  vault: DemoVault,
  nodes: readonly DeployedNode[],
  index: number,
): Promise<string> => {
  const wanted = index % 2 === 0 ? solana(vault, index) : ethereum(vault, index)
  const { curve, path, message, tweak, scheme } = wanted
  const signatureType = scheme === "ecdsa" ? 1 : 2
  const answer = await sign(deployment, vault, { curve, signatureType, path, message, tweak, nodes, extraInfo: {} })
  return answer.kind === "signed" ? "signed" : answer.reason
}

/** Waits until the process has gone, or is a corpse that nobody has looked at. */
const dead = (pid: number): Promise<true> =>
  until(`the end of ${pid}`, async () => {
    if (!existsSync(`/proc/${pid}/stat`)) return true
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8")) ? true : undefined
  })

/** A file with a secret that the operator made, mode 600. */
function keyFile(surveillance: Surveillance, node: DeployedNode, name: string, what: string): string {
  const secret = surveillance.plant(`${what} of ${node.name}`, name)
  writeFileSync(join(node.dir, name), secret, { mode: 0o600 })
  return name
}

test("nothing comes out of a node that has everything, and has trouble with all of it", async () => {
  await using influx = echoServer()
  await using proxy = echoProxy()
  await using it = await scannedDeployment(2, {
    words: UNLIMITED,
    toml: (node, surveillance) =>
      node.name === "node1" ? tablesOfNode1(node, surveillance, influx.url, proxy.url) : "",
  })
  const { deployment, program, surveillance } = it
  const { leakScanner } = surveillance
  const [one, two] = [deployment.nodes[0]!, deployment.nodes[1]!]

  // ---- servers of node1, a TLS key of its own
  let approves = true
  await using callback = callbackServer(surveillance, () => approves)
  await using events = eventServer(surveillance)
  await runToEnd(program, ["event", "key", "create", ...KEY], one.dir)
  writeFileSync(join(one.dir, "callback.pem"), callback.pem)
  giveTlsKey(surveillance, one)
  appendFileSync(
    configOf(one),
    `[callback]
retry_times = 1
sleep_seconds = 0
[[callback.cb_server_v2]]
service_address = "${callback.url}"
pubkey_path = "callback.pem"
[[event.server]]
url = "${events.url}"
`,
  )

  // ---- at work
  const vault = await readyVault(deployment, 2)
  expect(await signs(deployment, vault, [one, two], 2)).toBe("signed")
  expect(await signs(deployment, vault, [one, two], 3)).toBe("signed")
  approves = false
  expect(await signs(deployment, vault, [one, two], 4)).toContain("not today")
  approves = true
  const log = (node: DeployedNode): string => readFileSync(join(deployment.dir, "logs", `${node.name}.log`), "utf8")
  await until("the echo of InfluxDB in the log", async () => (log(one).includes("HTTP 401") ? true : undefined))
  await until("events", async () => (events.types.length >= 3 ? true : undefined))
  await until("the echo of the proxy in the log", async () =>
    log(one).includes("an event was not delivered") && proxy.asked() > 0 ? true : undefined,
  )

  // ---- every command of an operator, beside the running node
  const run = (args: readonly string[], stdin?: string): Promise<number | null> =>
    command(program, args, one.dir, stdin)
  const groups: readonly { readonly group_id: string; readonly curve: string }[] = JSON.parse(
    await runToEnd(program, ["info", "group", "--json", ...KEY], one.dir),
  )
  const groupId = groups.find(({ curve }) => curve === "secp256k1")?.group_id ?? ""
  const backupKey = "configs/backup.key"
  const exportKey = keyFile(surveillance, one, "export.key", "export password")
  for (const args of [
    ["info", ...KEY],
    ["info", "group", ...KEY],
    ["status"],
    ["config", "check"],
    ["config", "show"],
    ["doctor", "--json", ...KEY],
    ["backup", "create", "--out", "backups/one", "--password-file", backupKey, ...KEY],
    ["export-share", "--export-dir", "exported", "--password-file", exportKey, ...KEY],
    ...(LONG
      ? [
          ["status", "--json"],
          ["config", "show", "--json"],
          ["policy", "check"],
          ["strikes", "--json", ...KEY],
          ["event", "key", "info", ...KEY],
          ["doctor", ...KEY],
          ["backup", "verify", "backups/one", "--password-file", backupKey],
        ]
      : []),
  ]) {
    // there is a lot that a doctor does not like about this node
    expect([args, await run([...args, "-v"])]).toEqual([args, args[0] === "doctor" ? expect.any(Number) : 0])
  }
  expect(readdirSync(join(one.dir, "exported"))).toHaveLength(1)
  expect(existsSync(join(one.dir, "backups", "one"))).toBe(true)

  // ---- recovery: with the right passwords the root key is shown, to whoever insists
  const otherKey = keyFile(surveillance, two, "export.key", "export password")
  await runToEnd(program, ["export-share", "--export-dir", "exported", "--password-file", otherKey, ...KEY], two.dir)
  const files = deployment.nodes.map((node) =>
    join(node.dir, "exported", readdirSync(join(node.dir, "exported"))[0] ?? ""),
  )
  const keys = deployment.nodes.map((node) => join(node.dir, "export.key")).join(",")
  const recovery = ["--key-file", keys, "--group-id", groupId]
  expect(await run(["recovery", "reconstruct", ...files, ...recovery, "--yes-i-understand"])).toBe(0)
  leakScanner.except({
    channel: "output",
    source: /^recovery reconstruct /,
    secret: /^root private key on secp256k1$/,
    why: "what the command is for, after explicit consent",
  })

  // ---- wrong passwords, and right ones in wrong places
  const wrong = keyFile(surveillance, one, "wrong.key", "wrong password")
  for (const args of [
    ["share-sign", "--message", "x", "--key-file", wrong],
    ["backup", "restore", "backups/one", "--password-file", wrong, "--key-file", wrong, "--db", "db/other.db"],
    ["recovery", "verify", ...files, "--key-file", join(one.dir, wrong), "--group-id", groupId],
    ["info", "-c", ".password", ...KEY],
    ["start", "-c", wrong, ...KEY],
    ["start", "--key-file", wrong],
    ["share-sign", "--message", "x", "--key-file", "configs/cosigner.toml"],
  ]) {
    expect([args, await run([...args, "-v"])]).not.toEqual([args, 0])
  }

  // ---- another password, by stdin; the copies that the leakScanner has open with the old one
  await deployment.endNode(two, "SIGTERM")
  const next = surveillance.plant("new password of node2", ".password")
  expect(await command(program, ["change-password", ...KEY], two.dir, `${next}\n${next}\n`)).toBe(0)
  expect(await command(program, ["change-password", ...KEY], two.dir, `${next}\n${next}x\n`)).not.toBe(0)
  writeFileSync(join(two.dir, ".password"), next)

  // ---- a proxy on the way to WaaS that says back what it was told
  const config = readFileSync(configOf(two), "utf8")
  const secret = surveillance.plant("proxy password of node2", "configs/cosigner.toml")
  writeFileSync(
    configOf(two),
    config.replace("[websocket]", `[websocket]\nproxy = "http://user:${secret}@${proxy.url}"`),
  )
  const asked = proxy.asked()
  const refused = startActor(
    program,
    "node2",
    ["start", ...KEY],
    two.dir,
    join(deployment.dir, "logs", "node2-proxy.log"),
  )
  await refused.line((line) => line.includes("E-LNK-014"), 20_000)
  expect(proxy.asked()).toBeGreaterThan(asked)
  await refused.end("SIGTERM")
  writeFileSync(configOf(two), config)
  await deployment.startNode(two)
  expect(await signs(deployment, vault, [one, two], 6)).toBe("signed")

  // ---- crashes: the runtime says its own last words, and no core is left
  for (const [signal, node] of [
    ["SIGSEGV", one],
    ["SIGABRT", two],
  ] as const) {
    const { pid } = surveillance.actorOf(node)
    process.kill(pid, signal)
    await dead(pid)
    await deployment.endNode(node, "SIGKILL")
  }
  expect(log(one)).toContain("panic(main thread): Segmentation fault")
  expect(coresIn(deployment.dir)).toEqual([])

  // ---- errors that nobody catches, with live secrets in them
  for (const way of LONG ? WAYS : WAYS.slice(0, 1)) {
    const said = await thrown(surveillance, two, way)
    expect([way, said]).toEqual([way, expect.stringContaining("E-CLI-001")])
  }

  leakScanner.expect(
    { channel: "tokens", what: "a request for approval", text: '"request_detail":"' },
    { channel: "tokens", what: "an event", text: "request.keysign.succeeded" },
    { channel: "output", what: "what InfluxDB answered", text: "code=E-STA-020 next=" },
    { channel: "output", what: "a doctor", text: '"check":"store.integrity"' },
    { channel: "output", what: "a last word of the runtime", text: "panic(main thread): Segmentation fault" },
    { channel: "output", what: "a bug", text: "E-CLI-001 an invariant of this program is broken" },
  )
}, 120_000)

function tablesOfNode1(node: DeployedNode, surveillance: Surveillance, influx: string, proxy: string): string {
  const { plant } = surveillance
  mkdirSync(join(node.dir, "configs"), { recursive: true })
  const file = "configs/cosigner.toml"
  const token = plant("InfluxDB token of node1", file)
  const password = plant("event proxy password of node1", file)
  keyFile(surveillance, node, "configs/backup.key", "backup password")
  return `[metrics.influxdb]
server_addr = "${influx}"
org = "o"
bucket = "b"
token = "${token}"
interval = "200ms"
[backup]
interval = "${LONG ? "4s" : "1h"}"
password_file = "configs/backup.key"
[checkup]
interval = "1s"
[event]
event_types = ["request.keysign.succeeded", "request.keysign.failed", "request.keygen.succeeded"]
sleep_seconds = 1
[[event.server]]
url = "http://event.invalid/v2/event"
proxy = "http://user:${password}@${proxy}"`
}

/** A certificate and its key, for a WaaS that might ask for one. */
function giveTlsKey({ leakScanner }: Surveillance, node: DeployedNode): void {
  const words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=node"
  const made = Bun.spawnSync(["openssl", ...words.split(" "), "-keyout", "client.key", "-out", "client.pem"], {
    cwd: node.dir,
    env: { PATH: process.env["PATH"] ?? "" },
  })
  if (!made.success) return console.error("skipped: a TLS key as a canary, because there is no openssl to make one")
  chmodSync(join(node.dir, "client.key"), 0o600)
  const { d } = createPrivateKey(readFileSync(join(node.dir, "client.key"))).export({ format: "jwk" })
  leakScanner.secret("TLS key", Buffer.from(String(d), "base64url"))
  leakScanner.except({
    channel: "file",
    source: /^node1\/client\.key$/,
    secret: /^TLS key$/,
    why: "its own file, mode 600",
  })
  const keys = 'client_cert_path = "client.pem"\nclient_key_path = "client.key"'
  writeFileSync(configOf(node), readFileSync(configOf(node), "utf8").replace("[websocket]", `[websocket]\n${keys}`))
}

/** Of leakScanner/throwing.ts. */
const WAYS = ["message", "bytes", "parse", "fields", "text", "rejection", "rejection with a secret"]

const coresIn = (dir: string): readonly string[] =>
  readdirSync(dir, { recursive: true, encoding: "utf8" }).filter((path) => /(?:^|\/)core(?:\.\d+)?$/.test(path))

/** The program from its sources on the folder of a node, ended by an error that nobody caught; what it said. */
async function thrown({ logTap }: Surveillance, node: DeployedNode, way: string): Promise<string> {
  const preload = join(import.meta.dir, "leaks", "throwing.ts")
  const args = ["start", ...KEY]
  const child = Bun.spawn([process.execPath, "--preload", preload, join(root, "src", "main.ts"), ...args], {
    cwd: node.dir,
    env: { PATH: process.env["PATH"] ?? "", HOME: node.dir, THROW: way },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
  })
  logTap.started(child.pid, [`thrown ${way}`, ...args])
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  logTap.said(child.pid, [`thrown ${way}`, ...args], stdout + stderr)
  return stderr
}
