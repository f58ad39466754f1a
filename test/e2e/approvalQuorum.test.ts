/**
 * Two of three people, with keys that ssh-keygen made and signs with, before three real nodes sign: above a limit, whoever asks is
 * none of the two, a word for another task is none for this one, one rejection ends it, and a node that is started again waits on.
 */
import { expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { ApprovalDecision } from "../../src/approvals/statement.ts"
import { until } from "../../src/kit/demo/keys.ts"
import { runToEnd } from "../../src/kit/demo/processes.ts"
import { readyVault, scannedDeployment } from "./deployment.ts"
import { EXCHANGE, KEEPERS, type Keeper, payment, treasuryRules } from "./treasury.ts"
import { awaited, wordOn } from "./words.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
/** Keys of three people, made and used by ssh-keygen. */
async function people(folder: string) {
  mkdirSync(folder)
  const program = { words: ["ssh-keygen"] }
  const keys: Record<string, string> = {}
  for (const name of KEEPERS) {
    const type = name === "bob" ? ["-t", "ecdsa", "-b", "256"] : ["-t", "ed25519"]
    await runToEnd(program, ["-q", ...type, "-N", "", "-C", name, "-f", name], folder)
    keys[name] = (await Bun.file(join(folder, `${name}.pub`)).text()).trim()
  }
  const sign = async (name: Keeper, statement: Uint8Array): Promise<string> => {
    const file = `${randomUUID()}.txt`
    writeFileSync(join(folder, file), statement)
    await runToEnd(program, ["-q", "-Y", "sign", "-n", "cosigner-approval", "-f", name, file], folder)
    return Bun.file(join(folder, `${file}.sig`)).text()
  }
  return { keys: { alice: keys["alice"] ?? "", bob: keys["bob"] ?? "", carol: keys["carol"] ?? "" }, sign }
}

test.if(LONG)(
  "a payment above the limit is signed once two people who did not ask for it agree, and never before",
  async () => {
    await using scanned = await scannedDeployment(3)
    const { deployment } = scanned
    const { keys, sign } = await people(join(deployment.dir, "people"))
    for (const node of deployment.nodes) {
      const allow = `[embedded_risk_control_rules.key_gen]\nreject_all = false\n[[embedded_risk_control_rules.key_gen.allow_list]]\nthreshold = 2\nnode_ids = ${JSON.stringify(deployment.nodes.map(({ nodeId }) => nodeId))}`
      const file = join(node.dir, "configs", "cosigner.toml")
      writeFileSync(file, `${await Bun.file(file).text()}\n${treasuryRules(keys, allow)}`)
    }
    const vault = await readyVault(deployment, 2)
    const { client } = deployment

    const ask = async (value: string, nonce: number): Promise<string> => {
      const { sign_request_id: id } = await client.createSignRequest(vault.vaultId, {
        ...{ request_id: randomUUID(), deadline_seconds: 120 },
        ...payment(value, nonce),
        key_share_holder_group_id: vault.holderGroupId,
      })
      return id
    }
    const statusOf = async (id: string) => (await client.signRequest(vault.vaultId, id)).status
    const ended = (id: string) =>
      until("the end of a request", async () => {
        const now = await client.signRequest(vault.vaultId, id)
        return ["Completed", "Declined", "Failed", "Canceled"].includes(now.status) ? now : undefined
      })
    const waits = (id: string, is: (by: readonly string[], request: boolean) => boolean) =>
      awaited(client, vault.vaultId, id, is)
    const say = async (id: string, name: Keeper, decision: ApprovalDecision) => {
      const { statement, reading } = await wordOn(await waits(id, () => true), name, decision)
      expect(reading[0]).toContain(`to ${EXCHANGE}`)
      const word = { statement: Buffer.from(statement).toString(), ssh_signature: await sign(name, statement) }
      await client.approve(vault.vaultId, id, word)
      return word
    }

    // At most the limit: nobody is asked.
    expect((await ended(await ask("0.5", 0))).status).toBe("Completed")

    const large = await ask("2", 1)
    const other = await ask("3", 2)
    await say(large, "carol", "request")
    await say(large, "carol", "approve")
    const bobs = await say(other, "bob", "approve")
    await expect(client.approve(vault.vaultId, large, bobs)).rejects.toThrow()
    await say(large, "alice", "approve")
    await waits(large, (by, request) => !request && by.join() === "alice")
    expect(await statusOf(large)).toBe("Approving")

    // A node that is started again is told everything again.
    const [first] = deployment.nodes
    if (first === undefined) throw new Error("three nodes")
    await deployment.endNode(first, "SIGKILL")
    await deployment.startNode(first)
    await waits(large, (by, request) => !request && by.join() === "alice")

    await say(large, "bob", "approve")
    const done = await ended(large)
    expect(done).toMatchObject({ status: "Completed", failed_reason: "" })
    expect(done.signatures).toHaveLength(1)

    await say(other, "alice", "request")
    await say(other, "carol", "reject")
    const refused = await ended(other)
    expect(refused).toMatchObject({ status: "Declined", signatures: [] })
    expect(refused.failed_reason).toContain("E-RSK-024")
    expect(refused.failed_reason).toContain("rejected by carol of treasury")
  },
)
