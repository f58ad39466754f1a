/** The contract of each endpoint: statuses, shapes, pages, refusals (formats.md 7.3, 7.4). */
import { expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import fc from "fast-check"
import { CosignerError } from "../../../src/errors.ts"
import { routesOf } from "../../../src/waas/api/server.ts"
import { newNodeId } from "../../support/simulatedNodes.ts"
import { must, Rig } from "../../support/waas.ts"
import { Caller } from "./caller.ts"

const VAULTS = "/v2/wallets/mpc/vaults"
const TYPE = ["vault_type", "Org-Controlled"] as const
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const DIGEST = `0x${"17".repeat(32)}`

const newGroup = (ids: readonly string[], fields: object = {}) => ({
  key_share_holder_group_type: "MainGroup",
  participants: ids.length,
  threshold: 2,
  key_share_holders: ids.map((tss_node_id, i) => ({ name: `n${i}`, type: "API", tss_node_id, signer: i === 0 })),
  ...fields,
})

async function withVault(rig: Rig) {
  const caller = await Caller.of(rig)
  const vault = (await caller.post(VAULTS, { name: "v", vault_type: "Org-Controlled" })).json.vault_id as string
  return { caller, vault, base: `${VAULTS}/${vault}` }
}

async function withKeys(rig: Rig) {
  const of = await withVault(rig)
  const group = (await of.caller.post(`${of.base}/key_share_holder_groups`, newGroup(rig.nodes.map((n) => n.id)))).json
  const id = group.key_share_holder_group_id as string
  const request = await of.caller.post(`${of.base}/tss_requests`, {
    type: "KeyGen",
    target_key_share_holder_group_id: id,
  })
  await rig.relay.settle()
  return { ...of, group: id, tssRequest: request.json.tss_request_id as string }
}

test("the organisation, and that the operator holds no shares", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const org = await caller.get("/v2/organizations/info")
  expect(org.status).toBe(200)
  expect(org.json).toEqual({
    org_id: expect.stringMatching(UUID),
    biz_org_id: 1,
    name: "Test",
    created_timestamp: rig.clock.nowMs,
  })
  const holders = await caller.get("/v2/wallets/mpc/cobo_key_share_holders")
  expect([holders.status, holders.json]).toEqual([200, []])
})

test("vaults: make, get, rename, list", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const made = await caller.post(VAULTS, { name: "first", vault_type: "Org-Controlled" })
  expect(made.status).toBe(201)
  expect(made.json).toEqual({
    vault_id: expect.stringMatching(UUID),
    name: "first",
    type: "Org-Controlled",
    root_pubkeys: [],
    created_timestamp: rig.clock.nowMs,
  })
  const path = `${VAULTS}/${made.json.vault_id}`
  expect((await caller.get(path)).json).toEqual(made.json)
  const renamed = await caller.call("PUT", path, { body: { name: "second" } })
  expect([renamed.status, renamed.json]).toEqual([200, { ...made.json, name: "second" }])
  expect((await caller.get(VAULTS, TYPE)).json).toEqual({
    data: [renamed.json],
    pagination: { before: "", after: "", total_count: 1 },
  })
  expect((await caller.get(VAULTS, ["vault_type", "User-Controlled"])).json.data).toEqual([])
  expect((await caller.get(VAULTS, TYPE, ["project_id", "p"])).json.data).toEqual([])
})

test.each([
  ["a missing field", { vault_type: "Org-Controlled" }, 2003],
  ["a missing body", undefined, 2003],
  ["an unknown field", { name: "a", vault_type: "Org-Controlled", extra: 1 }, 2006],
  ["a wrong type", { name: 1, vault_type: "Org-Controlled" }, 2006],
  ["a wrong word", { name: "a", vault_type: "Org" }, 2006],
  ["an empty name", { name: "", vault_type: "Org-Controlled" }, 2006],
  ["control characters", { name: "a\nb", vault_type: "Org-Controlled" }, 2006],
  ["a list", [], 2006],
  ["a text", "x", 2006],
])("a vault with %s is refused", async (_name, body, code) => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const answer = await caller.post(VAULTS, body)
  expect(answer.status).toBe(400)
  expect(answer.json).toEqual({
    error_code: code,
    error_message: expect.any(String),
    error_id: expect.stringMatching(/^[0-9a-f]{32}$/),
  })
  expect((await caller.get(VAULTS, TYPE)).json.data).toEqual([])
})

