/** An approvals page whose tasks are the test's, and which remembers what it would send to WaaS. */
import type { Approver, SignedStatement } from "../../../src/approvals/approver.ts"
import { CosignerError } from "../../../src/errors.ts"
import { servePage } from "../../../src/kit/approvalsPage/server.ts"
import type { WaitingTask } from "../../../src/kit/approving/desk.ts"
import { world } from "../../tasks/fakes.ts"
import { withPayloads } from "../../tasks/payloads.ts"
import { self } from "../../tasks/scenario.ts"

export const PAYMENT = "transfer 1 ETH to 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f on eip155:1, fee at most 0.01 ETH"

export const waitingTask = (changes: Partial<WaitingTask> = {}): WaitingTask => ({
  requestId: "request-1",
  task: { ...withPayloads(world(self)), deadline_ms: 4_000_000_000_000 },
  subject: {
    task: "task-1",
    document: "ab".repeat(32),
    intent: `0x${"cd".repeat(32)}`,
    group: "group1",
    epoch: "ef".repeat(8),
    reading: [PAYMENT],
  },
  words: [PAYMENT],
  unverified: [],
  problem: undefined,
  awaited: "2 of treasury",
  signed: [],
  ...changes,
})

export interface PageRig extends AsyncDisposable {
  readonly origin: string
  readonly sent: SignedStatement[]
  readonly entries: string[]
  /** What the clock gains with each question; the page answers five a second. */
  stepMs: number
  tasks: readonly WaitingTask[]
  approvers: readonly Approver[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
}

export async function pageRig(
  origin?: string,
  tls?: { readonly cert: string; readonly key: string },
): Promise<PageRig> {
  const rig = { tasks: [waitingTask()] as readonly WaitingTask[], approvers: [] as readonly Approver[], stepMs: 1000 }
  let nowMs = Date.now()
  const sent: SignedStatement[] = []
  const entries: string[] = []
  const server = servePage(
    {
      desk: {
        waiting: async (most) => rig.tasks.slice(0, most),
        open: async (id) => {
          const found = rig.tasks.filter(({ requestId }) => requestId === id)
          if (found.length === 0) throw new CosignerError("E-CLI-052", { id })
          return found
        },
        send: async (_, signed) => {
          sent.push(signed)
        },
      },
      approvers: () => rig.approvers,
      now: () => nowMs,
      onEntry: (entry) => entries.push(entry),
    },
    { hostname: "127.0.0.1", port: 0, tls, origin },
  )
  const { port } = server
  const place = new URL(server.origin)
  const ask = (path: string, init: RequestInit, headers: Record<string, string>) => {
    nowMs += rig.stepMs
    return fetch(`http://127.0.0.1:${port}${path}`, {
      ...init,
      headers: { host: place.host, origin: place.origin, "content-type": "application/json", ...headers },
    })
  }
  return Object.assign(rig, {
    origin: place.origin,
    sent,
    entries,
    get: (path: string, headers: Record<string, string> = {}) => ask(path, {}, headers),
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      ask(path, { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) }, headers),
    [Symbol.asyncDispose]: () => server.stop(),
  })
}
