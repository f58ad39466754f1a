/**
 * Tasks with payloads: what a node reads is what it judges, shows, records and signs for; and a WaaS that lies about any of it is
 * refused by a code, before anybody is asked.
 */
import { describe, expect, test } from "bun:test"
import { H } from "../../src/crypto/frame.ts"
import { intentHashText } from "../../src/intent/hash.ts"
import { rootExtendedPublicKey } from "../../src/keys/group.ts"
import { NO_INTENT_TABLE } from "../../src/policy/intentTable.ts"
import { namesIn } from "../../src/policy/names.ts"
import {
  DEFAULT_INTENT_SETTINGS,
  type Intents,
  intentKeyOf,
  intentSettingsOf,
  readIntents,
  recordedIntents,
  taskIntentHash,
} from "../../src/tasks/intents.ts"
import { recordedRequest } from "../../src/tasks/recordedRequest.ts"
import {
  decodeRecordedTask,
  encodeTask,
  type KeySignTask,
  MAX_KEPT_BYTES,
  withoutPayloads,
} from "../../src/wire/task.ts"
import { approved, type World } from "./fakes.ts"
import {
  bytesOf,
  EXCHANGE,
  hexOf,
  k1Group,
  PATH,
  readingNode,
  startWith,
  TERMS,
  transfer,
  withoutPayload,
  withPayloads,
} from "./payloads.ts"
import { ask, signed } from "./scenario.ts"

const WORDS = `transfer 0.01 ETH to ${EXCHANGE} on eip155:1, fee at most 0.00063 ETH`

/** Up to the last word of risk control, with what the rules were shown. */
async function judged(make: (w: World) => KeySignTask) {
  const { w, tasks } = readingNode()
  const shown: Intents[] = []
  w.evaluate = (_task, _group, _usage, _nowMs, intents) => {
    shown.push(intents)
    return { verdict: approved, debits: [] }
  }
  const task = make(w)
  ask(tasks, task)
  expect(await w.nextReport()).toMatchObject({ status: 130, approved: false })
  return { w, tasks, task, shown }
}

async function approvedTask(make: (w: World) => KeySignTask = withPayloads) {
  const node = await judged(make)
  const { w } = node
  while (w.asked.length === 0) await new Promise((resolve) => setImmediate(resolve))
  w.asked.at(-1)?.answer(approved)
  const report = await w.nextReport()
  expect(report).toMatchObject({ status: 130, approved: true })
  // WaaS compares what its signers read before it lets them wait for each other.
  const hash = taskIntentHash(node.shown[0] ?? [])
  expect(report.reason).toBe(hash === undefined ? "" : `read ${hash}`)
  return node
}

test("one reading is judged, bound to the session, recorded and told; the payload's bytes leave the journal with the end", async () => {
  const { w, tasks, task, shown } = await approvedTask()
  const [intent] = shown[0] ?? []
  expect(intent?.text).toEqual([WORDS])
  expect(intent?.reading.from).toHaveLength(1)
  expect(intent?.hash).toBe(intentHashText(intent!.reading, rootExtendedPublicKey(k1Group)))

  startWith(tasks, task, 1, TERMS)
  // A WaaS that starts anew meanwhile learns from it what this node read.
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "", reason: `read ${intent?.hash}` })
  const session = w.sessions.at(-1)
  expect(session?.spec).toMatchObject({
    protocol: "sign",
    terms: { suite: 2, nonce: bytesOf(`0x${TERMS.nonce}`) },
    messages: [{ intent: bytesOf(intent!.hash), message: bytesOf(transfer().hash) }],
  })
  const open = w.records.get(task.task_id)
  expect(recordedIntents(open?.verdict)).toEqual([{ hash: intent!.hash, text: WORDS }])
  session?.end(signed)
  expect(await w.nextReport()).toMatchObject({ status: 190 })
  // Rules are asked before the callback servers, with their answer, and at the start: each time about the same.
  expect(new Set(shown.map(taskIntentHash))).toEqual(new Set([intent!.hash]))
})