test("bad requests in general", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const code = async (...parameters: Parameters<Caller["call"]>) => {
    const { status, json } = await caller.call(...parameters)
    return [status, json.error_code]
  }
  const raw = (text: string) => ({ style: { ...rawStyle(text) } })
  expect(await code("GET", "/v2/nothing")).toEqual([404, 2021])
  expect(await code("PUT", VAULTS, { body: {} })).toEqual([404, 2021])
  expect(await code("GET", `${VAULTS}/none`)).toEqual([404, 2028])
  expect(await code("GET", VAULTS)).toEqual([400, 2003])
  expect(await code("GET", VAULTS, { query: [TYPE, ["foo", "1"]] })).toEqual([400, 2006])
  expect(await code("POST", VAULTS, raw("{"))).toEqual([400, 2006])
  expect(await code("POST", VAULTS, raw(`{"name":"${"a".repeat(100_001)}"}`))).toEqual([400, 2006])
})

const rawStyle = (text: string) => ({
  signedPath: (path: string) => path,
  signedQuery: () => "",
  wireQuery: () => "",
  write: () => ({ signed: text, wire: text }),
})

test("an internal error is told by its id alone", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  rig.failCommits = true
  const answer = await caller.post(VAULTS, { name: "a", vault_type: "Org-Controlled" })
  expect([answer.status, answer.json.error_code]).toEqual([500, 2000])
  expect(answer.text).not.toContain("disk full")
  expect(answer.json.error_message).toContain(answer.json.error_id)
})

test("a database that is away is said so, with when to ask again", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  rig.failCommits = new CosignerError("E-WAA-070", { store: "postgres://u@h:1/d", problem: "refused" })
  const request = caller.request("POST", VAULTS, { body: { name: "a", vault_type: "Org-Controlled" } })
  const answer = await rig.api(request)
  expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "2"])
  const text = await answer.text()
  expect(text).toContain('"error_code":2000')
  expect(text).not.toContain("postgres")
})

test("a disk that takes no writes is said so in the same way, and damage is not", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const answers = []
  for (const code of [
    "SQLITE_FULL",
    "SQLITE_IOERR_WRITE",
    "SQLITE_READONLY_DBMOVED",
    "SQLITE_BUSY",
    "SQLITE_CORRUPT",
  ]) {
    const cause = Object.assign(new Error("of SQLite"), { code })
    rig.failCommits = new CosignerError("E-WAA-006", { file: "waas.db", problem: cause.message }, { cause })
    const { status, text } = await caller.post(VAULTS, { name: "a", vault_type: "Org-Controlled" })
    answers.push(status)
    expect(text).not.toContain("SQLite")
  }
  expect(answers).toEqual([503, 503, 503, 503, 500])
})

test("groups: make, get, list by type", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withVault(rig)
  const ids = rig.nodes.map((node) => node.id)
  rig.node(2).online = false
  const made = await caller.post(`${base}/key_share_holder_groups`, newGroup(ids))
  expect(made.status).toBe(201)
  expect(made.json).toEqual({
    key_share_holder_group_id: expect.stringMatching(UUID),
    type: "MainGroup",
    status: "New",
    participants: 3,
    threshold: 2,
    created_timestamp: rig.clock.nowMs,
    tss_key_share_groups: [],
    key_share_holders: ids.map((tss_node_id, i) => ({
      name: `n${i}`,
      type: "API",
      tss_node_id,
      online: i !== 2,
      signer: i === 0,
      status: i === 2 ? "NotActivated" : "Valid",
    })),
  })
  const signing = newGroup(ids, { key_share_holder_group_type: "SigningGroup" })
  expect((await caller.post(`${base}/key_share_holder_groups`, signing)).status).toBe(201)
  expect((await caller.get(`${base}/key_share_holder_groups/${made.json.key_share_holder_group_id}`)).json).toEqual(
    made.json,
  )
  const main = await caller.get(`${base}/key_share_holder_groups`, ["key_share_holder_group_type", "MainGroup"])
  expect(main.json.data).toEqual([made.json])
  expect((await caller.get(`${base}/key_share_holder_groups`)).json.pagination.total_count).toBe(2)
})

test("a group of 32 nodes with any threshold is allowed", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withVault(rig)
  const ids = Array.from({ length: 32 }, newNodeId)
  const made = await caller.post(`${base}/key_share_holder_groups`, newGroup(ids, { threshold: 32 }))
  expect([made.status, made.json.participants]).toEqual([201, 32])
})

