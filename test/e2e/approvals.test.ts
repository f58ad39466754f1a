/**
 * Approvals by people on the real binary: two of treasury above 1 ETH, at every node. They sign with a key file, with ssh-agent, with
 * ssh-keygen on another machine, and with a passkey in a browser. An initiator does not count, a word on another task does not count,
 * and one rejection ends a task.
 */
import { describe, expect, test } from "bun:test"
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { DeployedNode } from "../../src/kit/demo/deployment.ts"
import { generateKeys, makeVault, until } from "../../src/kit/demo/keys.ts"
import { startActor } from "../../src/kit/demo/processes.ts"
import type { Ended } from "../support/binary.ts"
import { chromium, openBrowser } from "../support/browser.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/temporaryFolder.ts"
import { runBeside, type ScannedDeployment, scannedDeployment } from "./deployment.ts"
import { membersTable } from "./guarded.ts"
import { EXCHANGE } from "./treasury.ts"

const isLong = process.env["COSIGNER_LONG"] === "1"
const missing = ["ssh-keygen", "ssh-agent", "ssh-add"].filter((name) => Bun.which(name) === null)
if (isLong && missing.length > 0)
  console.log(`skipped: approvals on the binary, because there is no ${missing.join(", ")}`)
if (isLong && chromium === undefined) console.log("skipped: a passkey on the binary, because no chromium is installed")

const PEOPLE = ["ops", "ada", "bob", "carol"] as const
type Person = (typeof PEOPLE)[number]

const rules = (nodes: readonly DeployedNode[]): string => `
[embedded_risk_control_rules]
enable = true
${membersTable(nodes)}
[embedded_risk_control_rules.key_sign]
reject_all = false
[[embedded_risk_control_rules.key_sign.allow]]
name = "payout"
effects = ["transfer"]
assets = ["ETH"]
max_fee = ["0.02 ETH"]
[[embedded_risk_control_rules.key_gen.require]]
name = "keys"
group = "treasury"
min = 1
[[embedded_risk_control_rules.key_sign.require]]
name = "large"
group = "treasury"
min = 2
above = "1 ETH"
`

interface Office {
  readonly it: ScannedDeployment
  readonly run: (...args: readonly string[]) => Promise<Ended>
  readonly json: (...args: readonly string[]) => Promise<Record<string, unknown>>
  /** Asks for a payment as ops; its request's id. */
  readonly ask: (ether: string, nonce: number) => Promise<string>
  readonly say: (
    decision: string,
    id: string,
    name: Person,
    ...more: readonly string[]
  ) => Promise<Record<string, unknown>>
  readonly ended: (id: string) => Promise<Record<string, unknown>>
  readonly approvers: string
}

/** Of an unencrypted ssh-ed25519: what stands before the last copy of its public half. */
function seedIn(file: string): Uint8Array {
  const bytes = Buffer.from(readFileSync(file, "utf8").split("\n").slice(1, -2).join(""), "base64")
  const line = readFileSync(`${file}.pub`, "utf8").split(" ")[1] ?? ""
  const end = bytes.lastIndexOf(Buffer.from(line, "base64").subarray(-32))
  return bytes.subarray(end - 32, end)
}