test("what the journal keeps of an ended task reads as the same task, without the bytes of large payloads", async () => {
  const { w } = readingNode()
  const small = transfer({ to: EXCHANGE }).payload
  const large = { format: "evm/message", data: Buffer.alloc(MAX_KEPT_BYTES + 1).toString("base64") }
  const task = withPayloads(w, { payloads: [small, large] })
  const document = encodeTask(task)
  const kept = withoutPayloads(document)
  expect(new TextDecoder().decode(kept)).not.toContain(small.data)
  expect(new TextDecoder().decode(kept)).not.toContain(large.data)
  expect(decodeRecordedTask(kept)).toEqual(withoutKey(task))
  expect(decodeRecordedTask(document)).toEqual(task)
  expect(withoutPayloads(kept)).toEqual(kept)
  const whole = encodeTask(
    withPayloads(w, { payloads: [{ ...large, data: Buffer.alloc(MAX_KEPT_BYTES).toString("base64") }] }),
  )
  expect(withoutPayloads(whole)).toEqual(whole)
  const plain = encodeTask(withoutPayload(task))
  expect(withoutPayloads(plain)).toEqual(plain)
})

test("an ended task is judged anew by what it did, under other names; a large one cannot be", async () => {
  const { w } = readingNode()
  const names = namesIn({
    ...NO_INTENT_TABLE,
    addresses: [{ name: "exchange", chain: "eip155:1", address: EXCHANGE }],
  })
  const requestOf = (task: KeySignTask) =>
    recordedRequest({ taskId: "t", document: withoutPayloads(encodeTask(task)) }, [k1Group], intentSettingsOf(names))
  const request = await requestOf(withPayloads(w))
  expect(request).toMatchObject({
    type: "key_sign",
    intents: [{ reading: { effects: [{ kind: "transfer", to: EXCHANGE }] } }],
  })
  const large = { format: "evm/message", data: Buffer.alloc(MAX_KEPT_BYTES).toString("base64") }
  const { payloads = [] } = withPayloads(w)
  expect(await requestOf(withPayloads(w, { payloads: [...payloads, large] }))).toBeUndefined()
  // Version 3 may name no payload at all, and then nothing was forgotten.
  expect(await requestOf({ ...withoutPayload(withPayloads(w)), version: 3 })).toMatchObject({
    type: "key_sign",
    intents: [],
  })
  const lying = withPayloads(w, {
    messages: [{ bip32_path: PATH, msg_hash: `0x${"00".repeat(32)}`, tweak: "", payload: 0 }],
  })
  expect(await requestOf(lying)).toMatchObject({ type: "unreadable", problem: expect.stringContaining("E-INT-005") })
})

const withoutKey = ({ payloads: _, ...task }: KeySignTask): KeySignTask => task

describe("a lying WaaS is refused", () => {
  const one = transfer()
  const other = transfer({ value: 10n ** 17n })
  const message = { bip32_path: PATH, msg_hash: one.hash, tweak: "", payload: 0 }
  const lies: readonly (readonly [string, string, Partial<KeySignTask>])[] = [
    ["a hash that is not the payload's", "E-INT-005", { messages: [{ ...message, msg_hash: other.hash }] }],
    [
      "one byte of the destination changed",
      "E-INT-005",
      { payloads: [transfer({ to: EXCHANGE.replace("0f76", "0f77") }).payload] },
    ],
    [
      "a payload of another chain",
      "E-INT-004",
      (({ payload, hash }) => ({ payloads: [payload], messages: [{ ...message, msg_hash: hash }] }))(
        transfer({ chainId: 137 }),
      ),
    ],
    ["a path of another chain", "E-INT-004", { messages: [{ ...message, bip32_path: "m/44/966/0/0/0" }] }],
    ["a payload that no message names", "E-INT-010", { payloads: [one.payload, other.payload] }],
    [
      "two payloads for one message",
      "E-INT-011",
      { payloads: [one.payload, other.payload], messages: [message, { ...message, payload: 1 }] },
    ],
    [
      "a message with its payload and once more without",
      "E-INT-011",
      { messages: [message, { bip32_path: PATH, msg_hash: one.hash, tweak: "" }] },
    ],
    ["one signature asked for twice", "E-INT-006", { messages: [message, message] }],
    ["an input of a transaction that has none", "E-INT-006", { messages: [{ ...message, input: 0 }] }],
    ["a format that nobody has", "E-INT-007", { payloads: [{ ...one.payload, format: "evm/bundle" }] }],
    [
      "a byte behind the transaction",
      "E-INT-02",
      { payloads: [{ ...one.payload, data: Buffer.from(`${one.raw.slice(2)}00`, "hex").toString("base64") }] },
    ],
    ["a transaction as a message", "E-INT-", { payloads: [{ ...one.payload, format: "evm/message" }] }],
    ["a Bitcoin payload on an EVM path", "E-INT-0", { payloads: [{ ...one.payload, format: "bitcoin/psbt" }] }],
  ]
  for (const [what, code, change] of lies) {
    test(what, async () => {
      const { w, task, shown } = await judged((world) => withPayloads(world, change))
      const report = await w.nextReport()
      expect(report).toMatchObject({ status: 160, approved: false })
      expect(report.code).toStartWith(code)
      // Nobody was asked, the event servers are told, and nothing of it can be begun.
      expect(shown).toEqual([])
      expect(w.asked).toHaveLength(0)
      expect(w.events.map(({ eventType }) => eventType)).toEqual(["110", "160"])
      expect(w.records.get(task.task_id)).toMatchObject({ state: "rejected", verdict: { action: "reject" } })
    })
  }
})