test.each([
  ["a wrong count", (ids: string[]) => newGroup(ids, { participants: 4 })],
  ["a threshold above it", (ids: string[]) => newGroup(ids, { threshold: 4 })],
  ["a threshold of one", (ids: string[]) => newGroup(ids, { threshold: 1 })],
  ["a node twice", (ids: string[]) => newGroup([ids[0] ?? "", ids[0] ?? ""])],
  ["a mistyped node", (ids: string[]) => newGroup([ids[0] ?? "", `${ids[1]?.slice(0, -1)}1`])],
  ["one node", (ids: string[]) => newGroup(ids.slice(0, 1), { participants: 2 })],
  ["33 nodes", () => newGroup(Array.from({ length: 33 }, newNodeId))],
  [
    "an operator's holder",
    (ids: string[]) => {
      const of = newGroup(ids)
      return { ...of, key_share_holders: of.key_share_holders.map((holder) => ({ ...holder, type: "Cobo" })) }
    },
  ],
])("a group with %s is refused", async (_name, make) => {
  await using rig = await Rig.open()
  const { caller, base } = await withVault(rig)
  const answer = await caller.post(`${base}/key_share_holder_groups`, make(rig.nodes.map((node) => node.id)))
  expect([answer.status, answer.json.error_code]).toEqual([400, 2006])
})

test("a key generation is for a main group, and has no source", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withVault(rig)
  const make = async (key_share_holder_group_type: string) => {
    const body = newGroup(
      rig.nodes.map((node) => node.id),
      { key_share_holder_group_type },
    )
    return (await caller.post(`${base}/key_share_holder_groups`, body)).json.key_share_holder_group_id as string
  }
  const [main, signing] = [await make("MainGroup"), await make("SigningGroup")]
  const ask = async (target_key_share_holder_group_id: string, fields: object = {}) =>
    (await caller.post(`${base}/tss_requests`, { type: "KeyGen", target_key_share_holder_group_id, ...fields })).json
      .error_code
  expect(await ask(signing)).toBe(2029)
  expect(await ask(main, { source_key_share_holder_group: { key_share_holder_group_id: main } })).toBe(2006)
  expect(await ask(randomUUID())).toBe(2028)
  expect(await ask(main)).toBeUndefined()
})

test("a TSS request: make, get, list, and the vault that comes of it", async () => {
  await using rig = await Rig.open()
  const { caller, base, group, tssRequest } = await withKeys(rig)
  const found = await caller.get(`${base}/tss_requests/${tssRequest}`)
  expect(found.json).toEqual({
    tss_request_id: expect.stringMatching(/^20261122000000\d{18}$/),
    target_key_share_holder_group_id: group,
    type: "KeyGen",
    status: "Success",
    description: "",
    created_timestamp: rig.clock.nowMs,
  })
  const listed = await caller.get(`${base}/tss_requests`, ["key_share_holder_group_id", group])
  expect(listed.json.data).toEqual([found.json])
  expect((await caller.get(`${base}/tss_requests`)).json.error_code).toBe(2003)
  const vault = (await caller.get(base)).json
  const made = (await caller.get(`${base}/key_share_holder_groups/${group}`)).json
  expect(vault.root_pubkeys).toEqual(
    // biome-ignore lint/suspicious/noExplicitAny: an answer
    made.tss_key_share_groups.map((of: any) => ({ root_pubkey: of.root_pubkey, curve: of.curve })),
  )
  expect(made.status).toBe("Valid")
})

test("cancelling a TSS request answers Success, and the request then reads as failed", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withVault(rig)
  rig.node(0).behaviour = { decide: () => "silent" }
  const group = (await caller.post(`${base}/key_share_holder_groups`, newGroup(rig.nodes.map((n) => n.id)))).json
  const target_key_share_holder_group_id = group.key_share_holder_group_id
  const made = await caller.post(`${base}/tss_requests`, {
    type: "KeyGen",
    target_key_share_holder_group_id,
    description: "d",
  })
  expect([made.status, made.json.status, made.json.description]).toEqual([201, "PendingKeyHolderConfirmation", "d"])
  await rig.relay.settle()
  const path = `${base}/tss_requests/${made.json.tss_request_id}`
  const cancelled = await caller.post(`${path}/cancel`)
  expect([cancelled.status, cancelled.json.status]).toEqual([201, "Success"])
  const after = (await caller.get(path)).json
  expect([after.status, after.failed_reason]).toEqual(["KeyGeneratingFailed", "E-WAA-021 cancelled through the API"])
  const twice = await caller.post(`${path}/cancel`)
  expect([twice.status, twice.json.error_code]).toEqual([400, 60005])
})

