/**
 * What any store of WaaS promises. It runs on SQLite, and on the Postgres that COSIGNER_STORE_URL names (postgres.test.ts does so in the
 * long suite).
 */
import { expect, test } from "bun:test"
import { newUuid } from "../../../src/waas/ids.ts"
import type { ApiKey, Vault, WalletTransaction } from "../../../src/waas/store/model.ts"
import type { WebhookEndpoint, WebhookEvent } from "../../../src/waas/store/webhookModel.ts"
import { isSharedStore, must, Rig } from "../../support/waas.ts"

/** How the database's own refusals are told. */
const REFUSED = isSharedStore ? "E-WAA-071" : "E-WAA-006"
const first = { limit: 10, after: undefined, before: undefined }

const vault = (name: string): Vault => ({
  vaultId: newUuid(),
  projectId: undefined,
  name,
  type: "Org-Controlled",
  rootKeys: [],
  createdMs: 1,
})

test("what was stored is what is read, after reopening too", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const request = await rig.sign(made)
  await rig.relay.settle()
  // What nodes said last is written with the end of the task.
  await rig.pass(1)
  const before = {
    request: await rig.signed(request),
    tasks: await rig.engine.tasksOf(request),
    vault: await rig.mustVault(made.vault.vaultId),
    organisation: await rig.store.organisation(),
  }
  await rig.crash()
  expect({
    request: await rig.signed(request),
    tasks: await rig.engine.tasksOf(request),
    vault: await rig.mustVault(made.vault.vaultId),
    organisation: await rig.store.organisation(),
  }).toEqual(before)
  expect(must(before.tasks[0]).document.constructor).toBe(Uint8Array)
})

test("a commit is all or nothing", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const request = await rig.sign(made)
  const first = vault("first")
  // Another request under the same request_id breaks the constraint, and takes the vault with it.
  const twin = { ...request, signRequestId: newUuid() }
  const commit = rig.store.commit([
    { put: "vault", record: first },
    { put: "signRequest", record: twin },
  ])
  await expect(commit).rejects.toMatchObject({ code: REFUSED })
  expect(await rig.store.vault(first.vaultId)).toBeUndefined()
})

test("a record with a known id replaces the earlier one and keeps its place", async () => {
  await using rig = await Rig.open()
  const [a, b] = [vault("a"), vault("b")]
  for (const record of [a, b, { ...a, name: "a2" }]) await rig.store.commit([{ put: "vault", record }])
  const page = await rig.store.vaults({ type: "Org-Controlled" }, { limit: 10, after: undefined, before: undefined })
  expect(page.items.map(({ name }) => name)).toEqual(["b", "a2"])
})

test("who waits for people, of a vault; and the newest requests of all, from old to new", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  for (const node of rig.nodes) node.behaviour = { decide: () => "silent" }
  rig.clock.advance(1)
  const requests = [await rig.sign(made), await rig.sign(made)]
  await rig.relay.settle()
  const [task] = await rig.engine.tasksOf(must(requests[1]))
  const { taskId, digest } = must(task)
  await rig.engine.onFrame(rig.node(0).id, { kind: "awaits", taskId, digest, epoch: undefined, awaited: [] })
  const awaiting = async (vaultId: string) =>
    (await rig.store.awaitingTasks(vaultId, 10)).map(({ taskId: id, document }) => [id, document.constructor])
  expect(await awaiting(made.vault.vaultId)).toEqual([[taskId, Uint8Array]])
  expect(await awaiting("another")).toEqual([])
  const newest = await rig.store.newestRequests(10)
  expect(newest.map(({ kind, createdMs }) => [kind, typeof createdMs])).toEqual([
    ["tss", "number"],
    ["sign", "number"],
    ["sign", "number"],
  ])
  expect((await rig.store.newestRequests(1)).map(({ id }) => id)).toContain(must(requests[1]).signRequestId)
})