test("rules see which message of a batch has no payload", async () => {
  const { shown } = await approvedTask((w) =>
    withPayloads(w, {
      messages: [
        { bip32_path: PATH, msg_hash: transfer().hash, tweak: "", payload: 0 },
        { bip32_path: "m/44/60/0/0/1", msg_hash: `0x${"11".repeat(32)}`, tweak: "" },
      ],
    }),
  )
  expect(shown[0]?.map(({ messages }) => messages)).toEqual([[0]])
})

test("byte-identical payloads are one intent", async () => {
  const { w } = readingNode()
  const { payload, hash } = transfer()
  const task = withPayloads(w, {
    payloads: [payload, payload],
    messages: [
      { bip32_path: PATH, msg_hash: hash, tweak: "", payload: 0 },
      { bip32_path: PATH, msg_hash: hash, tweak: "", payload: 1 },
    ],
  })
  // One intent that takes one signature, and is asked for two.
  expect(await readIntents(task, intentKeyOf(rootExtendedPublicKey(k1Group)), DEFAULT_INTENT_SETTINGS)).toMatchObject({
    code: "E-INT-006",
  })
})

test("two transfers of one task are two intents, and the task has a hash of its own", async () => {
  const [a, b] = [transfer(), transfer({ nonce: 8 })]
  const { shown, w, task } = await approvedTask((world) =>
    withPayloads(world, {
      payloads: [a.payload, b.payload],
      messages: [
        { bip32_path: PATH, msg_hash: b.hash, tweak: "", payload: 1 },
        { bip32_path: PATH, msg_hash: a.hash, tweak: "", payload: 0 },
      ],
    }),
  )
  const [intents = []] = shown
  expect(intents.map(({ messages }) => messages)).toEqual([[1], [0]])
  const hashes = intents.map(({ hash }) => hash)
  expect(new Set(hashes).size).toBe(2)
  expect(taskIntentHash(intents)).toBe(hexOf(H("intent/task", ...hashes.map(bytesOf))))
  expect(recordedIntents(w.records.get(task.task_id)?.verdict).map(({ hash }) => hash)).toEqual(hashes)
})

describe("a start that this node cannot follow is answered, and nobody is blamed", () => {
  test("one without the terms of suite 2, for a task with payloads", async () => {
    const { w, tasks, task } = await approvedTask()
    startWith(tasks, task, 1, undefined)
    expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-038" })
    expect(w.sessions).toHaveLength(0)
    startWith(tasks, task, 2, TERMS)
    expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 2, code: "" })
  })

  test("a reader that this node does not have", async () => {
    const { w, tasks, task } = await approvedTask()
    startWith(tasks, task, 1, { ...TERMS, reader: 99 })
    expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-037" })
    expect(w.sessions).toHaveLength(0)
  })
})

test("the same digest without its payload is version 1, and begins by either start", async () => {
  for (const terms of [undefined, TERMS]) {
    const { w, tasks, task, shown } = await approvedTask((world) => withoutPayload(withPayloads(world)))
    expect(shown[0]).toEqual([])
    startWith(tasks, task, 1, terms)
    expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "" })
    const spec = w.sessions.at(-1)?.spec
    expect(spec).toMatchObject({ protocol: "sign", messages: [{ message: bytesOf(transfer().hash) }] })
    expect(spec?.protocol === "sign" && spec.messages.some(({ intent }) => intent !== undefined)).toBe(false)
    expect(spec?.protocol === "sign" && spec.terms !== undefined).toBe(terms !== undefined)
  }
})