test("holders: one entry per node, filtered by group, found by id", async () => {
  await using rig = await Rig.open()
  const { caller, base, group } = await withKeys(rig)
  const ids = rig.nodes.map((node) => node.id)
  const second = newGroup(ids.slice(1), { key_share_holder_group_type: "RecoveryGroup" })
  const other = (await caller.post(`${base}/key_share_holder_groups`, second)).json.key_share_holder_group_id
  const all = (await caller.get(`${base}/key_share_holders`)).json
  expect(all.pagination.total_count).toBe(3)
  // biome-ignore lint/suspicious/noExplicitAny: an answer
  expect(new Set(all.data.map((holder: any) => holder.tss_node_id))).toEqual(new Set(ids))
  const of = async (groups: string) =>
    (await caller.get(`${base}/key_share_holders`, ["key_share_holder_group_ids", groups])).json.pagination.total_count
  expect([await of(group), await of(other), await of(`${group},${other}`), await of("none")]).toEqual([3, 2, 3, 0])
  rig.node(0).online = false
  const one = await caller.get(`${base}/key_share_holders/${ids[0]}`)
  expect(one.json).toEqual({
    name: "n0",
    type: "API",
    tss_node_id: must(ids[0]),
    online: false,
    signer: true,
    status: "Valid",
  })
  expect((await caller.get(`${base}/key_share_holders/${newNodeId()}`)).json.error_code).toBe(2028)
})

const newSign = (fields: object = {}) => ({
  request_id: randomUUID(),
  curve: "ED25519",
  signature_type: 2,
  messages: [{ bip32_path: "m/44/501/0/0/1", msg_hash: "0xABcd" }],
  ...fields,
})

test("a signing request: make, get, list", async () => {
  await using rig = await Rig.open()
  const { caller, base, vault, group } = await withKeys(rig)
  const body = newSign({ description: "rent" })
  const made = await caller.post(`${base}/sign_requests`, body)
  expect(made.status).toBe(201)
  expect(made.json).toEqual({
    sign_request_id: expect.stringMatching(UUID),
    request_id: body.request_id,
    vault_id: vault,
    key_share_holder_group_id: group,
    used_tss_node_ids: [rig.node(0).id, rig.node(1).id],
    curve: "ED25519",
    signature_type: 2,
    status: "Initializing",
    signatures: [],
    failed_reason: "",
    description: "rent",
    created_timestamp: rig.clock.nowMs,
    updated_timestamp: rig.clock.nowMs,
    waiting_for: [rig.node(0), rig.node(1)].map(({ id }) => `${id} (no approval)`),
    awaits_approval: false,
  })
  await rig.relay.settle()
  const done = (await caller.get(`${base}/sign_requests/${made.json.sign_request_id}`)).json
  expect(done.status).toBe("Completed")
  expect(done.signatures).toEqual([
    {
      bip32_path: "m/44/501/0/0/1",
      msg_hash: "0xabcd",
      tweak: "",
      public_key: expect.stringMatching(/^[0-9a-f]{64}$/),
      signature: expect.stringMatching(/^[0-9a-f]{128}$/),
      signature_recovery: "",
    },
  ])
  expect((await caller.get(`${base}/sign_requests`)).json.data).toEqual([done])
})

test("the same request_id and body is the same request, another body is 30001", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withKeys(rig)
  const body = newSign()
  const first = await caller.post(`${base}/sign_requests`, body)
  // Another spelling of the same request, while all nodes but one have gone.
  rig.node(0).online = false
  const spelt = { ...body, messages: [{ msg_hash: "0xabCD", bip32_path: "44/501/0/0/1", tweak: "" }] }
  const second = await caller.post(`${base}/sign_requests`, spelt)
  const { waiting_for, ...same } = second.json
  expect([second.status, same]).toEqual([201, { ...first.json, waiting_for: undefined }])
  expect(waiting_for[0]).toContain("(offline)")
  const [third, fourth] = await Promise.all([
    caller.post(`${base}/sign_requests`, body),
    caller.post(`${base}/sign_requests`, body),
  ])
  expect([third?.json.sign_request_id, fourth?.json.sign_request_id]).toEqual([
    first.json.sign_request_id,
    first.json.sign_request_id,
  ])
  const other = await caller.post(`${base}/sign_requests`, { ...body, description: "x" })
  expect([other.status, other.json.error_code]).toEqual([400, 30001])
  expect((await caller.get(`${base}/sign_requests`)).json.pagination.total_count).toBe(1)
})

test("a request_id raced by two equal requests makes one", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withKeys(rig)
  const body = newSign()
  const answers = await Promise.all(Array.from({ length: 5 }, () => caller.post(`${base}/sign_requests`, body)))
  expect(new Set(answers.map(({ json }) => json.sign_request_id)).size).toBe(1)
})

