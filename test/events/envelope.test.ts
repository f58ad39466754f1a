/** The JSON of events, field by field and type by type, as the SDKs parse it. */
import { expect, test } from "bun:test"
import { CosignerError } from "../../src/errors.ts"
import { EVENT_TYPES, eventsFor } from "../../src/events/envelope.ts"
import { eventServers } from "../../src/events/servers.ts"
import type { Intents } from "../../src/tasks/intents.ts"
import type { TaskStatus } from "../../src/tasks/ports.ts"
import type { TaskOutcome } from "../../src/wire/frames.ts"
import type { Task } from "../../src/wire/task.ts"
import { signTask } from "../callback/kit.ts"
import { READING } from "../intent/sample.ts"

// BIP-32 test vector 1, chain m.
const XPUB =
  "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"
const CHAIN_CODE = "0x873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508"

const build = eventsFor("cobo1", () => "id-1")
const one = (task: Task, status: TaskStatus, outcome?: TaskOutcome, failedReason = "") => {
  const [event, ...more] = build({ task, status, failedReason, outcome, atMs: 1_795_340_699_000 })
  expect(more).toEqual([])
  return { event, body: JSON.parse(event?.body ?? "") }
}

test("a signature that succeeded", () => {
  const outcome: TaskOutcome = {
    type: "signatures",
    signatures: [
      {
        bip32_path: "m/44/60/0/0/5",
        msg_hash: "0x1a",
        tweak: "",
        public_key: "02",
        signature: "ab",
        signature_recovery: "01",
      },
    ],
  }
  const { event, body } = one(signTask, 190, outcome)
  expect(event).toMatchObject({ eventId: "id-1", eventType: "request.keysign.succeeded", createdMs: 1_795_340_699_000 })
  expect(body).toEqual({
    event_id: "id-1",
    created_timestamp: 1_795_340_699_000,
    node_id: "cobo1",
    event_type: "request.keysign.succeeded",
    data: {
      data_type: "KeySign",
      request_id: "task-2",
      request_type: "KeySign",
      request_status: 190,
      request_detail: {
        group_id: "g1",
        root_pub_key: "xpub661MyTest",
        used_node_ids: ["n1", "n2"],
        bip32_path_list: ["m/44/60/0/0/5"],
        msg_hash_list: [signTask.messages[0]?.msg_hash],
        tweak_list: [""],
        signature_type: 1,
        tss_protocol: 1,
        task_id: "task-2",
        biz_task_id: "biz-2",
      },
      extra_info: JSON.stringify(signTask.extra_info),
      failed_reason: "",
      result: {
        signatures: [
          { bip32_path: "m/44/60/0/0/5", msg_hash: "0x1a", tweak: "", signature: "0xab", signature_recovery: "0x01" },
        ],
        signature_type: 1,
        tss_protocol: 1,
      },
    },
  })
})

const common = { version: 1, task_id: "t", biz_task_id: "b", created_ms: 17, deadline_ms: 99, extra_info: {} } as const

test("a key that was made", () => {
  const task: Task = {
    ...common,
    type: "KeyGen",
    group_id: "g",
    curve: "secp256k1",
    threshold: 2,
    node_ids: ["n1", "n2"],
  }
  const { body } = one(task, 190, {
    type: "group",
    group_id: "g",
    epoch_id: "ee",
    curve: "secp256k1",
    root_extended_public_key: XPUB,
    threshold: 2,
    participants: [{ node_id: "n1", share_id: "7513", share_public_key: "02ad" }],
    certificate: ["00"],
  })
  expect(body.event_type).toBe("request.keygen.succeeded")
  expect(body.data.result).toEqual({
    id: "g",
    canonical_group_id: "g",
    protocol_group_id: "ee",
    protocol_type: "",
    created_timestamp: 17,
    type: 1,
    root_extended_public_key: XPUB,
    chaincode: CHAIN_CODE,
    curve: "secp256k1",
    threshold: 2,
    participants: [{ node_id: "n1", share_id: "7513", share_public_key: "0x02ad" }],
  })
})

