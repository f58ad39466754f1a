/**
 * Real processes: what three nodes decide is in their logs, cosigned by one another, exported and proven to whoever has the keys; and a
 * node whose database was put back, past the guards of host and WaaS, is told by its peers and signs nothing.
 */
import { expect, test } from "bun:test"
import { copyFileSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import type { DeployedNode } from "../../src/kit/demo/deployment.ts"
import { until } from "../../src/kit/demo/keys.ts"
import { reportTo } from "../../src/kit/demo/report.ts"
import { ethereum, signed } from "../../src/kit/demo/signatures.ts"
import { Secret } from "../../src/secret.ts"
import { openStore, type Store } from "../../src/store/store.ts"
import { readyVault, runScanned, scannedDeployment } from "./deployment.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const silent = reportTo({ json: true, line() {}, value() {}, result() {}, note() {} })
const WITH_KEY = ["--key-file", ".password"]

function onDatabase<T>({ dir }: DeployedNode, readOnly: boolean, use: (store: Store) => T): T {
  using password = Secret.from(readFileSync(join(dir, ".password")))
  using store = openStore(join(dir, "db", "secrets.db"), password, { readOnly })
  return use(store)
}

/** As whoever puts an older copy back would: past the host's guard, and past what WaaS knows of its age. */
function putBack(node: DeployedNode, copy: string, generation: number): void {
  const db = join(node.dir, "db", "secrets.db")
  for (const behind of [`${db}.guard`, `${db}-wal`]) rmSync(behind, { force: true })
  copyFileSync(copy, db)
  onDatabase(node, false, (store) => {
    for (let n = 0; n < 5; n++) store.nextBoot()
    while (store.generation <= generation + 50) store.probe(Date.now())
  })
}

test.if(LONG)(
  "logs are cosigned, exported, proven; a node that was put back is told by its peers",
  async () => {
    await using it = await scannedDeployment(3)
    const { deployment, surveillance } = it
    const vault = await readyVault(deployment, 2)
    const [first, second, third] = deployment.nodes
    if (first === undefined || second === undefined || third === undefined) throw new Error("three nodes")
    const json = async (node: DeployedNode, ...args: readonly string[]) => {
      const { stdout, stderr, exit } = await runScanned(surveillance, node, [...args, ...WITH_KEY, "--json"])
      if (exit !== 0) throw new Error(stderr)
      return JSON.parse(stdout)
    }
    const item = async (node: DeployedNode) => {
      const { stdout } = await runScanned(surveillance, node, ["status", "--json"])
      const { items }: { items: readonly { name: string; state: string; reason: string; code: string }[] } =
        JSON.parse(stdout)
      return items.find(({ name }) => name === "log")
    }
    const sign = (index: number, nodes: readonly DeployedNode[] = [first, second]) =>
      signed(deployment, vault, silent, nodes, ethereum(vault, index))
    await sign(1)
    await until("all leaves cosigned by both", async () =>
      (await item(first))?.reason.match(/^cosigned \d+ s ago by 2 of 2$/) ? true : undefined,
    )
    const keys = await Promise.all([first, second, third].map((node) => json(node, "audit", "key")))
    const witnesses = [keys[1].witness, keys[2].witness].flatMap((key) => ["--witness", key])
    const known = ["--key", keys[0].log, ...witnesses]

    const exported = await json(first, "audit", "export", "log")
    expect(exported.size).toBeGreaterThan(8)
    expect(await json(first, "audit", "verify", "log", ...known)).toMatchObject({ verified: true, size: exported.size })
    const report = await json(first, "audit", "report", "--export", "log", "--key", keys[0].log)
    const task = report.tasks.find(
      ({ type, end }: { type: string; end: string }) => type === "KeySign" && end === "completed",
    )
    expect(task).toMatchObject({ decision: "approve", shares: [expect.any(String)] })
    const { proofs } = await json(first, "audit", "prove", task.task, "--dir", "proofs")
    expect(proofs.map(({ kind }: { kind: string }) => kind)).toEqual(["decision", "share", "end"])
    for (const { file } of proofs) {
      expect(await json(first, "audit", "verify", file, ...known)).toMatchObject({ verified: true })
    }

    // ---- an hour later, and back
    const copy = join(deployment.dir, "copy.db")
    await deployment.endNode(first, "SIGTERM")
    copyFileSync(join(first.dir, "db", "secrets.db"), copy)
    await deployment.startNode(first)
    await sign(2)
    await until("leaves of then, cosigned", async () => {
      const { reason = "" } = (await item(first)) ?? {}
      return /^cosigned \d+ s ago by 2 of 2$/.test(reason) ? true : undefined
    })
    await deployment.endNode(first, "SIGTERM")
    putBack(
      first,
      copy,
      onDatabase(first, true, ({ generation }) => generation),
    )
    await deployment.startNode(first)
    await until("the doubt", async () => ((await item(first))?.code === "E-AUD-008" ? true : undefined))
    expect(await item(first)).toMatchObject({ state: "failed" })
    // The others sign, without it.
    await sign(3, [second, third])
    const after = onDatabase(first, true, ({ tasks, witnessing }) => ({
      open: tasks.unfinished().length,
      doubt: witnessing.doubt,
    }))
    expect(after).toMatchObject({ open: 0, doubt: { from: expect.any(String) } })

    // ---- the way out
    await deployment.endNode(first, "SIGTERM")
    const decided = await json(first, "recover-rollback", "--yes-i-understand")
    await deployment.startNode(first)
    await until("another log, cosigned", async () => {
      const found = await item(first)
      return found?.state === "ok" && found.reason.includes("by 2 of 2") ? true : undefined
    })
    await json(first, "audit", "export", "log2")
    const again = await json(first, "audit", "verify", "log2", "--key", keys[0].log)
    expect(again.origin).toEndWith(`/${decided.incarnation}`)
  },
  600_000,
)
