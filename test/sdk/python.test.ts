/**
 * The published Python SDK against the real binary: every call that concerns MPC wallets, its answer read by the SDK's own
 * models. Part of the long suite; needs a Python with `cobo-waas2` 1.46, named by COSIGNER_SDK_PYTHON, and is skipped without.
 */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { Transaction, verifyMessage } from "ethers"
import { testDeployment } from "../e2e/deployment.ts"
import { cosigner } from "../support/binary.ts"
import { evmEndpoint } from "../support/evmEndpoint.ts"

const python = process.env["COSIGNER_SDK_PYTHON"]
const skipped = python === undefined ? "COSIGNER_SDK_PYTHON names no Python with cobo-waas2" : undefined
if (skipped !== undefined) console.log(`skipped: ${skipped}`)

/** Calls of the 48 that concern MPC wallets which have no place here, each with its reason. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  resend: "send its raw_tx to the chain again",
  drop: "WaaS builds no replacements",
  speedup: "WaaS builds no replacements",
  "wallets.balances": "WaaS does not watch chains",
  "addresses.validity": "addresses are checked where they are used",
}

interface Line {
  readonly call?: string
  readonly type?: string
  readonly error?: string
  readonly signed?: string
  readonly status?: string
  readonly failed_reason?: string | null
  readonly signature?: string | null
  readonly raw_tx?: string | null
  readonly address?: string
  readonly start?: string
  readonly end?: boolean
}

test.skipIf(skipped !== undefined)(
  "the Python SDK makes project, vault, keys, wallet, addresses, messages, transfers and webhooks",
  async () => {
    await using rpc = evmEndpoint()
    const told: string[] = []
    await using hook = listener(told)
    const chains = `[[waas.chains]]\nid = "ETH"\nrpc_url = "${rpc.url}"\n[[waas.chains]]\nid = "BTC"\n`
    const waas = (toml: string) => `${toml.replace("#hosts = []", 'hosts = ["127.0.0.1"]')}\n${chains}`
    await using it = await testDeployment(6, undefined, waas)
    const { deployment } = it
    const key = await cosigner(["waas", "key", "create", "--dir", "waas", "--name", "sdk", "--json"], {
      cwd: deployment.dir,
    })
    const info = await cosigner(["waas", "info", "--dir", "waas", "--json"], { cwd: deployment.dir })
    const given = {
      host: `${deployment.url}/v2`,
      response_key: JSON.parse(info.stdout).response_key,
      api_secret: JSON.parse(key.stdout).secret,
      nodes: deployment.nodes.map(({ name, nodeId }) => [name, nodeId]),
      hook: `${hook.url}hook`,
      to: "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    }
    const script = Bun.spawn([python ?? "", join(import.meta.dir, "calls.py"), JSON.stringify(given)], {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    })
    const lines: Line[] = []
    for await (const line of linesOf(script.stdout)) {
      lines.push(line)
      if (line.start === undefined) continue
      await Promise.all(deployment.nodes.slice(0, 5).map((node) => deployment.startNode(node)))
      script.stdin.write("\n")
      script.stdin.flush()
    }
    const stderr = await new Response(script.stderr).text()
    const calls = lines.flatMap(({ call, error }) => (call === undefined ? [] : [{ call, error }]))
    const failed = calls.filter(({ error }) => error !== undefined)
    expect({ failed, stderr: stderr.slice(-2000), ended: lines.some(({ end }) => end === true) }).toEqual({
      failed: [],
      stderr: expect.any(String),
      ended: true,
    })
    const names = new Set(calls.map(({ call }) => call.replace(/ \(.*\)$/, "")))
    console.log(
      `${names.size} different calls answered as the SDK's models want; left out: ${Object.keys(LEFT_OUT).join(", ")}`,
    )
    expect(names.size).toBeGreaterThanOrEqual(42)
    const message = lines.find(({ signed }) => signed === "message")
    expect(verifyMessage("hello", message?.signature ?? "")).toBe(message?.address ?? "")
    const transfer = lines.find(({ signed }) => signed === "transfer")
    expect(Transaction.from(transfer?.raw_tx ?? "").from).toBe(transfer?.address ?? "")
    expect(rpc.sent.length).toBeGreaterThanOrEqual(1)
    expect(told).toContain("wallets.mpc.tss_request.succeeded")
  },
  180_000,
)

function listener(told: string[]) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      told.push(((await request.json()) as { type: string }).type)
      return new Response("ok")
    },
  })
  return { url: server.url.href, [Symbol.asyncDispose]: () => server.stop(true) }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Line> {
  const decoder = new TextDecoder()
  let rest = ""
  for await (const chunk of stream) {
    rest += decoder.decode(chunk, { stream: true })
    const whole = rest.split("\n")
    rest = whole.pop() ?? ""
    for (const line of whole) if (line.startsWith("{")) yield JSON.parse(line)
  }
}
