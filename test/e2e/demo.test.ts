/**
 * `cosigner demo --json` on the real binary, every signature verified here with implementations that cosigner does not use for
 * it; and nothing that it leaves behind, at level trace, holds a secret of its nodes.
 */

import { expect, test } from "bun:test"
import { createPrivateKey, createPublicKey, verify } from "node:crypto"
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { recover, verify as verifyEcdsa, verifySchnorr } from "tiny-secp256k1"
import { copy, fromHex } from "../../src/bytes.ts"
import { binary } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { acquit, LeakScanner } from "./leaks/leakScanner.ts"
import { watchProcesses } from "./leaks/processes.ts"
import { Databases, tellRsa } from "./leaks/secrets.ts"
import { AT_HOME } from "./leaks/surveillance.ts"

const bytes = (hex: unknown): Uint8Array => {
  const out = typeof hex === "string" ? fromHex(hex) : undefined
  if (out === undefined) throw new Error(`not hex: ${String(hex)}`)
  return out
}

type Step = Readonly<Record<string, unknown>>

function verifies(step: Step): boolean {
  const [publicKey, message, signature] = [bytes(step["public_key"]), bytes(step["message"]), bytes(step["signature"])]
  switch (step["scheme"]) {
    case "eddsa": {
      const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), publicKey])
      return verify(null, message, createPublicKey({ key: der, format: "der", type: "spki" }), signature)
    }
    case "ecdsa": {
      const recid = step["recid"]
      if (recid !== 0 && recid !== 1 && recid !== 2 && recid !== 3) return false
      const recovered = recover(message, signature, recid, true)
      return (
        verifyEcdsa(message, publicKey, signature, true) &&
        recovered !== null &&
        Buffer.compare(recovered, publicKey) === 0
      )
    }
    case "bip340":
      return verifySchnorr(message, publicKey, signature)
    default:
      return false
  }
}

const NODES = ["node1", "node2", "node3", "node4"]

/** The whole run at level trace in a folder that is kept, under the eyes of the leakScanner; its stdout. */
async function run(): Promise<string> {
  const dir = temporaryFolder("demo-test").path
  using leakScanner = new LeakScanner()
  using databases = new Databases()
  using watching = watchProcesses(leakScanner)
  // its nodes come, go for good and are wiped while it plays
  const copying = setInterval(() => {
    for (const node of NODES) databases.copy(node, join(dir, node))
  }, 250)
  try {
    const child = Bun.spawn([binary, "demo", "--json", "-v", "--dir", dir], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
      env: { PATH: process.env["PATH"] ?? "", HOME: process.env["HOME"] ?? "/" },
    })
    watching.logTap.started(child.pid, ["demo"])
    const [stdout, stderr, exit] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" })
    leakScanner.hear("output", "demo", stdout)
    leakScanner.hearFolder("file", dir)
    expect([...databases.tell(leakScanner).nodes].sort()).toEqual(NODES)
    const serverKey = readFileSync(join(dir, "risk", "callback-server.key"), "utf8")
    tellRsa(leakScanner, "key of the callback server", createPrivateKey(serverKey))
    leakScanner.except(...AT_HOME, {
      channel: "file",
      source: /^risk\/callback-server\.key$/,
      secret: /of key of the callback server$/,
      why: "the key file of that server, mode 600",
    })
    leakScanner.expect(
      { channel: "argv", what: "a node of the run", text: "start\0--key-file\0.password" },
      { channel: "output", what: "the last step", text: '"step":"done","ok":true' },
      { channel: "file", what: "a trace on stderr", text: 'level=trace msg="frame in"' },
      { channel: "file", what: "a trace in a log file", text: '"level":"trace","msg":"frame in"' },
      { channel: "file", what: "an event as its server printed it", text: "request.keysign.succeeded" },
    )
    acquit(leakScanner.judge())
    return stdout
  } finally {
    clearInterval(copying)
    rmSync(dir, { recursive: true, force: true })
  }
}

