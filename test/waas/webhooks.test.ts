/** Webhooks: who is told what, in which order, how often, and whom WaaS never calls (formats.md 7.5). */
import { expect, test } from "bun:test"
import { verify } from "node:crypto"
import { join } from "node:path"
import { fromHex } from "../../src/bytes.ts"
import { publicKeyOf } from "../../src/crypto/rawKeys.ts"
import { silentLog } from "../../src/log.ts"
import type { Fetch } from "../../src/outbound.ts"
import { signedHash } from "../../src/waas/api/canonical.ts"
import { createSqliteStore } from "../../src/waas/store/sqlite.ts"
import type { WaasStore } from "../../src/waas/store/store.ts"
import type { WebhookEvent } from "../../src/waas/store/webhookModel.ts"
import { startWebhookDelivery, stepped } from "../../src/waas/webhooks/delivery.ts"
import { announcing } from "../../src/waas/webhooks/news.ts"
import { problemOfTarget } from "../../src/waas/webhooks/target.ts"
import { EVENT_TYPES } from "../../src/waas/webhooks/types.ts"
import { must, Rig } from "../support/waas.ts"
import { Caller } from "./api/caller.ts"

const ENDPOINTS = "/v2/webhooks/endpoints"
const ALL = EVENT_TYPES.map(({ type }) => type)

interface Received {
  readonly type: string
  readonly status: string
  readonly objectId: string
}

