/** Many requests at once, and one sick node of three, on the real binary: nothing is declined that nobody refused. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { toHex } from "../../src/bytes.ts"
import { isCode } from "../../src/errors.ts"
import type { DemoVault } from "../../src/kit/demo/keys.ts"
import type { Actor } from "../../src/kit/demo/processes.ts"
import { solana } from "../../src/kit/demo/signatures.ts"
import type { SignRequestObject } from "../../src/waas/client.ts"
import { readyVault, type TestDeployment, testDeployment } from "./deployment.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"

let it: TestDeployment
let vault: DemoVault
let third: Actor

beforeAll(async () => {
  it = await testDeployment(3)
  vault = await readyVault(it.deployment, 2)
  const [, , node] = it.deployment.nodes
  if (node === undefined) throw new Error("there are three")
  await it.deployment.endNode(node, "SIGTERM")
  third = await it.deployment.startNode(node)
}, 60_000)

afterAll(() => it[Symbol.asyncDispose](), 60_000)

/** The request, or undefined where WaaS said 429. */
async function ask(index: number): Promise<SignRequestObject | undefined> {
  const wanted = solana(vault, index)
  try {
    return await it.deployment.client.createSignRequest(vault.vaultId, {
      request_id: randomUUID(),
      curve: "ED25519",
      signature_type: 2,
      messages: [{ bip32_path: wanted.path, msg_hash: `0x${toHex(wanted.message)}`, tweak: "" }],
      deadline_seconds: 300,
    })
  } catch (error) {
    if (isCode(error, "E-WAA-012") && error.data.status === 429) return undefined
    throw error
  }
}

/** Once it has ended; asked by long polls, as callers do. */
async function ended(id: string): Promise<SignRequestObject> {
  for (;;) {
    try {
      const now = await it.deployment.client.signRequest(vault.vaultId, id, 50)
      if (!["Initializing", "Approving", "Processing"].includes(now.status)) return now
    } catch (error) {
      // Its own limit of requests per second holds for polls too.
      if (!isCode(error, "E-WAA-012") || error.data.status !== 429) throw error
      await Bun.sleep(1_000)
    }
  }
}

const outcome = ({ status, failed_reason }: SignRequestObject): string => `${status} ${failed_reason}`.trim()

const countsOf = (words: readonly string[]): Readonly<Record<string, number>> =>
  Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]))

async function allAtOnce(count: number): Promise<Readonly<Record<string, number>>> {
  const asked = await Promise.all(Array.from({ length: count }, (_, index) => ask(index)))
  const taken = asked.flatMap((request) => request ?? [])
  const ends = await Promise.all(taken.map(async ({ sign_request_id }) => outcome(await ended(sign_request_id))))
  return { ...countsOf(ends), 429: count - taken.length }
}

test(
  "a backlog: every request that was taken completes, the others got 429",
  async () => {
    const count = LONG ? 10_000 : 200
    const { Completed = 0, 429: refused = 0, ...others } = await allAtOnce(count)
    expect(others).toEqual({})
    expect(Completed + refused).toBe(count)
    expect(Completed).toBeGreaterThanOrEqual(100)
  },
  LONG ? 600_000 : 120_000,
)

const REQUESTS = LONG ? 100 : 12

/** One after another, so that each meets the node as it is; the slowest took so long, ms. */
async function oneByOne(): Promise<{ readonly ends: Readonly<Record<string, number>>; readonly slowestMs: number }> {
  const words: string[] = []
  let slowestMs = 0
  for (let index = 0; index < REQUESTS; index++) {
    const begun = performance.now()
    const asked = await ask(index)
    if (asked === undefined) throw new Error("one at a time is within every limit")
    words.push(outcome(await ended(asked.sign_request_id)))
    slowestMs = Math.max(slowestMs, performance.now() - begun)
  }
  return { ends: countsOf(words), slowestMs }
}

test("a node that hangs: every request completes, the first that meets it within seconds", async () => {
  process.kill(third.pid, "SIGSTOP")
  try {
    const { ends, slowestMs } = await oneByOne()
    expect(ends).toEqual({ Completed: REQUESTS })
    // Two seconds of silence, and a quorum without it.
    expect(slowestMs).toBeLessThan(15_000)
  } finally {
    process.kill(third.pid, "SIGCONT")
  }
}, 120_000)

test("a node that restarts again and again: every request completes", async () => {
  const [, , node] = it.deployment.nodes
  if (node === undefined) throw new Error("there are three")
  let isOver = false
  const restarting = (async () => {
    while (!isOver) {
      await it.deployment.endNode(node, "SIGKILL")
      third = await it.deployment.startNode(node)
      await Bun.sleep(500)
    }
  })()
  try {
    expect((await oneByOne()).ends).toEqual({ Completed: REQUESTS })
  } finally {
    isOver = true
    await restarting
  }
}, 120_000)

test("a node that is away: every request completes, and its absence is no delay", async () => {
  const [, , node] = it.deployment.nodes
  if (node === undefined) throw new Error("there are three")
  await it.deployment.endNode(node, "SIGTERM")
  const { ends, slowestMs } = await oneByOne()
  expect(ends).toEqual({ Completed: REQUESTS })
  expect(slowestMs).toBeLessThan(10_000)
}, 120_000)
