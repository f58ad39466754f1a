/**
 * A published SDK against the real binary: six nodes, a WaaS with an EVM endpoint and a webhook, and a script that makes every call
 * that concerns MPC wallets and has each answer read by the SDK's own models. Of the SDKs that are tested, each has its script.
 */
import { expect } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Transaction, verifyMessage } from "ethers"
import { testDeployment } from "../e2e/deployment.ts"
import { cosigner, root } from "../support/binary.ts"
import { evmEndpoint } from "../support/evmEndpoint.ts"

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

const PAGE = join(root, "docs/how-to/use-the-sdks.md")

/** The calls that docs/how-to/use-the-sdks.md says are answered, sorted. `inPythonAlone` are marked there. */
export function documentedCalls(): { readonly all: readonly string[]; readonly inPythonAlone: readonly string[] } {
  const [, section = ""] = readFileSync(PAGE, "utf8").split("## Which calls answer")
  const rows = (section.split("## ")[0] ?? "").split("\n").filter((line) => line.startsWith("|"))
  const found = rows.flatMap((row) => [...row.matchAll(/`([a-z_.]+)`( \*)?/g)])
  const calls = found.map(([, name = "", mark]) => ({ name, marked: mark !== undefined }))
  const sorted = (among: typeof calls) => among.map(({ name }) => name).sort()
  return { all: sorted(calls), inPythonAlone: sorted(calls.filter(({ marked }) => marked)) }
}

/** Runs the script with the deployment as its last argument. Answers the names of the calls, sorted, each of which was answered as it should be. */
export async function callsOf(command: readonly string[]): Promise<readonly string[]> {
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
  const script = Bun.spawn([...command, JSON.stringify(given)], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 150_000,
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
  const message = lines.find(({ signed }) => signed === "message")
  expect(verifyMessage("hello", message?.signature ?? "")).toBe(message?.address ?? "")
  const transfer = lines.find(({ signed }) => signed === "transfer")
  expect(Transaction.from(transfer?.raw_tx ?? "").from).toBe(transfer?.address ?? "")
  expect(rpc.sent.length).toBeGreaterThanOrEqual(1)
  expect(told).toContain("wallets.mpc.tss_request.succeeded")
  return [...new Set(calls.map(({ call }) => call.replace(/ \(.*\)$/, "")))].sort()
}

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