/** A payout in words, and what is refused by its payload or by rules over what it does. */
function refusesByIntents(steps: readonly Step[]): void {
  expect(steps.filter(({ step }) => step === "intent")).toEqual([
    {
      step: "intent",
      chain: "eip155:1",
      text: [expect.stringMatching(/^transfer 0\.3 ETH to 0x[0-9a-fA-F]{40} \(@exchange\) on eip155:1, fee at most/)],
      hash: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      at_ms: expect.any(Number),
    },
  ])
  const refusals = steps.filter(({ step, by }) => step === "refused" && (by === "intent" || by === "rule"))
  const expected: readonly (readonly [string, RegExp])[] = [
    ["intent", /^E-INT-005 /],
    ["intent", /^E-INT-005 /],
    ["intent", /^E-INT-005 /],
    ["rule", /^E-RSK-018 .*\(approve unlimited /],
    ["rule", /^E-RSK-018 .*\(run the code of 0x/],
    ["rule", /^E-RSK-018 .*\(approve the hash 0x/],
    ["intent", /^E-INT-066 /],
    ["rule", /^E-RSK-018 .*fee at most 0\.049 BTC/],
    ["rule", /^E-RSK-011 .*eth-day/],
  ]
  expect(refusals.map(({ by, reason }) => [by, reason])).toEqual(
    expected.map(([by, reason]) => [by, expect.stringMatching(reason)]),
  )
  // every pair of nodes was asked to sign the payload that its hash contradicts
  const pairs = refusals.slice(0, 3).map(({ nodes }) => JSON.stringify(nodes))
  expect(new Set(pairs).size).toBe(3)
}

test("the demo signs on both curves with every pair of nodes, and libsecp256k1 and OpenSSL agree", async () => {
  const stdout = await run()
  const steps: Step[] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  expect(steps.at(-1)).toMatchObject({ step: "done", ok: true })

  // a backup was restored, and two recovery files made the root key
  const made = steps.map((step) => step["step"])
  expect(made).toEqual(expect.arrayContaining(["backup", "wipe", "restore", "refresh", "export"]))
  expect(steps.find((step) => step["step"] === "reconstruct")).toMatchObject({ matches: true })
  // two people approved a payout that a third had asked for, each with what their own program read
  const words = steps.filter((step) => step["step"] === "word")
  expect(words.map(({ decision, approver }) => `${decision} ${approver}`)).toEqual([
    "request ops",
    "approve ada",
    "approve bob",
  ])
  for (const { text } of words) expect(JSON.stringify(text)).toContain("transfer 5 000 TOK to 0x")
  const logs = steps.filter((step) => step["step"] === "audit")
  expect(logs.map(({ leaves }) => Number(leaves) > 10)).toEqual([true, true, true])

  const signatures = steps.filter((step) => step["step"] === "sign")
  for (const step of signatures) expect(verifies(step)).toBe(true)
  // who tries it for the first time sees a signature within a minute
  expect(Number(signatures[0]?.["at_ms"])).toBeLessThan(60_000)
  const ofScheme = (scheme: string) => signatures.filter((step) => step["scheme"] === scheme)
  expect(ofScheme("eddsa").length).toBeGreaterThanOrEqual(3)
  expect(ofScheme("ecdsa").length).toBeGreaterThanOrEqual(2)
  expect(ofScheme("bip340").length).toBeGreaterThanOrEqual(1)
  // Every pair of the first three nodes; then one is lost, and the pairs are others.
  const pairs = new Set(ofScheme("eddsa").map((step) => JSON.stringify(step["nodes"])))
  expect(pairs.size).toBeGreaterThanOrEqual(3)
  // the second scenario: the new group signs under the same root keys, the old one does not
  const reshared = steps.findIndex((step) => step["step"] === "reshare")
  const vault = steps.find((step) => step["step"] === "vault")
  expect(steps[reshared]).toMatchObject({ secp256k1: vault?.["secp256k1"], ed25519: vault?.["ed25519"] })
  expect(steps.slice(reshared).filter((step) => step["step"] === "sign").length).toBeGreaterThanOrEqual(3)
  expect(steps.slice(reshared)).toContainEqual(expect.objectContaining({ step: "refused", by: "epoch" }))
  refusesByIntents(steps)
  // the detector detects: a flipped bit of any signature does not verify
  for (const step of signatures) {
    const spoilt = copy(bytes(step["signature"]))
    spoilt[40] = (spoilt[40] ?? 0) ^ 1
    expect(verifies({ ...step, signature: Buffer.from(spoilt).toString("hex") })).toBe(false)
  }
}, 120_000)
