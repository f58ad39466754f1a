/**
 * One signature end to end: the compiled binary as one WaaS and three nodes on this machine, 2 of 3, embedded rules and one callback
 * server over loopback (in this process) at each node; EdDSA and ECDSA; one message a request, alone and with many at once, and batches. `p50_ms`
 * is from the request's POST to the answer that has the signature. `syncs` are calls of fsync and fdatasync per request, of all
 * processes, counted by strace in a run of its own (absent where strace is not there or may not look). `floor_ms` is what the disk
 * alone costs a request here: the seven commits that follow one another (WaaS keeps the task, a node approves, WaaS keeps the
 * approvals, a node begins, its share leaves, it keeps the signature, WaaS keeps it), at the median time of such commits when nothing else runs.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, randomUUID } from "node:crypto"
import {
  appendFileSync,
  closeSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs"
import { join } from "node:path"
import { copy } from "../../src/bytes.ts"
import { type DeployedNode, type Deployment, deploy, object, text } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import { type Actor, type Program, runToEnd } from "../../src/kit/demo/processes.ts"
import { Secret } from "../../src/secret.ts"
import { createStore, openStore } from "../../src/store/store.ts"
import { openToken, tokenSigner } from "../../src/wire/tssJwt.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"
import { NODE_PAGE, nodeLoop } from "../campaign/loops.ts"

const binary = join(import.meta.dir, "..", "..", "dist", "cosigner")
/** A service that has just started is compiled while it works. */
const WARM_UP = 100
const ALONE = 30
const AT_ONCE = 16
const LOADED = 128
const BATCH = 16
const BATCHES = 32
const BATCHES_AT_ONCE = 6
const RUNS = [
  { requests: ALONE, atOnce: 1, batch: 1 },
  { requests: LOADED, atOnce: AT_ONCE, batch: 1 },
  { requests: BATCHES, atOnce: BATCHES_AT_ONCE, batch: BATCH },
] as const
const FLOOR_COMMITS = 30

interface Timed {
  readonly op: string
  /** Messages of a request. */
  readonly batch: number
  readonly at_once: number
  readonly requests: number
  readonly p50_ms: number
  /** Requests, and signatures: a request of a batch has as many as messages. */
  readonly per_second: number
  readonly signatures_per_second: number
  /** Of WaaS and the nodes together for one signature, this process aside: what is left of it however busy the machine is. */
  readonly cpu_ms: number
  /** Of one of the two nodes that sign. */
  readonly node_commits: number
  /** Of a node that signs, as its status port says after the run. */
  readonly loop_p99_ms: number
}

interface Row extends Timed {
  readonly syncs: number | undefined
  readonly waas_syncs: number | undefined
  readonly floor_ms: number
}

const SCHEMES = [
  { op: "sign_eddsa", curve: "ED25519", type: 2, path: "m/44/501/0" },
  { op: "sign_ecdsa", curve: "SECP256K1", type: 1, path: "m/44/60/0/0/0" },
] as const

type Scheme = (typeof SCHEMES)[number]

