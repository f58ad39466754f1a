/** A console with documents that are made up: everything a test or a picture wants to show, it says through here. */
import { utf8 } from "../../../src/bytes.ts"
import type { Weight } from "../../../src/panel/limits.ts"
import { digestOf } from "../../../src/panel/listen.ts"
import { checked } from "../../../src/panel/schemas.ts"
import { createShelf, type Shelf } from "../../../src/panel/shelf.ts"
import {
  type ConsoleNode,
  type ConsoleRequest,
  type ConsoleVault,
  labelsOf,
  type Overview,
  overviewSchema,
  requestSchema,
  vaultSchema,
} from "../../../src/waas/console/documents.ts"
import { createSite } from "../../../src/waas/console/site.ts"
import type { WaasReadinessItem } from "../../../src/waas/standing.ts"

export const NOW_MS = Date.UTC(2026, 10, 22, 12, 30)
export const TOKEN = "0123456789abcdef0123456789abcdef"

const IDS = [
  "cosHXcM4EM4nWM2cFQKA6AmLxe4Vdm1D8cKEoRY1Xa2W5tGk7rjzUQ",
  "cos8nsRzA3ZsYS4bq3s1pDgpN5UPdGLJd3VSdJzS6vU2oXgBsNqDGb",
  "cosBqYk2f6hTc5Tj7mWDg8t2UdNPzhxX2o9kJMEwHQbVhZrSL4zJ1q",
] as const
const NAMES = ["Frankfurt", "Zurich", "Paris"] as const

export const nodeOf = (i: 0 | 1 | 2, more: Partial<ConsoleNode> = {}): ConsoleNode => ({
  node_id: IDS[i],
  names: [NAMES[i]],
  state: "ready",
  code: "",
  reason: "",
  silent_ms: 120,
  blocked: [],
  refresh: [],
  asked: 1,
  running: 0,
  link: 3,
  incarnation: 0,
  starts: 4,
  commits: 812,
  ...more,
})

const GROUP = "3f6b9c1d2e4f58a7b6c5d4e3f2a1b0c9d8e7f6a5"

export const ITEMS: readonly WaasReadinessItem[] = [
  { name: "store", state: "ok", code: "", reason: "takes writes", next: "" },
  { name: "newest", state: "ok", code: "", reason: "no node knows a newer copy", next: "" },
]

export const overviewWith = (more: Partial<Overview> = {}): Overview => ({
  version: "v0.1.0",
  organisation: "Example Ltd",
  url: "https://waas.example.com:11050",
  public_key: "a3".repeat(32),
  started_ms: NOW_MS - 5 * 86_400_000,
  now_ms: NOW_MS,
  items: [...ITEMS],
  open_requests: 1,
  awaiting_people: 1,
  nodes: [
    nodeOf(0),
    nodeOf(1),
    nodeOf(2, {
      state: "not ready",
      code: "E-STA-010",
      reason: "the store cannot be written: ENOSPC",
      blocked: [{ group_id: GROUP, algorithm: "ecdsa", code: "E-TSK-040" }],
    }),
  ],
  nodes_left_out: 0,
  webhooks: {
    hosts: ["hooks.example.com"],
    endpoints: [
      {
        endpoint_id: "e-1",
        server: "https://hooks.example.com",
        description: "ledger",
        active: true,
        event_types: 13,
        waiting: 2,
        failed: 0,
        last_ms: NOW_MS - 4_000,
        failure: "HTTP 503",
      },
    ],
  },
  store: {
    kind: "sqlite",
    place: "waas/waas.db",
    bytes: 1_310_720,
    last_commit_ms: NOW_MS - 900,
    checked_ms: NOW_MS - 5 * 86_400_000,
  },
  event_loop: { p99_ms: 3.2, max_ms: 11 },
  replicas: [],
  ...more,
})