/** An endpoint of a customer: answers as `answer` says, once per request. */
function customer(answer: (nth: number) => number = () => 200) {
  const received: { readonly body: string; readonly headers: Headers }[] = []
  const waiting: (() => void)[] = []
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      received.push({ body: await request.text(), headers: request.headers })
      for (const wake of waiting.splice(0)) wake()
      return new Response("noted", { status: answer(received.length) })
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    received,
    told: (): readonly Received[] =>
      received.map(({ body }) => {
        const { type, data } = JSON.parse(body)
        return { type, status: data.status, objectId: data.tss_request_id ?? data.vault_id }
      }),
    async until(count: number): Promise<void> {
      while (received.length < count) await new Promise<void>((resolve) => waiting.push(resolve))
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

function delivering(rig: Rig, fetchWith: Fetch = fetch) {
  const delivery = startWebhookDelivery({
    store: rig.store,
    isLeader: () => rig.shared.isLeader(),
    responseKey: rig.responses,
    hosts: ["127.0.0.1"],
    timeoutMs: 2000,
    keepMs: 2_592_000_000,
    now: rig.clock.now,
    fetch: fetchWith,
    log: silentLog,
  })
  rig.onNews = delivery.poke
  return { ...delivery, [Symbol.asyncDispose]: () => delivery.stop() }
}

async function registered(rig: Rig, url: string, events: readonly string[] = ALL) {
  const caller = await Caller.of(rig)
  const made = await caller.post(ENDPOINTS, { url, subscribed_events: events })
  expect(made.status).toBe(201)
  return { caller, id: made.json.endpoint_id as string }
}

/** Resolves when the store holds as many events of that status. */
async function settled(rig: Rig, endpointId: string, status: WebhookEvent["status"], count: number): Promise<void> {
  const page = { limit: 50, after: undefined, before: undefined }
  while ((await rig.store.webhookEvents({ endpointId, status }, page)).total < count) await Bun.sleep(2)
}

/** Resolves when that many deliveries of the oldest event are recorded. */
async function tried(rig: Rig, endpointId: string, count: number): Promise<void> {
  const page = { limit: 1, after: undefined, before: "infinity" } as const
  const oldest = must((await rig.store.webhookEvents({ endpointId }, page)).items[0])
  while ((await rig.store.webhookLogs({ eventId: oldest.eventId }, page)).total < count) await Bun.sleep(2)
}

test("a key generation is told from its making to its success, signed as answers are, in order", async () => {
  await using rig = await Rig.open()
  await using hook = customer()
  await using _delivery = delivering(rig)
  const { caller, id } = await registered(rig, hook.url)
  const { vault } = await rig.madeVault()
  const events = (await caller.get(`${ENDPOINTS}/${id}/events`)).json
  await hook.until(events.pagination.total_count)
  const told = hook.told()
  expect(told.filter(({ objectId }) => objectId === vault.vaultId).map(({ type }) => type)).toEqual([
    "mpc_vaults.created",
    "mpc_vaults.updated",
  ])
  const ofRequest = told.filter(({ type }) => type.startsWith("wallets.mpc.tss_request"))
  expect(ofRequest.at(0)?.type).toBe("wallets.mpc.tss_request.created")
  expect(ofRequest.at(-1)).toMatchObject({ type: "wallets.mpc.tss_request.succeeded", status: "Success" })
  for (const { body, headers } of hook.received) {
    const signature = must(fromHex(headers.get("biz-resp-signature") ?? ""))
    const covered = signedHash(`${body}|${headers.get("biz-timestamp")}`)
    expect(verify(null, covered, publicKeyOf("ed25519", rig.responses.publicKey), signature)).toBe(true)
  }
})

test("an endpoint that refuses is asked again after growing pauses, and later events of the object wait", async () => {
  await using rig = await Rig.open()
  await using hook = customer((nth) => (nth <= 2 ? 503 : 200))
  await using delivery = delivering(rig)
  const { caller, id } = await registered(rig, hook.url, ["mpc_vaults.created", "mpc_vaults.updated"])
  const vault = (await caller.post("/v2/wallets/mpc/vaults", { name: "a", vault_type: "Org-Controlled" })).json.vault_id
  await caller.call("PUT", `/v2/wallets/mpc/vaults/${vault}`, { body: { name: "b" } })
  await tried(rig, id, 1)
  await rig.pass(5_000)
  delivery.poke()
  await tried(rig, id, 2)
  await rig.pass(10_000)
  delivery.poke()
  await hook.until(4)
  expect(hook.told().map(({ type }) => type)).toEqual([
    "mpc_vaults.created",
    "mpc_vaults.created",
    "mpc_vaults.created",
    "mpc_vaults.updated",
  ])
  await settled(rig, id, "Success", 2)
  const events = (await caller.get(`${ENDPOINTS}/${id}/events`)).json.data
  const logs = (await caller.get(`${ENDPOINTS}/${id}/events/${events[1].event_id}/logs`)).json.data
  expect(
    logs.map((log: { success: boolean; response_status_code: number }) => [log.success, log.response_status_code]),
  ).toEqual([
    [true, 200],
    [false, 503],
    [false, 503],
  ])
  expect(logs[2]).toMatchObject({ failure_reason: "HTTP 503", response_body: "noted" })
})

test("what stays refused is given up, can be listed, and is sent again on request", async () => {
  await using rig = await Rig.open()
  let open = false
  await using hook = customer(() => (open ? 200 : 500))
  await using delivery = delivering(rig)
  const { caller, id } = await registered(rig, hook.url, ["mpc_vaults.created"])
  await rig.vault()
  for (let nth = 1; nth <= 11; nth++) {
    await tried(rig, id, nth)
    await rig.pass(7_200_000)
    delivery.poke()
  }
  await settled(rig, id, "Failed", 1)
  const failed = (await caller.get(`${ENDPOINTS}/${id}/events`, ["status", "Failed"])).json.data
  expect(failed).toHaveLength(1)
  const path = `${ENDPOINTS}/${id}/events/${failed[0].event_id}`
  open = true
  expect((await caller.post(`${path}/retry`)).json).toEqual({ retried: true })
  await hook.until(12)
  await settled(rig, id, "Success", 1)
  expect((await caller.get(path)).json).toMatchObject({ status: "Success", event_id: failed[0].event_id })
  expect((await caller.post(`${path}/retry`)).json.error_code).toBe(2029)
})

test("a change that does not become durable is told to nobody", async () => {
  await using rig = await Rig.open()
  const { caller, id } = await registered(rig, "https://hooks.example.com/a")
  rig.failCommits = true
  expect((await caller.post("/v2/wallets/mpc/vaults", { name: "a", vault_type: "Org-Controlled" })).status).toBe(500)
  rig.failCommits = false
  expect((await caller.get(`${ENDPOINTS}/${id}/events`)).json.pagination.total_count).toBe(0)
})

test("events outlive a crash, and one endpoint that hangs holds up no other", async () => {
  await using rig = await Rig.open()
  await using hook = customer()
  const { caller, id } = await registered(rig, hook.url, ["mpc_vaults.created"])
  await caller.post(ENDPOINTS, { url: "http://127.0.0.1:9/", subscribed_events: ["mpc_vaults.created"] })
  await rig.vault()
  await rig.crash()
  const hanging: Fetch = (url, init) =>
    url.endsWith(":9/")
      ? new Promise((_, reject) => init.signal?.addEventListener("abort", () => reject(new Error("late"))))
      : fetch(url, init)
  await using _delivery = delivering(rig, hanging)
  await hook.until(1)
  expect(hook.told()[0]?.type).toBe("mpc_vaults.created")
  expect(must(await rig.store.webhookEndpoint(id)).status).toBe("STATUS_ACTIVE")
})

test("an endpoint that was made inactive is told nothing new", async () => {
  await using rig = await Rig.open()
  const { caller, id } = await registered(rig, "https://hooks.example.com/a", ["mpc_vaults.created"])
  const changed = await caller.call("PUT", `${ENDPOINTS}/${id}`, {
    body: { status: "STATUS_INACTIVE", description: "off" },
  })
  expect(changed.json).toMatchObject({ endpoint_id: id, status: "STATUS_INACTIVE", description: "off" })
  await rig.vault()
  expect((await caller.get(`${ENDPOINTS}/${id}/events`)).json.pagination.total_count).toBe(0)
  expect((await caller.get(ENDPOINTS, ["status", "STATUS_ACTIVE"])).json.data).toEqual([])
  expect((await caller.get(ENDPOINTS, ["event_type", "mpc_vaults.created"])).json.data).toHaveLength(1)
  expect((await caller.get(ENDPOINTS, ["event_type", "mpc_vaults.updated"])).json.data).toHaveLength(0)
})

test.each([
  ["https://hooks.example.com/a", undefined],
  ["https://hooks.example.com:8443/a", undefined],
  ["http://127.0.0.1:80/", undefined],
  ["http://hooks.example.com/a", "https://"],
  ["http://127.example.com/a", "https://"],
  ["https://169.254.169.254/latest", "not in waas.webhooks.hosts"],
  ["https://hooks.example.com.evil.com/", "not in waas.webhooks.hosts"],
  ["https://u:p@hooks.example.com/", "user and password"],
  ["https://hooks.example.com/#x", "fragment"],
  ["ftp://hooks.example.com/", "https://"],
  ["hooks.example.com", "not an absolute URL"],
])("%s as an endpoint: %p", async (url, problem) => {
  const found = problemOfTarget(url, ["hooks.example.com", "127.0.0.1"])
  if (problem === undefined) expect(found).toBeUndefined()
  else expect(found).toContain(problem)
  expect(problemOfTarget(url, [])).toContain("webhooks are off")
  await using rig = await Rig.open()
  const answer = await (await Caller.of(rig)).post(ENDPOINTS, { url, subscribed_events: ["mpc_vaults.created"] })
  expect(answer.status).toBe(problem === undefined ? 201 : 400)
})

test("a host that was taken from the list is not called any more, whatever is registered", async () => {
  await using rig = await Rig.open()
  const { id } = await registered(rig, "https://hooks.example.com/a", ["mpc_vaults.created"])
  await rig.vault()
  const called: string[] = []
  await using _delivery = delivering(rig, (url) => {
    called.push(url)
    return Promise.resolve(new Response())
  })
  const page = { limit: 1, after: undefined, before: undefined }
  const event = must((await rig.store.webhookEvents({ endpointId: id }, page)).items[0])
  while ((await rig.store.webhookLogs({ eventId: event.eventId }, page)).total === 0) await Bun.sleep(2)
  expect(must((await rig.store.webhookLogs({ eventId: event.eventId }, page)).items[0]).failure).toContain(
    "not in waas.webhooks.hosts",
  )
  expect(called).toEqual([])
})

test("unknown event types are refused, and definitions name those that there are", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const refused = await caller.post(ENDPOINTS, { url: "https://hooks.example.com/", subscribed_events: ["swap.done"] })
  expect([refused.status, refused.json.error_code]).toEqual([400, 2006])
  const known = (await caller.get("/v2/webhooks/events/definitions")).json
  expect(known.map(({ event_type }: { event_type: string }) => event_type)).toEqual(ALL)
  expect((await caller.get("/v2/developers/callback_messages")).json).toEqual({
    data: [],
    pagination: { before: "", after: "", total_count: 0 },
  })
})

test("pauses double, and the tries end", () => {
  let event = { status: "Retrying", retriesLeft: 10, dueMs: 0 } as WebhookEvent
  const pauses: number[] = []
  while (event.status === "Retrying") {
    event = stepped(event, false, 0)
    pauses.push(event.dueMs / 1000)
  }
  expect(pauses.slice(0, 4)).toEqual([5, 10, 20, 40])
  expect(pauses).toHaveLength(11)
  expect(event.status).toBe("Failed")
})

test("events are forgotten after their time, with their deliveries", async () => {
  await using rig = await Rig.open()
  await using hook = customer()
  const { caller, id } = await registered(rig, hook.url, ["mpc_vaults.created"])
  await rig.vault()
  await using _delivery = delivering(rig)
  await settled(rig, id, "Success", 1)
  await rig.store.forgetWebhookEvents(rig.clock.nowMs)
  expect((await caller.get(`${ENDPOINTS}/${id}/events`)).json.data).toHaveLength(1)
  await rig.store.forgetWebhookEvents(rig.clock.nowMs + 1)
  expect((await caller.get(`${ENDPOINTS}/${id}/events`)).json.data).toEqual([])
})

test("an endpoint that another replica made is told of what is written from then on", async () => {
  await using rig = await Rig.open()
  const store = createSqliteStore(join(rig.dir, "shared.db"), await rig.store.organisation())
  using _ = { [Symbol.dispose]: () => void store.close() }
  const [one, other] = [0, 1].map(() =>
    announcing(
      store,
      rig.clock.now,
      () => {},
      () => false,
    ),
  )
  const vault = (name: string) => ({
    ...{ vaultId: name, projectId: undefined, name, type: "Org-Controlled" as const },
    ...{ rootKeys: [], createdMs: rig.clock.nowMs },
  })
  await must(other).commit([{ put: "vault", record: vault("before") }])
  const record = {
    ...{ endpointId: "e", url: "https://hooks.example.com/", eventTypes: ["mpc_vaults.created"], description: "" },
    ...{ status: "STATUS_ACTIVE" as const, createdMs: rig.clock.nowMs },
  }
  await must(one).commit([{ put: "webhookEndpoint", record }])
  await must(other).commit([{ put: "vault", record: vault("after") }])
  const page = { limit: 10, after: undefined, before: undefined }
  const { items } = await store.webhookEvents({ endpointId: "e" }, page)
  expect(items.map(({ objectId }) => objectId)).toEqual(["after"])
})

test("who does not lead delivers nothing, and goes on once it does", async () => {
  await using rig = await Rig.open()
  await using endpoint = customer()
  let leads = false
  let looks = 0
  const store: WaasStore = {
    ...rig.store,
    forgetWebhookEvents: async (beforeMs) => {
      looks++
      return rig.store.forgetWebhookEvents(beforeMs)
    },
  }
  const delivery = startWebhookDelivery({
    ...{ store, isLeader: () => leads, responseKey: rig.responses, hosts: ["127.0.0.1"], timeoutMs: 2000 },
    ...{ keepMs: 2_592_000_000, now: rig.clock.now, fetch, log: silentLog },
  })
  rig.onNews = delivery.poke
  const { caller } = await registered(rig, endpoint.url)
  await caller.post("/v2/wallets/mpc/vaults", { name: "v", vault_type: "Org-Controlled" })
  expect([looks, endpoint.received]).toEqual([0, []])
  leads = true
  delivery.poke()
  await endpoint.until(1)
  await delivery.stop()
})