export async function benchSignature(): Promise<readonly Row[]> {
  const dir = temporaryFolder("bench").path
  const program: Program = { words: [binary] }
  const floorMs = floor(dir)
  const approver = startApprover(dir)
  const deployment = await deploy(program, dir, { count: 3, toml: () => approver.toml, waas: unhurried })
  try {
    for (const node of deployment.nodes) approver.trust(await callbackKeyOf(program, node))
    const bound = await makeVault(deployment, deployment.nodes, 2)
    await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))
    const vault = await generateKeys(deployment, bound)
    const actors = await Promise.all(deployment.nodes.map((node) => giveRules(deployment, node)))
    // WaaS first.
    const pids = [waasPid(dir), ...actors.map(({ pid }) => pid)]
    const timed: Timed[] = []
    for (const scheme of SCHEMES) {
      await load(deployment, vault, { scheme, batch: 1, requests: WARM_UP, atOnce: 1 })
      for (const run of RUNS) timed.push(await measured(deployment, vault, { scheme, ...run }, pids))
    }
    // Afterwards: a process that strace looks at stands still now and then.
    const rows: Row[] = []
    for (const [at, run] of SCHEMES.flatMap((scheme) => RUNS.map((run) => ({ scheme, ...run }))).entries()) {
      const row = timed[at]
      if (row === undefined) continue
      const syncs = await syncsOf(pids, () => load(deployment, vault, run))
      rows.push({ ...row, syncs: syncs?.all, waas_syncs: syncs?.waas, floor_ms: rounded(floorMs) })
    }
    return rows
  } finally {
    await deployment.endAll()
    await approver.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** One key asks here for what many callers ask for. */
const unhurried = (toml: string): string =>
  toml.replace("#requests_per_second = 50", "requests_per_second = 10000").replace("#burst = 100", "burst = 100000")

async function measured(deployment: Deployment, vault: DemoVault, what: Load, pids: readonly number[]): Promise<Timed> {
  const { scheme, batch, requests, atOnce } = what
  const [signer] = deployment.nodes
  if (signer === undefined) throw new Error("no node")
  const before = commitsOf(signer)
  const cpuBefore = cpuMs(pids)
  const begun = performance.now()
  const times = await load(deployment, vault, what)
  const tookMs = performance.now() - begun
  const cpu = cpuMs(pids) - cpuBefore
  const commits = commitsOf(signer) - before
  const loop = await nodeLoop(signer.dir)
  return {
    op: scheme.op,
    batch,
    at_once: atOnce,
    requests,
    p50_ms: rounded(median(times)),
    per_second: rounded((requests / tookMs) * 1000),
    signatures_per_second: rounded(((requests * batch) / tookMs) * 1000),
    cpu_ms: rounded(cpu / requests / batch),
    node_commits: rounded(commits / requests),
    loop_p99_ms: rounded(loop?.p99Ms ?? Number.NaN),
  }
}

/** Per request of `work`, which is a run of them. */
async function syncsOf(pids: readonly number[], work: () => Promise<readonly number[]>): Promise<Syncs | undefined> {
  const counted = await countSyncs(pids)
  if (counted === undefined) return undefined
  const requests = (await work()).length
  const { all, waas } = await counted()
  return { all: rounded(all / requests), waas: rounded(waas / requests) }
}

interface Load {
  readonly scheme: Scheme
  readonly batch: number
  readonly requests: number
  readonly atOnce: number
}

/** So many requests, never more than `atOnce` under way; how long each took. */
async function load(deployment: Deployment, vault: DemoVault, what: Load): Promise<readonly number[]> {
  const times: number[] = []
  let left = what.requests
  const lane = async (): Promise<void> => {
    while (left-- > 0) times.push(await signOnce(deployment, vault, what))
  }
  await Promise.all(Array.from({ length: what.atOnce }, lane))
  return times
}

async function signOnce({ client, nodes }: Deployment, vault: DemoVault, { scheme, batch }: Load): Promise<number> {
  const begun = performance.now()
  const asked = await client.createSignRequest(vault.vaultId, {
    request_id: randomUUID(),
    curve: scheme.curve,
    signature_type: scheme.type,
    key_share_holder_group_id: vault.holderGroupId,
    used_tss_node_ids: nodes.slice(0, 2).map(({ nodeId }) => nodeId),
    messages: Array.from({ length: batch }, () => {
      return { bip32_path: scheme.path, msg_hash: `0x${randomBytes(32).toString("hex")}` }
    }),
    deadline_seconds: 60,
  })
  for (;;) {
    const now = await client.signRequest(vault.vaultId, asked.sign_request_id, 30)
    if (now.failed_reason !== "") throw new Error(now.failed_reason)
    if (now.status === "Completed") return performance.now() - begun
  }
}

/** Nodes have them once they have keys: none of them speaks of key generations. */
const RULES = `
[embedded_risk_control_rules]
enable = true
[embedded_risk_control_rules.key_sign]
reject_all = false
allowed_paths = ["m/44/**"]
max_batch = 16
limits = [{ name = "hour", per = "group", window = "1h", max = 1000000 }]
`

async function giveRules(deployment: Deployment, node: DeployedNode): Promise<Actor> {
  await deployment.endNode(node, "SIGTERM")
  appendFileSync(join(node.dir, "configs", "cosigner.toml"), RULES)
  return deployment.startNode(node)
}

// ---- the callback server -------------------------------------------------------------------------------------------

/** Approves whatever a node asks: what the node does for an answer is its cost, what a server thinks is not. */
function startApprover(dir: string) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const keys: KeyObject[] = []
  const sign = tokenSigner(privateKey, "the callback server's key")
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const token = new URLSearchParams(await request.text()).get("TSS_JWT_MSG") ?? ""
      const opened = await Promise.all(keys.map((key) => openToken(token, key, Date.now())))
      const asked = opened.find((one) => one.ok)
      if (asked?.ok !== true) return new Response("", { status: 401 })
      const { request_id } = object(asked.body)
      return new Response(await sign(JSON.stringify({ request_id, status: 0, action: "APPROVE" }), Date.now() + 60_000))
    },
  })
  const file = join(dir, "approver.pem")
  writeFileSync(file, publicKey.export({ type: "spki", format: "pem" }), { mode: 0o600 })
  return {
    toml: `${NODE_PAGE}[[callback.cb_server_v2]]
service_address = "http://127.0.0.1:${server.port}/v2/check"
pubkey_path = ${JSON.stringify(file)}
`,
    trust: (key: KeyObject) => void keys.push(key),
    stop: () => server.stop(true),
  }
}