describe("what the task states beside its payload", () => {
  const one = transfer()
  const other = transfer({ value: 10n ** 17n })
  /** As the vendor's records have it. */
  const info = (transaction: object, sources: readonly object[] = []): KeySignTask["extra_info"] => ({
    transaction,
    ...(sources.length === 0 ? {} : { source_addresses: sources }),
  })
  const raw = (text: string) => ({ raw_tx_info: { unsigned_raw_tx: text } })
  const paid = (address: string, amount?: string) => ({
    destination: {
      destination_type: "Address",
      account_output: { address, ...(amount === undefined ? {} : { amount }) },
    },
  })
  const both = { ...raw(one.raw), chain_id: "ETH", ...paid(EXCHANGE.toLowerCase(), "0.0100") }

  const agreeing: readonly (readonly [string, KeySignTask["extra_info"]])[] = [
    ["both places filled alike, chain, destination and amount", info(both, [{ address: "0x00", chain_id: "ETH" }])],
    ["the vendor's place without 0x", info(raw(one.raw.slice(2)))],
    ["a chain by a name that is not published", info({ chain_id: "MY_CHAIN" })],
    ["an empty vendor's place", info(raw(""))],
    ["a destination without an amount", info(paid(EXCHANGE))],
  ]
  for (const [what, extra_info] of agreeing) {
    test(`${what}: approved`, async () => {
      const { shown } = await approvedTask((w) => withPayloads(w, { extra_info }))
      expect(shown[0]?.map(({ text }) => text)).toEqual([[WORDS]])
    })
  }

  const differing: readonly (readonly [string, string, KeySignTask["extra_info"]])[] = [
    ["both payload places filled and different", "E-INT-012", info(raw(other.raw))],
    ["a vendor's place that is no hex", "E-INT-012", info(raw("0xzz"))],
    ["a vendor's place with a byte more", "E-INT-012", info(raw(`${one.raw}00`))],
    ["a mainnet transaction called a test network's", "E-INT-013", info({ chain_id: "SETH" })],
    ["a source address on another chain", "E-INT-013", info({}, [{ address: "a", chain_id: "MATIC" }])],
    ["another destination", "E-INT-014", info(paid(`0x${"11".repeat(20)}`))],
    ["another amount", "E-INT-014", info(paid(EXCHANGE, "0.1"))],
    ["an amount that is none", "E-INT-014", info(paid(EXCHANGE, "lots"))],
    ["an amount with an exponent", "E-INT-014", info(paid(EXCHANGE, "1e-2"))],
  ]
  for (const [what, code, extra_info] of differing) {
    test(`${what}: refused`, async () => {
      const { w } = await judged((world) => withPayloads(world, { extra_info }))
      expect(await w.nextReport()).toMatchObject({ status: 160, code })
      expect(w.asked).toHaveLength(0)
    })
  }

  test("the vendor's place alone is the payload, in version 1 too", async () => {
    const { shown } = await approvedTask((w) => withoutPayload(withPayloads(w, { extra_info: info(raw(one.raw)) })))
    expect(shown[0]?.map(({ text }) => text)).toEqual([[WORDS]])
  })

  for (const [what, code, text] of [
    ["another transaction", "E-INT-005", other.raw],
    ["another chain's", "E-INT-004", transfer({ chainId: 56 }).raw],
    ["what is no transaction", "E-INT-", "0xdeadbeef"],
    ["no hex", "E-INT-002", "0xzz"],
  ] as const) {
    test(`the vendor's place alone with ${what}: refused`, async () => {
      const { w } = await judged((world) => withoutPayload(withPayloads(world, { extra_info: info(raw(text)) })))
      const report = await w.nextReport()
      expect(report.status).toBe(160)
      expect(report.code).toStartWith(code)
    })
  }

  test("where the vendor's form is not read there is one place: a Bitcoin transaction without amounts, a signed message", async () => {
    const bitcoin = await approvedTask((w) => ({
      ...withoutPayload(withPayloads(w, { extra_info: info(raw("0200000001")) })),
      messages: [{ bip32_path: "m/84/0/0/0/0", msg_hash: `0x${"22".repeat(32)}`, tweak: "" }],
    }))
    expect(bitcoin.shown[0]).toEqual([])
    const destination = { destination: { destination_type: "EVM_EIP_191_Signature" } }
    const message = await approvedTask((w) =>
      withoutPayload(withPayloads(w, { extra_info: info({ ...raw("0xdeadbeef"), ...destination }) })),
    )
    expect(message.shown[0]).toEqual([])
  })
})