test("cancelling a signing request", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withKeys(rig)
  rig.node(0).behaviour = { decide: () => "silent" }
  const made = (await caller.post(`${base}/sign_requests`, newSign())).json
  await rig.relay.settle()
  const path = `${base}/sign_requests/${made.sign_request_id}/cancel`
  expect((await caller.post(path)).json.status).toBe("Canceled")
  expect((await caller.post(path)).json.error_code).toBe(60005)
})

test("a deadline that the caller sets holds", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withKeys(rig)
  rig.node(0).behaviour = { decide: () => "silent" }
  const made = (await caller.post(`${base}/sign_requests`, newSign({ deadline_seconds: 5 }))).json
  await rig.relay.settle()
  await rig.pass(5000)
  const ended = (await caller.get(`${base}/sign_requests/${made.sign_request_id}`)).json
  expect([ended.status, ended.failed_reason.slice(0, 9)]).toEqual(["Failed", "E-WAA-020"])
})

const one = (fields: object) => ({ messages: [{ bip32_path: "m/44/60/0/0/1", msg_hash: DIGEST, ...fields }] })
const ecdsa = { curve: "SECP256K1", signature_type: 1 }
const schnorr = { curve: "SECP256K1", signature_type: 3 }

test.each([
  ["a curve that has no such signature", { signature_type: 1 }],
  ["EdDSA on secp256k1", { ...ecdsa, signature_type: 2 }],
  ["a short digest", { ...ecdsa, ...one({ msg_hash: "0x00" }) }],
  ["an empty message", one({ msg_hash: "0x" })],
  ["a hash without 0x", { ...ecdsa, ...one({ msg_hash: "17".repeat(32) }) }],
  ["a hardened path", one({ bip32_path: "m/44'/0" })],
  ["a path of an index above 2^31", one({ bip32_path: "m/2147483648" })],
  ["no path", one({ bip32_path: "" })],
  ["a tweak with ECDSA", { ...ecdsa, ...one({ tweak: DIGEST }) }],
  ["a merkle root of 31 bytes", { ...schnorr, ...one({ bip32_path: "m/86/0", tweak: `0x${"00".repeat(31)}` }) }],
  ["no messages", { messages: [] }],
  ["too many messages", { messages: Array.from({ length: 257 }, () => ({ bip32_path: "m", msg_hash: "0x00" })) }],
  ["one signer", { used_tss_node_ids: ["first"] }],
  ["three signers where two sign", { used_tss_node_ids: ["first", "second", "third"] }],
  ["a signer twice", { used_tss_node_ids: ["first", "first"] }],
  ["a signer from elsewhere", { used_tss_node_ids: ["first", "stranger"] }],
  ["our own objects in extra_info", { extra_info: { org: { org_id: "x" } } }],
  ["an incomplete transaction", { extra_info: { transaction: { transaction_id: "t" } } }],
  ["an incomplete address", { extra_info: { source_addresses: [{ address: "a" }] } }],
  [
    "extra_info deeper than nodes read",
    { extra_info: { project: JSON.parse(`${'{"a":'.repeat(20)}1${"}".repeat(20)}`) } },
  ],
  ["no time", { deadline_seconds: 0 }],
])("a signing request with %s is refused and leaves nothing behind", async (_name, record: Record<string, unknown>) => {
  await using rig = await Rig.open()
  const { caller, base } = await withKeys(rig)
  const names: Record<string, string> = {
    first: rig.node(0).id,
    second: rig.node(1).id,
    third: rig.node(2).id,
    stranger: newNodeId(),
  }
  const ids = record["used_tss_node_ids"] as string[] | undefined
  const body = newSign({ ...record, ...(ids === undefined ? {} : { used_tss_node_ids: ids.map((id) => names[id]) }) })
  const answer = await caller.post(`${base}/sign_requests`, body)
  expect(answer.status).toBe(400)
  expect([2003, 2006]).toContain(answer.json.error_code)
  expect((await caller.get(`${base}/sign_requests`)).json.data).toEqual([])
})