async function callbackKeyOf(program: Program, { dir }: DeployedNode): Promise<KeyObject> {
  const info = await runToEnd(program, ["info", "--key-file", ".password", "--json"], dir)
  return createPublicKey(text(object(info), "callback_public_key"))
}

// ---- counting ------------------------------------------------------------------------------------------------------

/** Commits of the node's database so far. */
function commitsOf({ dir }: DeployedNode): number {
  using password = Secret.from(readFileSync(join(dir, ".password")))
  using store = openStore(join(dir, "db", "secrets.db"), password, { readOnly: true })
  return store.generation
}

/** Time that these processes had so far, ms. The kernel counts in hundredths of a second. */
function cpuMs(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
    return sum + 10 * (Number(fields[11]) + Number(fields[12]))
  }, 0)
}

function waasPid(dir: string): number {
  const pid = readdirSync("/proc").find((name) => {
    try {
      return /^\d+$/.test(name) && readlinkSync(`/proc/${name}/cwd`) === dir
    } catch {
      return false
    }
  })
  if (pid === undefined) throw new Error("no WaaS")
  return Number(pid)
}

interface Syncs {
  readonly all: number
  readonly waas: number
}

/** Begins to count the syncs of WaaS and of nodes; what is returned ends that. Undefined where nobody can count them. */
async function countSyncs(pids: readonly number[]): Promise<(() => Promise<Syncs>) | undefined> {
  const words = ["-f", "-e", "trace=fsync,fdatasync", ...pids.flatMap((pid) => ["-p", String(pid)])]
  if (Bun.which("strace") === null) return undefined
  const child = spawn("strace", words, { stdio: ["ignore", "ignore", "pipe"] })
  const lines: string[] = []
  const { promise: attached, resolve } = Promise.withResolvers<boolean>()
  let rest = ""
  child.stderr.on("data", (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split("\n")
    rest = parts.pop() ?? ""
    lines.push(...parts)
    if (lines.filter((line) => line.includes(" attached")).length >= pids.length) resolve(true)
  })
  child.on("exit", () => resolve(false))
  if (!(await attached)) return undefined
  lines.length = 0
  return async () => {
    await ended(child)
    const syncs = lines.filter((line) => /f(?:data)?sync\(/.test(line))
    // Each process writes from its first thread.
    return {
      all: syncs.length,
      waas: syncs.filter((line) => line.startsWith(`[pid ${String(pids[0]).padStart(5)}]`)).length,
    }
  }
}

function ended(child: ChildProcess): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  child.on("close", () => resolve())
  child.kill("SIGINT")
  return promise
}

// ---- the floor -----------------------------------------------------------------------------------------------------

/** Four commits of a node and three of WaaS's log, each at the median of what it takes here. */
function floor(dir: string): number {
  using password = Secret.from(randomBytes(32))
  using identitySeed = Secret.from(randomBytes(32))
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  using callbackKey = Secret.take(copy(privateKey.export({ type: "pkcs8", format: "der" })))
  const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 }
  using store = createStore(join(dir, "floor.db"), password, { identitySeed, callbackKey, kdf })
  const log = openSync(join(dir, "floor.log"), "w", 0o600)
  try {
    const ofNode = median(timesOf(() => store.probe(Date.now())))
    const ofWaas = median(
      timesOf(() => {
        writeSync(log, Buffer.alloc(8192))
        fdatasyncSync(log)
      }),
    )
    return 4 * ofNode + 3 * ofWaas
  } finally {
    closeSync(log)
  }
}

function timesOf(work: () => void): readonly number[] {
  return Array.from({ length: FLOOR_COMMITS }, () => {
    const begun = performance.now()
    work()
    return performance.now() - begun
  })
}

const median = (times: readonly number[]): number =>
  times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN
const rounded = (value: number): number => Math.round(value * 10) / 10