/** A vault of two nodes with the same people and rules, and a caller who uses commands alone. */
async function office(it: ScannedDeployment, keys: TemporaryFolder): Promise<Office> {
  const { deployment, surveillance } = it
  const { dir } = deployment
  const keyOf = (name: Person): string => keys.at(name)
  const keygen = (name: Person, ...type: readonly string[]) =>
    Bun.spawnSync(["ssh-keygen", "-q", ...type, "-N", "", "-C", name, "-f", keyOf(name)])
  for (const name of PEOPLE) keygen(name, ...(name === "bob" ? ["-t", "ecdsa", "-b", "256"] : ["-t", "ed25519"]))
  for (const name of PEOPLE)
    if (name !== "bob") surveillance.leakScanner.secret(`SSH key of ${name}`, seedIn(keyOf(name)))
  const entries = PEOPLE.map(
    (name) => `[[approvers]]\nname = "${name}"\nkey = "${readFileSync(`${keyOf(name)}.pub`, "utf8").trim()}"\n`,
  )
  const approvers = join(dir, "approvers.toml")
  writeFileSync(
    approvers,
    `${entries.join("")}[[approver_groups]]\nname = "treasury"\nmembers = ${JSON.stringify(PEOPLE)}\n`,
  )
  for (const node of deployment.nodes)
    appendFileSync(
      join(node.dir, "configs", "cosigner.toml"),
      `${readFileSync(approvers, "utf8")}${rules(deployment.nodes)}`,
    )

  const run = (...args: readonly string[]): Promise<Ended> => runBeside(it, args)
  const json = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
    const { exit, stdout, stderr } = await run(...args, "--json")
    expect({ args, exit, stderr: exit === 0 ? "" : stderr }).toEqual({ args, exit: 0, stderr: "" })
    return JSON.parse(stdout)
  }
  const waas = await json("waas", "info", "--dir", "waas")
  const made = await json("client", "init", "--url", deployment.url, "--response-key", String(waas["response_key"]))
  surveillance.leakScanner.secret("API key of a client", readFileSync(join(dir, "client.key"), "utf8").trim())
  await json("waas", "key", "create", "--dir", "waas", "--name", "office", "--public-key", String(made["public_key"]))
  const bound = await makeVault(deployment, deployment.nodes, 2)
  await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))
  const making = generateKeys(deployment, bound)
  const say = (decision: string, id: string, name: Person, ...more: readonly string[]) =>
    json("approve", decision, id, "--as", name, "--key", keyOf(name), "--approvers", approvers, "--yes", ...more)
  // a key generation waits for people too: one request with a task for each curve
  const inVault = ["--vault", bound.vaultId]
  const keyRequest = await until("a key generation that waits", async () => {
    const [first, second]: unknown[] = Object(await json("approve", "list", ...inVault))
    return second === undefined ? undefined : String(Reflect.get(Object(first), "request_id"))
  })
  await say("request", keyRequest, "ops", ...inVault)
  expect(await say("approve", keyRequest, "ada", ...inVault)).toMatchObject({
    tasks: [{ type: "KeyGen" }, { type: "KeyGen" }],
  })
  const vault = await making
  const profile = join(dir, "client.toml")
  const named = `[client]\nvault = "${vault.vaultId}"\nroots = ${JSON.stringify(Object.values(vault.roots))}`
  writeFileSync(profile, readFileSync(profile, "utf8").replace("[client]", named))
  return {
    it,
    run,
    json,
    approvers,
    ask: async (ether, nonce) => {
      const what = ["--chain", "ETH", "--to", EXCHANGE, "--amount", `${ether} ETH`, "--nonce", `${nonce}`]
      const fees = ["--gas", "21000", "--max-fee", "20", "--priority-fee", "1"]
      const asked = await json(
        ...["client", "transfer", "--path", "m/44/60/0/0/0", ...what, ...fees, "--as", "ops", "--key", keyOf("ops")],
      )
      return String(asked["sign_request_id"])
    },
    say,
    ended: async (id) => {
      const { stdout, stderr } = await run("client", "request", "show", id, "--wait", "--json")
      return JSON.parse(stdout.trim() === "" ? (stderr.trim().split("\n").at(-1) ?? "{}") : stdout)
    },
  }
}