test("signing before there is a key is 30032", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withVault(rig)
  const without = await caller.post(`${base}/sign_requests`, newSign())
  expect([without.status, without.json.error_code]).toEqual([400, 30032])
  const group = (await caller.post(`${base}/key_share_holder_groups`, newGroup(rig.nodes.map((n) => n.id)))).json
  const named = newSign({ key_share_holder_group_id: group.key_share_holder_group_id })
  expect((await caller.post(`${base}/sign_requests`, named)).json.error_code).toBe(30032)
  const keys = [{ shareGroupId: "A".repeat(20), curve: "ED25519", rootPubkey: "cpub" }] as const
  const record = await rig.mustGroup(group.key_share_holder_group_id)
  await rig.store.commit([{ put: "group", record: { ...record, status: "Unavailable", shareGroups: keys } }])
  expect((await caller.post(`${base}/sign_requests`, named)).json.error_code).toBe(30032)
  const elsewhere = newSign({ key_share_holder_group_id: randomUUID() })
  expect((await caller.post(`${base}/sign_requests`, elsewhere)).json.error_code).toBe(2028)
})

test("risk control is told who we are, which vault, which group, and what the caller adds", async () => {
  await using rig = await Rig.open()
  const { caller, base, vault, group } = await withKeys(rig)
  const transaction = {
    transaction_id: "t",
    wallet_id: "w",
    status: "Submitted",
    source: { source_type: "Org-Controlled" },
    destination: {},
    initiator_type: "API",
    created_timestamp: 1,
    updated_timestamp: 2,
    token_id: "ETH",
  }
  const source_addresses = [{ address: "a", chain_id: "SOL" }]
  await caller.post(`${base}/sign_requests`, newSign({ extra_info: { transaction, source_addresses } }))
  await rig.relay.settle()
  const task = [...rig.node(0).journal.values()].map((journal) => journal.task).find((task) => task.type === "KeySign")
  const info = must(task).extra_info as Record<string, Record<string, unknown>>
  expect(Object.keys(info).sort()).toEqual([
    "org",
    "signer_key_share_holder_group",
    "source_addresses",
    "transaction",
    "vault",
  ])
  expect(info["org"]?.["name"]).toBe("Test")
  expect(info["vault"]?.["vault_id"]).toBe(vault)
  expect(info["signer_key_share_holder_group"]?.["key_share_holder_group_id"]).toBe(group)
  expect(info["transaction"] as unknown).toEqual(transaction)
  const keyGen = must(
    [...rig.node(0).journal.values()].map((journal) => journal.task).find((task) => task.type === "KeyGen"),
  )
  expect(Object.keys(keyGen.extra_info).sort()).toEqual([
    "org",
    "target_key_share_holder_group",
    "tss_request",
    "vault",
  ])
})

test("objects of one vault are not found through another", async () => {
  await using rig = await Rig.open()
  const { caller, base, group, tssRequest } = await withKeys(rig)
  const made = (await caller.post(`${base}/sign_requests`, newSign())).json
  const other = (await caller.post(VAULTS, { name: "o", vault_type: "Org-Controlled" })).json.vault_id
  const paths = [
    `key_share_holder_groups/${group}`,
    `tss_requests/${tssRequest}`,
    `sign_requests/${made.sign_request_id}`,
    `key_share_holders/${rig.node(0).id}`,
  ]
  for (const path of paths) {
    expect((await caller.get(`${base}/${path}`)).status).toBe(200)
    expect((await caller.get(`${VAULTS}/${other}/${path}`)).json.error_code).toBe(2028)
  }
  for (const path of [`tss_requests/${tssRequest}/cancel`, `sign_requests/${made.sign_request_id}/cancel`]) {
    expect((await caller.post(`${VAULTS}/${other}/${path}`)).json.error_code).toBe(2028)
  }
})

test("pages: every item once, both ways, whatever the limit", async () => {
  await using rig = await Rig.open({ limits: { burst: 100_000 } })
  const caller = await Caller.of(rig)
  const names = Array.from({ length: 13 }, (_, i) => `v${i}`)
  for (const name of names) await caller.post(VAULTS, { name, vault_type: "Org-Controlled" })
  const newest = [...names].reverse()
  const page = async (limit: number, ...cursor: [string, string][]) =>
    (await caller.get(VAULTS, TYPE, ["limit", String(limit)], ...cursor)).json
  // biome-ignore lint/suspicious/noExplicitAny: an answer
  const namesOf = (of: any): string[] => of.data.map((vault: any) => vault.name)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 15 }), async (limit) => {
      const forward: string[] = []
      let at = await page(limit)
      expect(at.pagination.before).toBe("")
      for (;;) {
        forward.push(...namesOf(at))
        expect(at.pagination.total_count).toBe(13)
        if (at.pagination.after === "") break
        at = await page(limit, ["after", at.pagination.after])
      }
      expect(forward).toEqual(newest)
      const backward: string[] = []
      at = await page(limit, ["before", "infinity"])
      expect(at.pagination.after).toBe("")
      for (;;) {
        backward.unshift(...namesOf(at))
        if (at.pagination.before === "") break
        at = await page(limit, ["before", at.pagination.before])
      }
      expect(backward).toEqual(newest)
    }),
    { seed: 11, numRuns: 15, endOnFailure: true },
  )
  expect(namesOf((await caller.get(VAULTS, TYPE)).json).length).toBe(10)
})

