/** A policy bundle on the real binary, under load: tightened and loosened, vetoed, and left by nobody's hand alone. */
import { expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { writeOrder } from "../../src/approvals/order.ts"
import { armorSshsig } from "../../src/approvals/sshsig.ts"
import { toHex, utf8 } from "../../src/bytes.ts"
import { until } from "../../src/kit/demo/keys.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import { sshTestKey } from "../support/approvers.ts"
import { readyVault, runScanned, scannedDeployment } from "./deployment.ts"
import { membersTable } from "./guarded.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const KEYS = { alice: sshTestKey("ssh-ed25519"), bob: sshTestKey("ecdsa-sha2-nistp256") }
const DELAY_MS = 20_000

test.if(LONG)(
  "tightened and loosened under load: what tightens counts at once, what loosens not before its time",
  async () => {
    await using it = await scannedDeployment(3)
    const { deployment, surveillance } = it
    const [first, second] = [deployment.nodes[0]!, deployment.nodes[1]!]
    const toml = join(first.dir, "configs", "cosigner.toml")
    const file = join(first.dir, "policy.bundle")
    const host = readFileSync(toml, "utf8")
    const waasKey = /waas_public_key = "([0-9a-f]+)"/.exec(host)?.[1] ?? ""
    const bundle = (version: number, paths: string): void => {
      const people = Object.entries(KEYS).map(
        ([name, { line }]) => `[[approvers]]\nname = "${name}"\nkey = "${line}"\n`,
      )
      const text = `[bundle]\nversion = ${version}\nowners = "owners"\nmin = 2\ndelay = "20s"\n[websocket]\nwaas_public_key = "${waasKey}"
[[approver_groups]]\nname = "owners"\nmembers = ["alice", "bob"]\n${people.join("")}[embedded_risk_control_rules]\nenable = true
${membersTable(deployment.nodes)}\n[embedded_risk_control_rules.key_sign]\nreject_all = false\nallowed_paths = ["${paths}"]\n`
      const signed = Object.entries(KEYS).map(
        ([name, key]) => `signed: ${name}\n${armorSshsig(key.sign(utf8(text), "cosigner-policy"))}`,
      )
      writeFileSync(file, `cosigner policy bundle v1\n${signed.join("")}document:\n${text}`)
    }
    bundle(1, "m/44/501/**")
    writeFileSync(toml, host.replace(/^waas_public_key.*$/m, "").replace(/^danger_allow_unguarded.*$/m, ""))
    appendFileSync(toml, `\n[policy]\nbundle = "policy.bundle"\nowners = "owners"\nmin = 2\ndelay = "20s"\n`)
    const vault = await readyVault(deployment, 2)
    const ask = async (index: number): Promise<string> => {
      const { message, path } = solana(vault, index)
      const { sign_request_id: id } = await deployment.client.createSignRequest(vault.vaultId, {
        request_id: randomUUID(),
        curve: "ED25519",
        signature_type: 2,
        key_share_holder_group_id: vault.holderGroupId,
        used_tss_node_ids: [first.nodeId, second.nodeId],
        messages: [{ bip32_path: path, msg_hash: `0x${toHex(message)}`, tweak: "" }],
        deadline_seconds: 60,
      })
      return until("the end of a request", async () => {
        const { status, failed_reason } = await deployment.client.signRequest(vault.vaultId, id, 10)
        if (["Initializing", "Approving", "Processing"].includes(status)) return undefined
        return status === "Completed" ? status : failed_reason.slice(0, 9)
      })
    }
    const ends: { readonly atMs: number; readonly end: string }[] = []
    let isOver = false
    // what it meets once the deployment ends is nobody's; that it met something before is seen by what follows
    const load = (async () => {
      for (let index = 0; !isOver; index++) {
        const atMs = Date.now()
        ends.push({ atMs, end: await ask(index) })
        await Bun.sleep(200)
      }
    })().catch(() => undefined)
    const hup = async (said: string): Promise<number> => {
      process.kill(surveillance.actorOf(first).pid, "SIGHUP")
      await until(said, async () => {
        const { stdout } = await runScanned(surveillance, first, ["policy", "status", "--json"])
        await Bun.sleep(700)
        return JSON.stringify(JSON.parse(stdout)).includes(said) ? true : undefined
      })
      return Date.now()
    }
    await until("signatures", async () => (ends.some(({ end }) => end === "Completed") ? true : undefined))
    // nothing passes under the next one
    bundle(2, "m/2147483647/1")
    const tightenedMs = await hup('"active":{"version":2')
    await Bun.sleep(3_000)
    // everything passes under this one, after the delay
    bundle(3, "m/**")
    const waitsMs = await hup('"waiting":{"version":3')
    await until("version 3", async () => {
      const { stdout } = await runScanned(surveillance, first, ["policy", "status", "--json"])
      await Bun.sleep(700) // a command has a rate
      return JSON.parse(stdout).active?.version === 3 ? true : undefined
    })
    const loosenedMs = Date.now()
    const before = ends.length
    await until("signatures again", async () =>
      ends.slice(before).some(({ end }) => end === "Completed") ? true : undefined,
    )
    isOver = true
    await load
    expect(loosenedMs - waitsMs).toBeGreaterThan(DELAY_MS - 2_000)
    const between = ends.filter(({ atMs }) => atMs > tightenedMs && atMs < waitsMs + DELAY_MS - 2_000)
    expect(between.length).toBeGreaterThan(5)
    expect(new Set(between.map(({ end }) => end))).toEqual(new Set(["E-RSK-009"]))
    // one of its people freezes it from afar, and the others lift that together
    const order = (kind: "freeze" | "unfreeze", name: keyof typeof KEYS): string => {
      const about = kind === "freeze" ? "node" : "everything"
      const notAfter = Math.ceil(Date.now() / 1000) + 600
      const nonce = randomUUID().replaceAll("-", "")
      const bytes = writeOrder({ kind, node: first.nodeId, about, until: undefined, approver: name, notAfter, nonce })
      return Buffer.from(bytes).toString() + armorSshsig(KEYS[name].sign(bytes, "cosigner-freeze"))
    }
    const hand = (text: string) =>
      deployment.client.call("POST", `/wallets/mpc/nodes/${first.nodeId}/orders`, {}, { order: text })
    const isFrozen = async () => {
      const { stdout } = await runScanned(surveillance, first, ["status", "--json"])
      return stdout.includes("E-FRZ-004")
    }
    await hand(order("freeze", "alice"))
    await until("the freeze", async () => ((await isFrozen()) ? true : undefined))
    expect((await runScanned(surveillance, first, ["unfreeze", "--key-file", ".password"])).stderr).toContain(
      "E-POL-010",
    )
    await hand(order("unfreeze", "alice"))
    await hand(order("unfreeze", "bob"))
    await until("the end of the freeze", async () => ((await isFrozen()) ? undefined : true))
    // without its bundle it does not start
    await deployment.endNode(first, "SIGTERM")
    writeFileSync(toml, host)
    const { exit, stderr } = await runScanned(surveillance, first, ["start", "--key-file", ".password"])
    expect([exit, stderr]).toEqual([5, expect.stringContaining("E-POL-003")])
  },
  240_000,
)