export const vaultWith = (more: Partial<ConsoleVault> = {}): ConsoleVault => ({
  vault_id: "6f1c6bd8-8f5b-4a53-9c55-0d6f35c0a001",
  name: "Treasury",
  type: "Org-Controlled",
  created_ms: NOW_MS - 4 * 86_400_000,
  groups: [
    {
      group_id: "2d3f1d4a-5c77-4a0e-a4b5-70f6b62d1c11",
      type: "MainGroup",
      status: "Valid",
      threshold: 2,
      holders: NAMES.map((name, i) => ({ node_id: IDS[i] ?? "", name })),
      keys: [
        {
          share_group_id: GROUP,
          curve: "SECP256K1",
          root_pubkey: "xpub661MyMwAqRbcF",
          epoch_id: "9d8c7b6a5f4e3d2c1b0a",
          epoch_ms: NOW_MS - 86_400_000,
          algorithms: [
            { algorithm: "ecdsa", able: 2, missing: ["Paris: its key is blocked"] },
            { algorithm: "bip340", able: 3, missing: [] },
          ],
        },
        {
          share_group_id: "b0c9d8e7f6a53f6b9c1d2e4f58a7b6c5d4e3f2a1",
          curve: "ED25519",
          root_pubkey: "cpub661MyMwAqRbcF",
          epoch_id: "",
          epoch_ms: null,
          algorithms: [{ algorithm: "eddsa", able: 3, missing: [] }],
        },
      ],
      created_ms: NOW_MS - 4 * 86_400_000,
    },
  ],
  ...more,
})

type NodeSaid = ConsoleRequest["tasks"][number]["nodes"][number]
const said = (i: 0 | 1 | 2, word: NodeSaid["said"], code = "", reason = ""): NodeSaid => ({
  node_id: IDS[i],
  name: NAMES[i],
  said: word,
  code,
  reason,
})

export const requestWith = (more: Partial<ConsoleRequest> = {}): ConsoleRequest => ({
  id: "5a0f8b52-0d8c-4ea8-9d27-20d1d2f0aa01",
  kind: "signature",
  what: "KeySign ECDSA",
  state: "done",
  status: "Completed",
  request_id: "invoice-2026-1187",
  vault_id: "6f1c6bd8-8f5b-4a53-9c55-0d6f35c0a001",
  vault: "Treasury",
  group_id: "2d3f1d4a-5c77-4a0e-a4b5-70f6b62d1c11",
  description: "",
  messages: 1,
  paths: ["m/44/60/0/0/5"],
  intents: [
    {
      hash: `0x${"ab".repeat(32)}`,
      text: "transfer 1.25 ETH to 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f on eip155:1, fee at most 0.0012 ETH",
    },
  ],
  unread: "",
  transaction: {
    type: "Withdrawal",
    chain: "ETH",
    status: "Completed",
    hash: "0x7f3a5b1c9d2e4f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd",
  },
  tasks: [
    {
      task_id: "0b9a8c7d-6e5f-4a3b-9c2d-1e0f1a2b3c01",
      state: "completed",
      attempt: 1,
      needed: 2,
      nodes: [said(0, "done"), said(1, "done"), said(2, "not asked")],
      causes: [],
      awaits: [],
      people: [],
    },
  ],
  awaits_people: false,
  waiting_for: [],
  code: "",
  reason: "",
  created_ms: NOW_MS - 65_000,
  updated_ms: NOW_MS - 63_700,
  deadline_ms: NOW_MS + 535_000,
  ...more,
})