test("check-ups: the first of a node under a reshare stays, after reopening too", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  const [task] = await rig.engine.tasksOf(await rig.sign(made))
  const { taskId } = must(task)
  const checkup = (nodeId: string, byte: number) => ({
    nodeId,
    message: new Uint8Array(3).fill(byte),
    signature: new Uint8Array(64).fill(byte),
  })
  const records = [checkup("b", 1), checkup("a", 2)]
  await rig.store.commit([...records, checkup("b", 3)].map((record) => ({ put: "checkup" as const, taskId, record })))
  expect(await rig.store.checkups(taskId)).toEqual(records)
  await rig.crash()
  expect(await rig.store.checkups(taskId)).toEqual(records)
  expect(await rig.store.checkups("another")).toEqual([])
  expect(await rig.store.followersOf("another")).toEqual([])
  // Only of a task that is there.
  const stray = rig.store.commit([{ put: "checkup", taskId: "another", record: checkup("a", 1) }])
  await expect(stray).rejects.toMatchObject({ code: REFUSED })
})

test("pages go both ways, and tell where more is", async () => {
  await using rig = await Rig.open()
  for (const name of ["a", "b", "c", "d", "e"]) await rig.store.commit([{ put: "vault", record: vault(name) }])
  const page = (change: { readonly after?: number; readonly before?: number | "infinity" }) =>
    rig.store.vaults({ type: "Org-Controlled" }, { limit: 2, after: undefined, before: undefined, ...change })
  const names = ({ items }: Awaited<ReturnType<typeof page>>) => items.map(({ name }) => name).join("")
  const newest = await page({})
  expect([names(newest), newest.before, newest.total]).toEqual(["ed", undefined, 5])
  const middle = await page({ after: must(newest.after) })
  expect(names(middle)).toBe("cb")
  const oldest = await page({ before: "infinity" })
  expect([names(oldest), oldest.after]).toEqual(["ba", undefined])
  expect(names(await page({ before: must(middle.before) }))).toBe("ed")
})

test("a nonce is spent once, also by two at one time, and forgotten when it is too old", async () => {
  await using rig = await Rig.open()
  const spend = (nowMs: number) => rig.store.spendNonce("digest", nowMs, 1_000)
  const twice = await Promise.all([spend(5_000), spend(5_000)])
  expect(twice.sort()).toEqual([false, true])
  expect(await spend(6_000)).toBe(false)
  expect(await spend(6_001)).toBe(true)
})

test("address indices are given out once, also to many at one time", async () => {
  await using rig = await Rig.open()
  const { vaultId } = await rig.vault()
  const taken = await Promise.all([1, 3, 2, 1, 5].map((count) => rig.store.takeAddressIndices(vaultId, "m/44", count)))
  const all = taken.flatMap((start, i) => Array.from({ length: [1, 3, 2, 1, 5][i] ?? 0 }, (_, n) => start + n))
  expect(all.sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, n) => n))
  expect(await rig.store.takeAddressIndices(vaultId, "m/49", 1)).toBe(0)
})

test("API keys: one is added once, and revoked at its first moment", async () => {
  await using rig = await Rig.open()
  const key: ApiKey = {
    publicKey: "ab".repeat(32),
    name: "ops",
    role: "operate",
    addresses: ["10.0.0.0/8"],
    createdMs: 1_800_000_000_001,
    revokedMs: undefined,
  }
  expect([await rig.store.addApiKey(key), await rig.store.addApiKey(key)]).toEqual([true, false])
  expect(await rig.store.apiKeys()).toEqual([key])
  expect(await rig.store.revokeApiKey("cd", 5)).toBe(false)
  expect([await rig.store.revokeApiKey(key.publicKey, 5), await rig.store.revokeApiKey(key.publicKey, 6)]).toEqual([
    true,
    true,
  ])
  expect(await rig.store.apiKey(key.publicKey)).toEqual({ ...key, revokedMs: 5 })
})

const endpoint = (eventTypes: readonly string[]): WebhookEndpoint => ({
  endpointId: newUuid(),
  url: "https://hooks.example.com/",
  eventTypes,
  description: "",
  status: "STATUS_ACTIVE",
  createdMs: 1,
})