test("pages: both cursors, a foreign cursor and a bad limit are refused", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  for (const name of ["a", "b", "c"]) await caller.post(VAULTS, { name, vault_type: "Org-Controlled" })
  const cursor = (await caller.get(VAULTS, TYPE, ["limit", "1"])).json.pagination.after as string
  const code = async (...query: [string, string][]) => (await caller.get(VAULTS, TYPE, ...query)).json.error_code
  expect(await code(["after", cursor], ["before", cursor])).toBe(2006)
  expect(await code(["after", "infinity"])).toBe(2006)
  expect(await code(["after", `${cursor}=`])).toBe(2006)
  expect(await code(["before", "x"])).toBe(2006)
  for (const limit of ["0", "51", "-1", "1.5", "a"]) expect(await code(["limit", limit])).toBe(2006)
  expect(await code(["after", ""], ["before", ""])).toBeUndefined()
})

test("every route has one method and path, and no two parameters of one name", async () => {
  await using rig = await Rig.open()
  const routes = routesOf(rig.context())
  expect(new Set(routes.map(({ method, path }) => `${method} ${path.replace(/:\w+/g, ":")}`)).size).toBe(routes.length)
  for (const { path, summary } of routes) {
    const names = path.match(/:\w+/g) ?? []
    expect(new Set(names).size).toBe(names.length)
    expect(summary.length).toBeGreaterThan(0)
  }
})

// ---- key share check-ups -------------------------------------------------------------------------------------------

const newCheckup = (group: string, nodeId: string, fields: object = {}) => ({
  key_share_holder_group_id: group,
  tss_node_id: nodeId,
  message: "0x68656C6C6F",
  ...fields,
})

test("a key share check-up: one node, both curves, each signature beside the share key it verified under", async () => {
  await using rig = await Rig.open()
  const { caller, base, vault, group } = await withKeys(rig)
  const nodeId = rig.node(1).id
  const made = await caller.post(
    `${base}/key_share_sign_requests`,
    newCheckup(group, nodeId, { description: "weekly" }),
  )
  expect(made.status).toBe(201)
  expect(made.json).toMatchObject({
    vault_id: vault,
    tss_node_id: nodeId,
    status: "Initializing",
    message: "0x68656c6c6f",
  })
  await rig.relay.settle()
  const path = `${base}/key_share_sign_requests/${made.json.key_share_sign_request_id}`
  const done = (await caller.get(path)).json
  expect(done).toMatchObject({ status: "Completed", failed_reason: "" })
  expect(done.shares.map((parts: { curve: string }) => parts.curve).sort()).toEqual(["ED25519", "SECP256K1"])
  for (const share of done.shares) {
    expect(share.msg_hash).toBe("0x2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    expect(share.signature).toMatch(/^0x[0-9a-f]{128}$/)
  }
  expect((await caller.get(`${base}/key_share_sign_requests`)).json.data).toEqual([done])
  // nobody else was asked
  expect(rig.node(0).received.filter(({ kind }) => kind === "task")).toHaveLength(2)
})

test("a check-up whose signature is another's fails, and says so", async () => {
  type Given = { readonly signature: string; readonly msg_hash: string; readonly signed_msg: string }
  const changes: readonly ((given: Given) => Partial<Given>)[] = [
    ({ signature: hex }) => ({ signature: `${hex.slice(0, -2)}${hex.endsWith("00") ? "01" : "00"}` }),
    () => ({ signature: `0x${"11".repeat(64)}` }),
    () => ({ signature: "0x" }),
    () => ({ msg_hash: `0x${"11".repeat(32)}` }),
    () => ({ signed_msg: "0x00" }),
  ]
  for (const change of changes) {
    await using rig = await Rig.open({ curves: ["ED25519"] })
    const { caller, base, group } = await withKeys(rig)
    rig.node(1).behaviour.distort = (outcome) =>
      outcome.type !== "shareSignatures"
        ? outcome
        : { ...outcome, signatures: outcome.signatures.map((of) => ({ ...of, ...change(of) })) }
    const made = await caller.post(`${base}/key_share_sign_requests`, newCheckup(group, rig.node(1).id))
    await rig.relay.settle()
    const path = `${base}/key_share_sign_requests/${made.json.key_share_sign_request_id}`
    const failed = { status: "Failed", failed_reason: expect.stringContaining("E-WAA-") }
    expect((await caller.get(path)).json).toMatchObject(failed)
  }
})

test("a check-up survives a crash of WaaS, and is refused for strangers, other vaults and no message", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const { caller, base, group } = await withKeys(rig)
  const at = `${base}/key_share_sign_requests`
  for (const [body, code] of [
    [newCheckup(group, newNodeId()), 2006],
    [newCheckup(group, "x".repeat(30)), 2006],
    [newCheckup(randomUUID(), rig.node(0).id), 2028],
    [newCheckup(group, rig.node(0).id, { message: "0x" }), 2006],
    [newCheckup(group, rig.node(0).id, { message: "hello" }), 2006],
    [newCheckup(group, rig.node(0).id, { message: `0x${"00".repeat(4097)}` }), 2006],
    [{ key_share_holder_group_id: group, message: "0x00" }, 2003],
  ] as const) {
    expect((await caller.post(at, body)).json.error_code).toBe(code)
  }
  rig.node(0).online = false
  const made = await caller.post(at, newCheckup(group, rig.node(0).id))
  await rig.crash()
  await rig.online(rig.node(0))
  await rig.relay.settle()
  expect((await caller.get(`${at}/${made.json.key_share_sign_request_id}`)).json.status).toBe("Completed")
  expect((await caller.get(`${at}/${randomUUID()}`)).json.error_code).toBe(2028)
})

