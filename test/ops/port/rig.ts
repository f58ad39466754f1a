/** The thread of the status port with a node that is made up: everything a test wants to say, it says through here. */

import { rmSync } from "node:fs"
import { parseListen } from "../../../src/config/listen.ts"
import type { Log } from "../../../src/log.ts"
import { type StatusDocument, type TaskDocument, taskSchema } from "../../../src/ops/port/documents.ts"
import { createHistory, type History } from "../../../src/ops/port/history.ts"
import type { PortOptions, StallOptions } from "../../../src/ops/port/messages.ts"
import { spawnPortThread } from "../../../src/ops/port/spawn.ts"
import { type StatusThread, startStatus } from "../../../src/ops/port/thread.ts"
import { createFeed } from "../../../src/panel/feed.ts"
import { checked } from "../../../src/panel/schemas.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"

export const START_MS = 1_795_000_000_000

export const statusOf = (more: Partial<StatusDocument> = {}): StatusDocument => ({
  node_id: "cos3EumSFVE3JZW65C8H9N91fWBJxFGW33VCLLg1rF1sgrpBR9mYL3",
  version: "v0.1.0",
  commit: "c".repeat(40),
  environment: "development",
  started_ms: START_MS,
  now_ms: START_MS + 60_000,
  ready: true,
  items: ["store", "link", "clock", "workers", "sessions", "loop", "proof"].map((name) => ({
    name,
    state: "ok",
    reason: "as it should be",
    code: "",
    next: "",
    since_ms: START_MS,
    checked_ms: START_MS + 60_000,
  })),
  link: {
    phase: "online",
    since_ms: START_MS,
    silent_ms: 12,
    rtt_ms: 1.5,
    clock_offset_ms: -3,
    failures: 0,
    queued_frames: 0,
    last_error: null,
    replicas: [
      {
        url: "wss://waas.example.com/ws",
        phase: "online",
        since_ms: START_MS,
        silent_ms: 12,
        rtt_ms: 1.5,
        failures: 0,
        queued_frames: 0,
        last_error: null,
      },
    ],
  },
  store: { bytes: 49_152, commits: 7, last_backup_ms: null },
  workers: { alive: 2, size: 2, ping_ms: 1.25 },
  sessions_open: 1,
  tasks: { open: 1, completed: 2, rejected: 1, failed: 0, cancelled: 0 },
  groups: { active: 1, blocked: 0, epochs: 2, bans: 0 },
  risk: { rules_enabled: true, callback_servers: [] },
  event_servers: [],
  event_loop: { p99_ms: 0.5, max_ms: 2 },
  memory_bytes: 80_000_000,
  ...more,
})

export const taskOf = (more: Partial<TaskDocument> = {}): TaskDocument => ({
  intents: [],
  task_id: "task-1",
  biz_task_id: "biz-1",
  type: "KeySign",
  state: "rejected",
  attempt: 0,
  claimed_ms: START_MS,
  updated_ms: START_MS + 250,
  deadline_ms: START_MS + 60_000,
  group_id: "group-1",
  node_ids: ["node-1"],
  signature_type: 1,
  messages: 1,
  paths: ["m/44/60/0/0/1"],
  verdict: {
    action: "reject",
    code: "E-RSK-009",
    reason: "no pattern fits",
    rules: [{ rule: "key_sign.allowed_paths", outcome: "deny", reason: "no pattern fits" }],
  },
  code: "E-RSK-009",
  reason: "no pattern fits",
  delivered: true,
  ...more,
})

export interface Rig extends AsyncDisposable {
  readonly thread: StatusThread
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  readonly log: string[]
  /** What the node is; sent with the next beat. */
  status: StatusDocument
  readonly history: History
  /** Its tasks, newest first; told as soon as they are set. */
  tasks: TaskDocument[]
  beat(): void
  /** Beats and waits until the port has heard it. */
  settled(): Promise<void>
  get(path: string, init?: RequestInit & { unix?: string }): Promise<Response>
}

interface Wanted {
  readonly port?: Partial<PortOptions>
  readonly stall?: StallOptions
  readonly metrics?: () => string
  readonly spawn?: () => Worker
  /** Takes what is logged, for a start that fails. */
  readonly said?: string[]
}

export async function rig({ port = {}, stall, metrics, spawn, said }: Wanted = {}): Promise<Rig> {
  const log: string[] = said ?? []
  const at = (level: string) => (message: string) => void log.push(`${level} ${message}`)
  const lines: Log = { error: at("error"), warn: at("warn"), info: at("info"), debug: at("debug"), trace: at("trace") }
  let shown: TaskDocument[] = []
  const feedOf = (name: string, open: () => (key: string) => TaskDocument | undefined) =>
    createFeed({
      name,
      most: 1_000,
      portion: { documents: 1_000, characters: 1_000_000 },
      log: lines,
      open: () => {
        const find = open()
        return (key) => {
          const found = find(key)
          if (found === undefined) return undefined
          const { state, type } = found
          return { text: JSON.stringify(checked(taskSchema, found)), labels: { state, type } }
        }
      },
    })
  const tasks = feedOf("tasks", () => (key) => shown.find(({ task_id }) => task_id === key))
  const thread = await startStatus({
    port: { listen: parseListen("127.0.0.1:0"), token: undefined, ...port },
    stall: stall ?? { limitMs: 10_000, format: undefined },
    feeds: { tasks, groups: feedOf("groups", () => () => undefined) },
    log: lines,
    spawn: spawn ?? spawnPortThread,
  })
  const measured = metrics ?? (() => "# HELP a A.\n# TYPE a gauge\na 1\n")
  const url = `http://${thread.address}`
  const it: Rig = {
    thread,
    url,
    log,
    status: statusOf(),
    history: createHistory(),
    get tasks() {
      return shown
    },
    set tasks(list) {
      shown = list
      tasks.replace(list.map(({ task_id }) => task_id).reverse())
      it.beat()
    },
    beat: () =>
      thread.beat(() => ({
        status: it.status,
        history: it.history.document(it.status.now_ms),
        metrics: measured(),
      })),
    async settled() {
      const mark = it.status.now_ms + 1
      it.status = { ...it.status, now_ms: mark }
      it.beat()
      for (;;) {
        const answer = await it.get("/status")
        if (answer.status === 200 && (await jsonOf(answer))["now_ms"] === mark) return
        if (answer.status === 401) return
        await Bun.sleep(2)
      }
    },
    get: (path, init) => fetch(`${url}${path}`, init),
    async [Symbol.asyncDispose]() {
      thread.stop()
    },
  }
  return it
}

/** What a test then looks into; a field that is not there is undefined. */
// biome-ignore lint/suspicious/noExplicitAny: answers of the port are held against their schemas elsewhere
export const jsonOf = async (response: Response): Promise<any> => response.json()

export function folder(): Disposable & { readonly path: string } {
  const path = temporaryFolder("status").path
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
