/** A freeze under load on the real binary: after one second no share leaves, and what waited goes on when it is lifted. */
import { expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../src/bytes.ts"
import { until } from "../../src/kit/demo/keys.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import { readyVault, runScanned, scannedDeployment } from "./deployment.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"

/** When the node handed each message of a session to its link, but for aborts: ms since 1970, from its log of JSON lines. */
function messagesSent(log: string): readonly number[] {
  return log.split("\n").flatMap((line) => {
    if (!line.includes('"frame out"') || !line.includes('"kind":"envelope"') || line.includes('"stage":"abort"'))
      return []
    return [Date.parse(JSON.parse(line).time)]
  })
}

test.if(LONG)(
  "under load: nothing leaves a second later, through a restart; the others sign without it meanwhile",
  async () => {
    await using it = await scannedDeployment(3)
    const { deployment, surveillance } = it
    const vault = await readyVault(deployment, 2)
    const [first, second] = [deployment.nodes[0]!, deployment.nodes[1]!]
    const ask = (index: number, signers?: readonly string[]) => {
      const { message, path } = solana(vault, index)
      return deployment.client.createSignRequest(vault.vaultId, {
        request_id: randomUUID(),
        curve: "ED25519",
        signature_type: 2,
        ...(signers === undefined
          ? {}
          : { key_share_holder_group_id: vault.holderGroupId, used_tss_node_ids: signers }),
        messages: [{ bip32_path: path, msg_hash: `0x${toHex(message)}`, tweak: "" }],
        deadline_seconds: 300,
      })
    }
    const logOf = () => readFileSync(join(first.dir, "logs", "cosigner.log"), "utf8")
    const asked: string[] = []
    let isOver = false
    const load = (async () => {
      for (let index = 0; !isOver && index < 60; index++) {
        asked.push((await ask(index, [first.nodeId, second.nodeId])).sign_request_id)
        await Bun.sleep(100)
      }
    })()
    await until("messages of sessions", async () => (messagesSent(logOf()).length > 20 ? true : undefined))
    const frozen = await runScanned(surveillance, first, ["freeze", "--reason", "drill", "--json"])
    const frozenMs = Date.now()
    expect(frozen.exit).toBe(0)
    const free = await ask(100)
    await until("a signature by the others", async () => {
      const { status } = await deployment.client.signRequest(vault.vaultId, free.sign_request_id)
      return status === "Completed" ? true : undefined
    })
    await deployment.endNode(first, "SIGKILL")
    await deployment.startNode(first)
    await Bun.sleep(3_000)
    isOver = true
    await load
    expect(messagesSent(logOf()).filter((atMs) => atMs > frozenMs + 1_000)).toEqual([])
    expect((await runScanned(surveillance, first, ["status", "--json"])).stdout).toContain("E-FRZ-004")
    expect((await runScanned(surveillance, first, ["unfreeze", "--key-file", ".password"])).exit).toBe(0)
    const ends: string[] = []
    // one after another: callers have a rate, too
    for (const id of asked) {
      ends.push(
        await until("the end of a request", async () => {
          const { status, failed_reason } = await deployment.client.signRequest(vault.vaultId, id, 50)
          return status === "Processing" || status === "Initializing" ? undefined : `${status} ${failed_reason}`.trim()
        }),
      )
      await Bun.sleep(50)
    }
    // what was being decided when the freeze came was not approved, and says so
    expect(ends.filter((end) => end !== "Completed" && !end.includes("E-FRZ-001"))).toEqual([])
    expect(ends.filter((end) => end === "Completed").length).toBeGreaterThan(asked.length / 2)
  },
  180_000,
)