test("a node of which WaaS saw a later state is not admitted again, over restarts of WaaS", async () => {
  await using rig = await Rig.open()
  const id = rig.node(0).id
  const fencingToken = { incarnation: 0, boot: 4, bootId: "aa", generation: 50 }
  expect(await rig.engine.admitFencingToken(id, fencingToken)).toBe("newest")
  await rig.crash()
  expect(await rig.engine.admitFencingToken(id, { ...fencingToken, boot: 3, bootId: "bb" })).toBe("behind")
  expect(await rig.engine.admitFencingToken(rig.node(1).id, { ...fencingToken, boot: 3, bootId: "bb" })).toBe("newest")
  expect(await rig.engine.admitFencingToken(id, { ...fencingToken, boot: 5, bootId: "cc", generation: 51 })).toBe(
    "newest",
  )
  expect(await rig.engine.admitFencingToken(id, fencingToken)).toBe("behind")
  // a refusal changes nothing, a commit that fails admits nobody
  rig.failCommits = true
  expect(rig.engine.admitFencingToken(id, { ...fencingToken, incarnation: 9 })).rejects.toThrow()
})

test("a caller that waits is told of the end at once, and after its time in any case", async () => {
  await using rig = await Rig.open()
  const { caller, base } = await withKeys(rig)
  const made = await caller.post(`${base}/sign_requests`, newSign())
  const one = `${base}/sign_requests/${made.json.sign_request_id}`
  const waiting = caller.get(one, ["wait", "50"])
  await Bun.sleep(20)
  await rig.relay.settle()
  expect((await waiting).json.status).toBe("Completed")
  expect((await caller.get(one, ["wait", "50"])).json.status).toBe("Completed")
  for (const node of rig.nodes) node.online = false
  const open = await caller.post(`${base}/sign_requests`, newSign())
  const other = `${base}/sign_requests/${open.json.sign_request_id}`
  const begun = performance.now()
  expect((await caller.get(other, ["wait", "1"])).json.status).toBe("Initializing")
  expect(performance.now() - begun).toBeGreaterThan(900)
  const stopped = caller.get(other, ["wait", "50"])
  await Bun.sleep(20)
  rig.engine.close()
  expect((await stopped).json.status).toBe("Initializing")
  for (const bad of ["51", "-1", "1.5", "x", "050"]) {
    expect((await caller.get(other, ["wait", bad])).json.error_code).toBe(2006)
  }
})

test("what WaaS has no room for gets 429, its code, and when to come again", async () => {
  await using rig = await Rig.open({ openTasks: 2 })
  const { caller, base } = await withKeys(rig)
  for (const node of rig.nodes) node.online = false
  for (let i = 0; i < 2; i++) expect((await caller.post(`${base}/sign_requests`, newSign())).status).toBe(201)
  const refused = await caller.post(`${base}/sign_requests`, newSign())
  expect([refused.status, refused.json.error_code]).toEqual([429, 2026])
  expect(refused.headers.get("retry-after")).toBe("5")
})