test("share signatures, and a refusal without a result", () => {
  const task: Task = { ...common, type: "KeyShareSign", node_id: "n1", details: [{ group_id: "g", message: "00" }] }
  const { body } = one(task, 190, {
    type: "shareSignatures",
    signatures: [{ group_id: "g", signed_msg: "00", msg_hash: "ff", signature: "aa" }],
  })
  expect(body.data.result).toEqual({
    signatures: [{ group_id: "g", signed_msg: "00", msg_hash: "0xff", signature: "0xaa" }],
  })
  const refused = one(task, 160, undefined, "E-RSK-101 no").body
  expect(refused.data).toMatchObject({ request_status: 160, failed_reason: "E-RSK-101 no" })
  expect("result" in refused.data).toBe(false)
})

test.each([
  [110, "created"],
  [120, "updated"],
  [130, "updated"],
  [140, "updated"],
  [160, "failed"],
  [170, "failed"],
  [180, "failed"],
  [190, "succeeded"],
] as const)("status %d is an event %s", (status, phase) => {
  expect(one(signTask, status).event?.eventType).toBe(`request.keysign.${phase}`)
  expect(EVENT_TYPES).toContain(`request.keysign.${phase}`)
})

test("18 types; a server's own settings win; types and addresses are checked", () => {
  expect(EVENT_TYPES.length).toBe(18)
  const table = {
    event_types: ["request.keysign.failed"],
    token_expire_minutes: 2,
    retry_times: 60,
    sleep_seconds: 60,
    request_timeout: 10,
    proxy: undefined,
    monitor_interval: undefined,
  }
  const url = "http://127.0.0.1:11030/v2/event"
  const own = {
    url,
    event_types: ["request.keygen.succeeded"],
    retry_times: 0,
    proxy: "http://p:1",
    monitor_interval: 5,
  }
  const other = url.replace("11030", "11031")
  expect(eventServers({ ...table, server: [{ url: other }, own] })).toMatchObject([
    { eventTypes: ["request.keysign.failed"], retryTimes: 60, proxy: undefined, monitorIntervalMs: undefined },
    {
      eventTypes: ["request.keygen.succeeded"],
      retryTimes: 0,
      sleepSeconds: 60,
      proxy: "http://p:1",
      monitorIntervalMs: 5,
    },
  ])
  const codeOf = (...server: readonly { url: string; event_types?: readonly string[] }[]) => {
    try {
      eventServers({ ...table, server })
      return "none"
    } catch (error) {
      return error instanceof CosignerError ? error.code : String(error)
    }
  }
  expect(codeOf({ url, event_types: ["ping"] })).toBe("E-RSK-203")
  expect(codeOf({ url, event_types: ["request.keysign.signed"] })).toBe("E-RSK-203")
  expect(codeOf({ url: "ftp://x/" })).toBe("E-RSK-130")
  // One address is one server, however it is spelt: what it still has to get is kept under its address.
  const types = ["request.keygen.succeeded"]
  expect(codeOf({ url }, { url: other }, { url, event_types: types })).toBe("E-RSK-205")
  expect(codeOf({ url: "http://Events.example.com:80/e" }, { url: "http://events.example.com/e" })).toBe("E-RSK-205")
  expect(codeOf({ url: "http://events.example.com/e" }, { url: "http://events.example.com/E" })).toBe("none")
})

test("what was read is told once it was, and of many effects the first hundred lines", () => {
  const intent = {
    reading: READING,
    hash: `0x${"cd".repeat(32)}`,
    text: Array.from({ length: 150 }, (_, line) => `line ${line}`),
    messages: [0],
    accounts: new Map(),
  }
  const change = { task: signTask, status: 140, failedReason: "", outcome: undefined, atMs: 1 } as const
  const data = (intents?: Intents) => {
    const [event] = build({ ...change, ...(intents && { intents }) })
    return JSON.parse(event?.body ?? "").data
  }
  expect(data([intent]).intent_hash).toBe(intent.hash)
  expect(data([intent]).intent).toEqual([...intent.text.slice(0, 100), "50 lines more are left out"])
  expect(Object.keys(data())).not.toContain("intent_hash")
  expect(Object.keys(data([]))).not.toContain("intent")
})

test("people who are waited for, or who agreed, stand in the event's data", () => {
  const [event] = build({
    ...{ task: signTask, status: 130, failedReason: "", outcome: undefined, atMs: 1_795_340_699_000 },
    approvals: "waits for 2 more of treasury",
  })
  expect(event?.eventType).toBe("request.keysign.updated")
  expect(JSON.parse(event?.body ?? "").data.approvals).toBe("waits for 2 more of treasury")
  expect(one(signTask, 140).body.data).not.toHaveProperty("approvals")
})