test("webhooks: endpoints by what they are told, events in the order of their object", async () => {
  await using rig = await Rig.open()
  const [one, both] = [endpoint(["a"]), endpoint(["a", "b"])]
  const event = (objectId: string, dueMs: number): WebhookEvent => ({
    eventId: newUuid(),
    endpointId: one.endpointId,
    url: one.url,
    type: "a",
    objectId,
    data: {},
    status: "Retrying",
    retriesLeft: 3,
    dueMs,
    createdMs: dueMs,
  })
  const events = [event("x", 50), event("x", 10), event("y", 20), event("z", 99)]
  await rig.store.commit([
    ...[one, both].map((record) => ({ put: "webhookEndpoint", record }) as const),
    ...events.map((record) => ({ put: "webhookEvent", record }) as const),
  ])
  const told = async (type: string) => (await rig.store.webhookEndpoints({ type }, first)).items
  expect([(await told("a")).length, (await told("b")).map(({ endpointId }) => endpointId)]).toEqual([
    2,
    [both.endpointId],
  ])
  const due = async (nowMs: number) =>
    (await rig.store.dueWebhookEvents(one.endpointId, nowMs, 10)).map(({ dueMs }) => dueMs)
  expect(await due(40)).toEqual([20])
  expect(await due(60)).toEqual([20, 50])
  await rig.store.forgetWebhookEvents(51)
  expect((await rig.store.webhookEvents({ endpointId: one.endpointId }, first)).items).toEqual([must(events[3])])
})

test("the lowest nonce that nothing holds; what failed before a block had it holds none", async () => {
  await using rig = await Rig.open()
  const { vaultId } = await rig.vault()
  const wallet = { walletId: "w", vaultId, name: "w", deleted: false, createdMs: 1 }
  const transaction = (nonce: number, change: Partial<WalletTransaction> = {}): WalletTransaction => ({
    transactionId: `t${nonce}`,
    requestId: `r${nonce}`,
    fingerprint: "",
    walletId: "w",
    vaultId,
    chainId: "ETH",
    type: "Withdrawal",
    status: "Broadcasting",
    subStatus: "",
    failedReason: "",
    source: { address: "0xa" },
    destination: {},
    signature: "",
    description: "",
    categories: [],
    createdMs: 1_800_000_000_000 + nonce,
    updatedMs: 1,
    draft: { nonce, maxFeePerGas: "1", maxPriorityFeePerGas: "1", gasLimit: "1", unsigned: "0x" },
    ...change,
  })
  const block = { number: 1, hash: "0x" }
  const all = [
    transaction(3),
    transaction(4, { status: "Failed", block }),
    transaction(5),
    transaction(6, { status: "Failed" }),
    transaction(7),
  ]
  await rig.store.commit([
    { put: "wallet", record: wallet },
    ...all.map((record) => ({ put: "transaction", record }) as const),
  ])
  const free = (least: number) => rig.store.freeNonce({ walletId: "w", chainId: "ETH", address: "0xa" }, least)
  expect([await free(0), await free(3), await free(7)]).toEqual([0, 6, 8])
  const found = await rig.store.transactions({ statuses: ["Broadcasting"], createdFromMs: 1_800_000_000_004 }, first)
  expect(found.items.map(({ transactionId }) => transactionId)).toEqual(["t7", "t5"])
  expect((await rig.store.transactionsOnTheirWay(2, "t3")).map(({ transactionId }) => transactionId)).toEqual([
    "t5",
    "t7",
  ])
})

test("how far it has come moves by one, to a higher incarnation alone, and is what was moved to after reopening too", async () => {
  await using rig = await Rig.open()
  const id = (byte: number) => new Uint8Array(16).fill(byte)
  const begun = await rig.store.waasToken()
  const next = await rig.store.raiseWaasToken({ markId: id(1) })
  expect(next).toEqual({ incarnation: begun.incarnation, mark: begun.mark + 1, markId: id(1) })
  const decided = await rig.store.raiseWaasToken({ markId: id(2), incarnation: 1_796_000_000_000 })
  expect(decided).toEqual({ incarnation: 1_796_000_000_000, mark: begun.mark + 2, markId: id(2) })
  const lower = await rig.store.raiseWaasToken({ markId: id(3), incarnation: 5 })
  expect(lower).toEqual({ ...decided, mark: decided.mark + 1, markId: id(3) })
  await rig.crash()
  expect(await rig.store.waasToken()).toEqual(lower)
  // Many at once are as many marks, each of them somebody's own.
  const all = await Promise.all(Array.from({ length: 10 }, (_, i) => rig.store.raiseWaasToken({ markId: id(10 + i) })))
  expect(all.map(({ mark }) => mark).sort((a, b) => a - b)).toEqual(all.map((_, i) => lower.mark + 1 + i))
})