/** From new to old. */
export const REQUESTS: readonly ConsoleRequest[] = [
  requestWith({
    id: "5a0f8b52-0d8c-4ea8-9d27-20d1d2f0aa03",
    state: "open",
    status: "Approving",
    request_id: "invoice-2026-1189",
    intents: [
      {
        hash: `0x${"cd".repeat(32)}`,
        text: "transfer 12000 USDC to 0x52908400098527886E0F7030069857D2E4169EE7 on eip155:1, fee at most 0.002 ETH",
      },
    ],
    transaction: { type: "Withdrawal", chain: "ETH", status: "PendingSignature", hash: "" },
    tasks: [
      {
        task_id: "0b9a8c7d-6e5f-4a3b-9c2d-1e0f1a2b3c03",
        state: "approving",
        attempt: 0,
        needed: 2,
        nodes: [said(0, "awaits people"), said(1, "awaits people"), said(2, "later", "E-TSK-048")],
        causes: [],
        awaits: [{ text: "2 of treasury (alice)", nodes: ["Frankfurt", "Zurich"] }],
        people: [
          { approver: "bob", decision: "request", not_after_ms: NOW_MS + 3_600_000 },
          { approver: "alice", decision: "approve", not_after_ms: NOW_MS + 3_600_000 },
        ],
      },
    ],
    awaits_people: true,
    waiting_for: ["Frankfurt (waits for 2 of treasury (alice))", "Zurich (waits for 2 of treasury (alice))"],
    created_ms: NOW_MS - 8_000,
    updated_ms: NOW_MS - 7_000,
  }),
  requestWith({
    id: "5a0f8b52-0d8c-4ea8-9d27-20d1d2f0aa02",
    state: "refused",
    status: "Declined",
    request_id: "invoice-2026-1188",
    intents: [
      {
        hash: `0x${"ef".repeat(32)}`,
        text: "transfer 400 ETH to 0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe on eip155:1, fee at most 0.0012 ETH",
      },
    ],
    transaction: { type: "Withdrawal", chain: "ETH", status: "Rejected", hash: "" },
    tasks: [
      {
        task_id: "0b9a8c7d-6e5f-4a3b-9c2d-1e0f1a2b3c02",
        state: "rejected",
        attempt: 0,
        needed: 2,
        nodes: [
          said(0, "refused", "E-RSK-025", "400 ETH to an address that no entry names"),
          said(1, "refused", "E-RSK-025", "400 ETH to an address that no entry names"),
          said(2, "not asked"),
        ],
        causes: [],
        awaits: [],
        people: [],
      },
    ],
    code: "E-WAA-022",
    reason: "refused by Frankfurt, Zurich",
    created_ms: NOW_MS - 30_000,
    updated_ms: NOW_MS - 29_600,
  }),
  requestWith(),
  requestWith({
    id: "5a0f8b52-0d8c-4ea8-9d27-20d1d2f0aa00",
    kind: "key",
    what: "KeyReshare",
    status: "Success",
    request_id: "",
    messages: 0,
    paths: [],
    intents: [],
    transaction: null,
    description: "refresh of the quarter",
    tasks: [
      {
        task_id: "0b9a8c7d-6e5f-4a3b-9c2d-1e0f1a2b3c00",
        state: "completed",
        attempt: 1,
        needed: 3,
        nodes: [said(0, "done"), said(1, "done"), said(2, "done")],
        causes: [],
        awaits: [],
        people: [],
      },
    ],
    created_ms: NOW_MS - 86_400_000,
    updated_ms: NOW_MS - 86_396_000,
  }),
]

export interface Sample extends AsyncDisposable {
  readonly url: string
  overview: Overview
  silentMs: number
  requests: readonly ConsoleRequest[]
  vaults: readonly ConsoleVault[]
  ask(path: string, init?: RequestInit): Promise<Response>
  /** The Cookie header of a new session. */
  session(): Promise<string>
}

interface Wanted {
  readonly admit?: (client: string | undefined, weight: Weight) => boolean
  readonly clock?: () => number
}

export function sample({ admit = () => true, clock = () => 0 }: Wanted = {}): Sample {
  const answer = createSite({
    listen: { kind: "tcp", hostname: "127.0.0.1", port: 0 },
    token: digestOf(utf8(TOKEN)),
    clock,
    known: () => ({ overview: JSON.stringify(checked(overviewSchema, it.overview)), silentMs: it.silentMs }),
    lists: {
      requests: shelfOf(() => it.requests.map((one) => checked(requestSchema, one)), labelsOf),
      vaults: shelfOf(
        () => it.vaults.map((one) => checked(vaultSchema, one)),
        () => ({}),
      ),
    },
    admit,
  })
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => {
      const peer = server.requestIP(request)
      return answer(request, peer === null ? undefined : `${peer.address} ${peer.port}`)
    },
  })
  const url = `http://127.0.0.1:${server.port}`
  const it: Sample = {
    url,
    overview: overviewWith(),
    silentMs: 200,
    requests: REQUESTS,
    vaults: [vaultWith()],
    ask: (path, init) => fetch(`${url}${path}`, { redirect: "manual", ...init }),
    async session() {
      const opened = await it.ask("/login", { method: "POST", body: new URLSearchParams({ token: TOKEN }) })
      return (opened.headers.get("set-cookie") ?? "").split(";")[0] ?? ""
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true)
    },
  }
  return it
}

/** A shelf that is filled anew at each question. */
const shelfOf = <T>(
  list: () => readonly T[],
  labels: (one: T) => Readonly<Record<string, string>>,
): Pick<Shelf, "page"> => ({
  page(wanted, skip, limit) {
    const shelf = createShelf(1e7)
    const all = list()
    const put = all.map((one, i) => ({
      key: String(i),
      order: all.length - i,
      text: JSON.stringify(one),
      labels: labels(one),
    }))
    shelf.change({ put, gone: [] })
    return shelf.page(wanted, skip, limit)
  },
})
