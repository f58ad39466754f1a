/**
 * `npm run soak`: many signatures through the compiled binary, one WaaS and three nodes, and what it costs them to live:
 * memory and file descriptors of each node, sampled on the way. Exit 1 if a signature fails or a node grows.
 * `-- --signatures 50000` says how many (that is the default; the figure stands for a day of a busy node).
 */

import { randomBytes, randomUUID } from "node:crypto"
import { readdirSync, readFileSync, rmSync } from "node:fs"
import { parseArgs } from "node:util"
import { type Deployment, deploy } from "../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault, until } from "../src/kit/demo/keys.ts"
import { temporaryFolder } from "../test/support/temporaryFolder.ts"
import { binary, buildBinary } from "./toolchain.ts"

const BATCH = 32
const AT_ONCE = 4
const SAMPLES = 20
/**
 * Growth of the mean from the second quarter to the last that is still called flat. Locked memory is never given back to the
 * system, so a node keeps its high-water mark: it rises less and less.
 */
const GROWTH = 1.25

const { values } = parseArgs({ options: { signatures: { type: "string", default: "50000" } } })
const wanted = Math.max(BATCH * SAMPLES, Number(values.signatures))
const requests = Math.ceil(wanted / BATCH)

interface Sample {
  readonly signatures: number
  readonly seconds: number
  readonly rss_mb: readonly number[]
  readonly fds: readonly number[]
}

const rssMb = (pid: number): number => {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0"
  return Math.round(Number(kb) / 1024)
}
const fdsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length

async function signBatch(deployment: Deployment, vault: DemoVault, n: number): Promise<void> {
  const nodes = [deployment.nodes[n % 3], deployment.nodes[(n + 1) % 3]]
  const ecdsa = n % 8 === 0
  const asked = await deployment.client.createSignRequest(vault.vaultId, {
    request_id: randomUUID(),
    curve: ecdsa ? "SECP256K1" : "ED25519",
    signature_type: ecdsa ? 1 : 2,
    key_share_holder_group_id: vault.holderGroupId,
    used_tss_node_ids: nodes.map((node) => node?.nodeId ?? ""),
    messages: Array.from({ length: BATCH }, (_, i) => ({
      bip32_path: `m/44/501/${i}`,
      msg_hash: `0x${randomBytes(32).toString("hex")}`,
    })),
    deadline_seconds: 120,
  })
  await until("a batch", async () => {
    const now = await deployment.client.signRequest(vault.vaultId, asked.sign_request_id)
    if (now.failed_reason !== "") throw new Error(now.failed_reason)
    return now.status === "Completed" ? true : undefined
  })
}

await buildBinary()
const dir = temporaryFolder("soak").path
const deployment = await deploy({ words: [binary] }, dir, { count: 3 })
try {
  const bound = await makeVault(deployment, deployment.nodes, 2)
  const actors = await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))
  const vault = await generateKeys(deployment, bound)
  const begun = performance.now()
  const samples: Sample[] = []
  let next = 0
  const every = Math.ceil(requests / SAMPLES)
  const lane = async (): Promise<void> => {
    for (let n = next++; n < requests; n = next++) {
      await signBatch(deployment, vault, n)
      if (n % every !== every - 1) continue
      const sample: Sample = {
        signatures: (n + 1) * BATCH,
        seconds: Math.round((performance.now() - begun) / 1000),
        rss_mb: actors.map(({ pid }) => rssMb(pid)),
        fds: actors.map(({ pid }) => fdsOf(pid)),
      }
      samples.push(sample)
      console.log(JSON.stringify(sample))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
  const quarter = samples.length / 4
  const mean = (pick: (sample: Sample) => number, from: number, to: number): number => {
    const some = samples.slice(from, to).map(pick)
    return some.reduce((sum, value) => sum + value, 0) / some.length
  }
  const growth = (pick: (sample: Sample) => number): number =>
    mean(pick, 3 * quarter, samples.length) / mean(pick, quarter, 2 * quarter)
  const flat = actors.every(
    (_, i) => growth(({ rss_mb }) => rss_mb[i] ?? 0) <= GROWTH && growth(({ fds }) => fds[i] ?? 0) <= GROWTH,
  )
  console.log(JSON.stringify({ soak: "done", signatures: requests * BATCH, flat }))
  if (!flat) process.exitCode = 1
} finally {
  await deployment.endAll()
  rmSync(dir, { recursive: true, force: true })
}
process.exit()
