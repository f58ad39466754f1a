/** A node that has nothing to do: from its start to its registration at WaaS, and the memory it then holds. */

import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { deploy } from "../../src/kit/demo/deployment.ts"
import { makeVault } from "../../src/kit/demo/keys.ts"
import { Secret } from "../../src/secret.ts"
import { openStore } from "../../src/store/store.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"
import { binary } from "../toolchain.ts"

const RUNS = 5
/** By then what the start alone needed has gone. */
const IDLE_MS = 2_000

interface Row {
  readonly op: "node_start_to_registered" | "node_idle_memory"
  readonly runs: number
  /** Median; the key derivation of the password included, and by itself. */
  readonly ms?: number
  readonly kdf_ms?: number
  readonly rss_mb?: number
  readonly anonymous_mb?: number
}

export async function benchNode(): Promise<readonly Row[]> {
  const dir = temporaryFolder("bench").path
  const deployment = await deploy({ words: [binary] }, dir, { count: 2 })
  try {
    await makeVault(deployment, deployment.nodes, 2)
    const [node] = deployment.nodes
    if (node === undefined) throw new Error("the deployment has two nodes")
    const starts: number[] = []
    let memory = { rss: 0, anonymous: 0 }
    for (let run = 0; run < RUNS; run++) {
      const begun = performance.now()
      const { pid } = await deployment.startNode(node)
      starts.push(performance.now() - begun)
      if (run === RUNS - 1) {
        await Bun.sleep(IDLE_MS)
        memory = memoryOf(pid)
      }
      await deployment.endNode(node, "SIGTERM")
    }
    starts.sort((a, b) => a - b)
    return [
      {
        op: "node_start_to_registered",
        runs: RUNS,
        ms: Math.round(starts[RUNS >> 1] ?? 0),
        kdf_ms: kdfMs(join(node.dir, "db", "secrets.db"), join(node.dir, ".password")),
      },
      { op: "node_idle_memory", runs: 1, rss_mb: memory.rss, anonymous_mb: memory.anonymous },
    ]
  } finally {
    await deployment.endAll()
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Opening an almost empty store is little more than the key derivation. */
function kdfMs(path: string, keyFile: string): number {
  using password = Secret.from(Buffer.from(readFileSync(keyFile, "utf8").trimEnd()))
  const begun = performance.now()
  openStore(path, password, { readOnly: true }).close()
  return Math.round(performance.now() - begun)
}

function memoryOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8")
  const mb = (key: string): number =>
    Math.round(Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 100) / 10
  return { rss: mb("VmRSS"), anonymous: mb("RssAnon") }
}