describe.skipIf(!isLong || missing.length > 0)("people", () => {
  test("two of treasury sign what is above the limit; the initiator, a rejection and another task's word do what they should", async () => {
    using keys = temporaryFolder("people")
    await using it = await scannedDeployment(2)
    const { run, json, ask, say, ended, approvers } = await office(it, keys)
    const { dir } = it.deployment

    // below the limit nobody is asked
    expect(await ended(await ask("0.5", 0))).toMatchObject({ status: "Completed" })

    // a key file, then ssh-agent
    const watching = startActor(
      it.program,
      "watch",
      ["approve", "list", "--watch", "--json"],
      dir,
      join(dir, "watch.log"),
    )
    const first = await ask("2", 1)
    expect(JSON.parse(await watching.line((line) => line.includes(first), 20_000))).toMatchObject({ request_id: first })
    await watching.end("SIGTERM")
    const listed = (await json("approve", "list", "--approvers", approvers)) as unknown as readonly Record<
      string,
      unknown
    >[]
    expect(listed).toMatchObject([
      {
        request_id: first,
        text: [`transfer 2 ETH to ${EXCHANGE} on eip155:1, fee at most 0.00042 ETH`],
        unverified: ["what WaaS says beside the payload (extra_info); it is not shown"],
        problem: null,
        statements: [{ decision: "request", approver: "ops", verified: true }],
      },
    ])
    expect(await say("approve", first, "ada")).toMatchObject({ decision: "approve", sent: true })
    const socket = join(dir, "agent.sock")
    const agent = Bun.spawn(["ssh-agent", "-D", "-a", socket], { stdout: "pipe", stderr: "ignore" })
    try {
      await agent.stdout.getReader().read()
      const env = { SSH_AUTH_SOCK: socket }
      Bun.spawnSync(["ssh-add", "-q", keys.at("bob")], { env: { ...process.env, ...env } })
      const args = ["approve", "approve", first, "--as", "bob", "--key", keys.at("bob.pub"), "--yes"]
      expect(await runBeside(it, args, env)).toMatchObject({ exit: 0 })
    } finally {
      agent.kill()
      await agent.exited
    }
    expect(await ended(first)).toMatchObject({ status: "Completed", verified: true })

    // the initiator's own approval counts for nothing, and a rejection ends it
    const second = await ask("3", 2)
    await say("approve", second, "ops")
    await say("approve", second, "ada")
    await say("reject", second, "carol")
    const refused = await ended(second)
    expect(JSON.stringify(refused)).toContain("carol")
    expect((await json("client", "request", "show", second))["status"]).toBe("Declined")

    // a statement that is signed on another machine; for another task it is none
    const [third, fourth] = [await ask("4", 3), await ask("4", 4)]
    const printed = await run("approve", "approve", third, "--as", "bob", "--statement-only")
    writeFileSync(join(dir, "word"), printed.stdout)
    expect(printed.stdout).toContain(`  transfer 4 ETH to ${EXCHANGE} on eip155:1, fee at most 0.00042 ETH\n`)
    Bun.spawnSync([
      "ssh-keygen",
      "-q",
      "-Y",
      "sign",
      "-n",
      "cosigner-approval",
      "-f",
      keys.at("bob"),
      join(dir, "word"),
    ])
    const back = ["--signature", "word.sig", "--approvers", approvers]
    const elsewhere = await run("approve", "approve", fourth, ...back)
    expect([elsewhere.exit, elsewhere.stderr]).toEqual([5, expect.stringContaining("E-CLI-049")])
    expect(await run("approve", "reject", third, ...back)).toMatchObject({ exit: 5 })
    expect(await run("approve", "approve", third, ...back)).toMatchObject({ exit: 0 })
    expect(await run("approve", "approve", third, ...back)).toMatchObject({ exit: 0 })
    await say("approve", third, "ada", "--with", "ssh-keygen")
    expect(await ended(third)).toMatchObject({ status: "Completed" })

    // without a terminal nobody says yes, and a key of nobody is not sent
    const silent = await run("approve", "approve", fourth, "--as", "ada", "--key", keys.at("ada"))
    expect([silent.exit, silent.stderr]).toEqual([5, expect.stringContaining("E-CLI-048")])
    const mine = await run(
      "approve",
      "approve",
      fourth,
      "--as",
      "ada",
      "--key",
      keys.at("bob"),
      "--approvers",
      approvers,
      "--yes",
    )
    expect([mine.exit, mine.stderr]).toEqual([5, expect.stringContaining("E-CLI-049")])
    await json("client", "request", "cancel", fourth)
  }, 180_000)

  test.skipIf(chromium === undefined)(
    "a passkey that was made on the page approves there",
    async () => {
      using keys = temporaryFolder("people")
      await using it = await scannedDeployment(2)
      const { ask, say, ended, approvers } = await office(it, keys)
      const { deployment, program } = it
      const log = join(deployment.dir, "page.log")
      const args = ["approvals-page", "--approvers", approvers, "--listen", "127.0.0.1:0", "--json"]
      const served = startActor(program, "page", args, deployment.dir, log)
      await using browser = await openBrowser(chromium ?? "")
      try {
        const { url } = JSON.parse(await served.line((line) => line.includes("listening"), 20_000))
        const page = await browser.page()
        await page.send("WebAuthn.enable")
        const options = { protocol: "ctap2", transport: "internal", hasUserVerification: true, isUserVerified: true }
        await page.send("WebAuthn.addVirtualAuthenticator", { options: { ...options, hasResidentKey: true } })
        await page.goto(url)
        await page.value(`document.querySelector("#name").value = "dan"`)
        await page.value(`document.querySelector("#registration button").click()`)
        const { entry } = JSON.parse(await served.line((line) => line.includes('"passkey"'), 20_000))
        const members = `members = ${JSON.stringify([...PEOPLE, "dan"])}`
        const files = [approvers, ...deployment.nodes.map(({ dir }) => join(dir, "configs", "cosigner.toml"))]
        for (const file of files) {
          const text = readFileSync(file, "utf8").replace(/members = .*/, members)
          writeFileSync(file, text.replace("[[approver_groups]]", `${entry}[[approver_groups]]`))
        }
        for (const node of deployment.nodes) await deployment.endNode(node, "SIGTERM")
        for (const node of deployment.nodes) await deployment.startNode(node)

        const id = await ask("2", 0)
        await say("approve", id, "ada")
        await page.goto(url)
        await page.until(`document.querySelector("#approver").value === "dan"`)
        await page.until(`document.querySelector('button[data-decision="approve"]')`)
        expect(await page.value(`document.querySelector(".words").innerText`)).toContain(
          `transfer 2 ETH to ${EXCHANGE}`,
        )
        await page.value(`document.querySelector('button[data-decision="approve"]').click()`)
        await page.until(`document.querySelector("#news").textContent.includes("dan says approve")`)
        expect(await ended(id)).toMatchObject({ status: "Completed", verified: true })
      } finally {
        await served.end("SIGTERM")
      }
    },
    180_000,
  )
})
