/** Signing requests with payloads: hashes filled in, tasks of version 2, and only signers that can read them. */
import { describe, expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { batchesOf } from "../../../src/waas/engine/payloads.ts"
import { ApiFailure } from "../../../src/waas/failure.ts"
import { decodeTask, type KeySignTask, type SignMessage } from "../../../src/wire/task.ts"
import { BEFORE_VERSIONS, type NodeVersions, VERSIONS } from "../../../src/wire/versions.ts"
import { must, Rig } from "../../support/waas.ts"
import { PATH, transfer } from "../../tasks/payloads.ts"
import { Caller } from "./caller.ts"

const PRESENT: NodeVersions = { ...VERSIONS, link: 2 }

/** A vault with keys; each node has connected and told what it speaks. */
async function madeVault(rig: Rig, versions: (index: number) => NodeVersions = () => PRESENT) {
  const { vault } = await rig.madeVault(2)
  for (const [index, node] of rig.nodes.entries()) {
    const token = { incarnation: 0, boot: 1, bootId: "b", generation: 1, versions: versions(index) }
    await rig.engine.admitFencingToken(node.id, token)
  }
  const caller = await Caller.of(rig)
  return { caller, path: `/v2/wallets/mpc/vaults/${vault.vaultId}/sign_requests` }
}

const { payload, hash } = transfer()
const request = (more: object = {}): object => ({
  request_id: randomUUID(),
  curve: "SECP256K1",
  signature_type: 1,
  messages: [{ bip32_path: PATH, payload: 0 }],
  payloads: [payload],
  ...more,
})

async function taskOf(rig: Rig, id: string): Promise<KeySignTask> {
  const made = must(await rig.store.signRequest(id))
  const [record] = await rig.engine.tasksOf(made)
  const task = decodeTask(must(record).document)
  if ("problem" in task || task.type !== "KeySign") throw new Error("not a KeySign")
  return task
}

test("a hash that is left out is the payload's, any quorum may sign it, and it completes under suite 2", async () => {
  await using rig = await Rig.open()
  const { caller, path } = await madeVault(rig)
  const made = await caller.post(path, request())
  expect(made.status).toBe(201)
  const task = await taskOf(rig, made.json.sign_request_id)
  expect(task.version).toBe(3)
  expect(task.payloads).toEqual([payload])
  expect(task.messages).toEqual([{ bip32_path: PATH, msg_hash: hash, tweak: "", payload: 0 }])
  await rig.relay.settle()
  const [record] = await rig.engine.tasksOf(must(await rig.store.signRequest(made.json.sign_request_id)))
  expect(record?.terms).toMatchObject({ suite: 2, reader: 1, nonce: expect.stringMatching(/^[0-9a-f]{32}$/) })
  expect((await caller.get(`${path}/${made.json.sign_request_id}`)).json).toMatchObject({
    status: "Completed",
    signatures: [{ msg_hash: hash }],
  })
})

test("each attempt has a nonce of its own, and every participant the same", async () => {
  await using rig = await Rig.open()
  const { caller, path } = await madeVault(rig)
  for (const node of rig.nodes) node.behaviour = { attempt: (_task, attempt) => (attempt === 1 ? "abort" : "work") }
  const made = await caller.post(path, request())
  await rig.relay.settle()
  const before = (await rig.engine.tasksOf(must(await rig.store.signRequest(made.json.sign_request_id))))[0]
  await rig.pass(10_000)
  await rig.relay.settle()
  const after = (await rig.engine.tasksOf(must(await rig.store.signRequest(made.json.sign_request_id))))[0]
  expect(after?.attempt).toBe(2)
  expect(after?.terms?.nonce).not.toBe(before?.terms?.nonce)
})

describe("what cannot be meant is refused before any node is asked", () => {
  const refusals: readonly (readonly [string, object, number, string])[] = [
    ["no hash and no payload", { payloads: undefined, messages: [{ bip32_path: PATH }] }, 2003, "msg_hash"],
    [
      "a payload that is not there",
      {
        messages: [
          { bip32_path: PATH, payload: 1 },
          { bip32_path: PATH, payload: 0 },
        ],
      },
      2006,
      "no such payload",
    ],
    ["a payload that no message names", { payloads: [payload, payload] }, 2006, "no message belongs to it"],
    ["data that is not base64", { payloads: [{ ...payload, data: "AAA" + "\u00e4" }] }, 2006, "base64"],
    ["a format that does not exist", { payloads: [{ ...payload, format: "evm/bundle" }] }, 2006, "format"],
    ["a payload that cannot be read", { payloads: [{ ...payload, data: "AAAA" }] }, 2006, "E-INT-"],
    ["a path of another chain", { messages: [{ bip32_path: "m/44/501/0", payload: 0 }] }, 2006, "E-INT-004"],
    ["an input of what has none", { messages: [{ bip32_path: PATH, payload: 0, input: 3 }] }, 2006, "E-INT-006"],
    ["the wrong curve", { curve: "ED25519", signature_type: 2 }, 2006, "E-INT-"],
  ]
  for (const [what, change, code, words] of refusals) {
    test(what, async () => {
      await using rig = await Rig.open()
      const { caller, path } = await madeVault(rig)
      const answer = await caller.post(path, request(change))
      expect(answer.json).toMatchObject({ error_code: code, error_message: expect.stringContaining(words) })
      expect((await caller.get(path)).json.pagination.total_count).toBe(0)
    })
  }
})

describe("nodes of an earlier release in the group", () => {
  const old =
    (...indices: number[]) =>
    (index: number) =>
      indices.includes(index) ? BEFORE_VERSIONS : PRESENT

  test("are passed over where others can read", async () => {
    await using rig = await Rig.open()
    const { caller, path } = await madeVault(rig, old(0))
    const made = await caller.post(path, request())
    expect(made.json.used_tss_node_ids).toEqual([rig.node(1).id, rig.node(2).id])
    await rig.relay.settle()
    expect((await caller.get(`${path}/${made.json.sign_request_id}`)).json.status).toBe("Completed")
  })

  test("are named where too few can, or where the caller wants them", async () => {
    await using rig = await Rig.open()
    const { caller, path } = await madeVault(rig, old(0, 1))
    for (const named of [undefined, [rig.node(0).id, rig.node(2).id]]) {
      const answer = await caller.post(path, request({ used_tss_node_ids: named }))
      expect(answer.json.error_code).toBe(30032)
      expect(answer.json.error_message).toContain("E-WAA-028")
      expect(answer.json.error_message).toContain(rig.node(0).id)
      expect(answer.json.error_message).not.toContain(rig.node(2).id)
    }
  })

  test("sign digests without payloads as ever, under suite 1", async () => {
    await using rig = await Rig.open()
    const { caller, path } = await madeVault(rig, old(0, 1, 2))
    const made = await caller.post(
      path,
      request({ payloads: undefined, messages: [{ bip32_path: PATH, msg_hash: hash }] }),
    )
    await rig.relay.settle()
    const [record] = await rig.engine.tasksOf(must(await rig.store.signRequest(made.json.sign_request_id)))
    expect(record).toMatchObject({ state: "completed" })
    expect(record?.terms).toBeUndefined()
    expect((await taskOf(rig, made.json.sign_request_id)).version).toBe(1)
  })

  test("that come back instead of a new one end the request by name, without an attempt", async () => {
    await using rig = await Rig.open()
    const { caller, path } = await madeVault(rig)
    rig.node(1).online = false
    const made = await caller.post(path, request({ used_tss_node_ids: [rig.node(0).id, rig.node(1).id] }))
    await rig.relay.settle()
    const token = { incarnation: 0, boot: 2, bootId: "c", generation: 2, versions: BEFORE_VERSIONS }
    await rig.engine.admitFencingToken(rig.node(1).id, token)
    await rig.online(rig.node(1))
    await rig.relay.settle()
    const answer = (await caller.get(`${path}/${made.json.sign_request_id}`)).json
    expect(answer.status).toBe("Failed")
    expect(answer.failed_reason).toContain("E-WAA-028")
    expect(answer.failed_reason).toContain(rig.node(1).id)
    expect(answer.failed_reason).not.toContain(rig.node(0).id)
  })
})

describe("signers who do not read a payload alike", () => {
  const reads =
    (...words: readonly string[]) =>
    (index: number) =>
      words[index] ?? ""

  async function ended(rig: Rig, versions: (index: number) => NodeVersions, word: (index: number) => string) {
    const { caller, path } = await madeVault(rig, versions)
    const ids = rig.nodes.map(({ id }) => id)
    // What a node has read is the reason of its approval.
    const toEngine = rig.relay.toEngine
    rig.relay.toEngine = (id, frame) => {
      const isApproval = frame.kind === "report" && frame.status === 130 && frame.approved
      return toEngine(id, isApproval ? { ...frame, reason: word(ids.indexOf(id)) } : frame)
    }
    const made = await caller.post(
      path,
      request({ payloads: undefined, messages: [{ bip32_path: PATH, msg_hash: hash }] }),
    )
    await rig.relay.settle()
    return { ids, answer: (await caller.get(`${path}/${made.json.sign_request_id}`)).json }
  }

  test("end the request by a code of its own, before any session", async () => {
    await using rig = await Rig.open()
    const { ids, answer } = await ended(rig, () => PRESENT, reads("read 0xaa", "read 0xbb", "read 0xcc"))
    expect(answer.status).toBe("Failed")
    expect(answer.failed_reason).toStartWith("E-WAA-029")
    expect(answer.failed_reason).toContain(`${ids[0]} 0xaa; ${ids[1]} 0xbb; ${ids[2]} 0xcc`)
  })

  test("one that read nothing is named too", async () => {
    await using rig = await Rig.open()
    const { ids, answer } = await ended(rig, () => PRESENT, reads("read 0xaa", "", "read 0xcc"))
    expect(answer.failed_reason).toContain(`${ids[0]} 0xaa; ${ids[1]} nothing`)
  })

  test("another who reads it as one of them does signs with that one", async () => {
    await using rig = await Rig.open()
    const { ids, answer } = await ended(rig, () => PRESENT, reads("read 0xaa", "read 0xbb", "read 0xaa"))
    expect(answer.status).toBe("Completed")
    expect(answer.used_tss_node_ids).toEqual([ids[0], ids[2]])
  })

  test("alike, or under suite 1, they sign", async () => {
    for (const [versions, word] of [
      [PRESENT, reads("read 0xaa", "read 0xaa", "read 0xaa")],
      [BEFORE_VERSIONS, reads("read 0xaa", "", "")],
    ] as const) {
      await using rig = await Rig.open()
      expect((await ended(rig, () => versions, word)).answer.status).toBe("Completed")
    }
  })
})

describe("the split into tasks", () => {
  const message = (index: number, payload?: number): SignMessage => ({
    bip32_path: `m/0/${index}`,
    msg_hash: hash,
    tweak: "",
    ...(payload === undefined ? {} : { payload }),
  })
  const payloads = ["AAAA", "BBBB", "CCCC"].map((data) => ({ format: "bitcoin/psbt", data }))

  test("keeps the messages of a payload together, and each task has only its own payloads", () => {
    const messages = [message(0, 2), message(1, 0), message(2), message(3, 2), message(4, 0), message(5, 2)]
    const batches = batchesOf(messages, payloads, 4)
    expect(batches.map((batch) => batch.payloads.map(({ data }) => data))).toEqual([["CCCC"], ["AAAA"]])
    expect(batches.map((batch) => batch.messages.map(({ bip32_path, payload }) => [bip32_path, payload]))).toEqual([
      [
        ["m/0/0", 0],
        ["m/0/3", 0],
        ["m/0/5", 0],
      ],
      [
        ["m/0/1", 0],
        ["m/0/4", 0],
        ["m/0/2", undefined],
      ],
    ])
  })

  test("is the old one where there are no payloads", () => {
    const messages = Array.from({ length: 70 }, (_, index) => message(index))
    expect(batchesOf(messages, [], 32).map((batch) => batch.messages)).toEqual([
      messages.slice(0, 32),
      messages.slice(32, 64),
      messages.slice(64),
    ])
  })

  test("refuses a payload that one task cannot sign", () => {
    const messages = Array.from({ length: 33 }, (_, index) => message(index, 0))
    expect(() => batchesOf(messages, payloads, 32)).toThrow(ApiFailure)
  })
})
