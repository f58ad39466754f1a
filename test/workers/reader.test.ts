/** The thread that reads payloads: it reads as the main thread does, and a thread that dies or hangs refuses one payload. */
import { afterAll, describe, expect, test } from "bun:test"
import { encodeFunctionData, keccak256, parseAbi, serializeTransaction } from "viem"
import { rootExtendedPublicKey } from "../../src/keys/group.ts"
import { NO_INTENT_TABLE } from "../../src/policy/intentTable.ts"
import { NO_NAMES, namesIn } from "../../src/policy/names.ts"
import { intentKeyOf, intentSettingsOf, isUnread, readIntents } from "../../src/tasks/intents.ts"
import { isHeavy } from "../../src/tasks/readingCost.ts"
import type { KeySignTask } from "../../src/wire/task.ts"
import { startReader } from "../../src/workers/reader.ts"
import { base64, EXCHANGE, k1Group, PATH, transfer } from "../tasks/payloads.ts"

const KEY = intentKeyOf(rootExtendedPublicKey(k1Group))
const ABI = parseAbi(["function transfer(address,uint256)", "function multicall(bytes[])"])

/** A batch of so many token transfers. */
function batch(transfers: number): KeySignTask {
  const send = encodeFunctionData({ abi: ABI, functionName: "transfer", args: [EXCHANGE, 5n] })
  const data = encodeFunctionData({ abi: ABI, functionName: "multicall", args: [Array(transfers).fill(send)] })
  const raw = serializeTransaction({ type: "eip1559", chainId: 1, gas: 1n, to: EXCHANGE, data })
  return taskOf(raw, keccak256(raw))
}
const taskOf = (raw: `0x${string}`, hash: string): KeySignTask => ({
  version: 2,
  task_id: "t",
  biz_task_id: "b",
  created_ms: 1,
  deadline_ms: 2,
  extra_info: {},
  type: "KeySign",
  group_id: k1Group.groupId,
  root_pub_key: KEY.rootKey,
  used_node_ids: [],
  signature_type: 1,
  messages: [{ bip32_path: PATH, msg_hash: hash, tweak: "", payload: 0 }],
  payloads: [{ format: "evm/transaction", data: base64(raw) }],
})

describe("what is heavy", () => {
  test("a payment is not, a batch of a thousand is", () => {
    const payment = transfer()
    expect(isHeavy({ ...batch(1), payloads: [payment.payload] })).toBe(false)
    expect(isHeavy(batch(100))).toBe(false)
    expect(isHeavy(batch(1000))).toBe(true)
  })
  test("so is a PSBT of ten kilobytes, a long message of EdDSA, and many accounts whose neighbours are looked for", () => {
    const task = batch(1)
    const psbt = { format: "bitcoin/psbt", data: "A".repeat(14_000) }
    expect(isHeavy({ ...task, payloads: [psbt] })).toBe(true)
    const message = { bip32_path: PATH, msg_hash: `0x${"00".repeat(64 * 1024)}`, tweak: "" }
    expect(isHeavy({ ...task, payloads: [], messages: [message] })).toBe(true)
    const many = [0, 1, 2].map((account) => ({ ...message, msg_hash: "0x00", bip32_path: `m/44/60/${account}/0/0` }))
    expect(isHeavy({ ...task, messages: many })).toBe(true)
    expect(
      isHeavy({ ...task, extra_info: { transaction: { raw_tx_info: { unsigned_raw_tx: "ab".repeat(10_000) } } } }),
    ).toBe(true)
  })
})

describe("the thread", () => {
  const reader = startReader()
  afterAll(() => reader.close())
  test("reads what is heavy as the main thread does, by the names of the moment", async () => {
    const task = batch(1000)
    for (const name of ["exchange", "bank"]) {
      const names = namesIn({ ...NO_INTENT_TABLE, addresses: [{ name, chain: "eip155:1", address: EXCHANGE }] })
      const here = intentSettingsOf(names)
      const read = await readIntents(task, KEY, { ...here, elsewhere: reader.read })
      expect(read).toEqual(await readIntents(task, KEY, here))
      if (isUnread(read)) throw new Error(read.message)
      expect(read[0]?.text[0]).toContain(`(@${name})`)
      expect(read[0]?.reading.effects).toHaveLength(2001)
    }
  }, 60_000)
  test("answers each question in its turn, a problem among them", async () => {
    const [good, bad] = [batch(700), { ...batch(700), messages: [{ ...batch(701).messages[0], payload: 0 }] }]
    const settings = { ...intentSettingsOf(NO_NAMES), elsewhere: reader.read }
    const read = await Promise.all([good, bad as KeySignTask, good].map((task) => readIntents(task, KEY, settings)))
    expect(read.map((one) => (isUnread(one) ? one.code : "read"))).toEqual(["read", "E-INT-005", "read"])
  }, 60_000)
  test("what is light stays here", async () => {
    const settings = {
      ...intentSettingsOf(NO_NAMES),
      elsewhere: () => {
        throw new Error("nobody asks")
      },
    }
    expect(isUnread(await readIntents(batch(3), KEY, settings))).toBe(false)
  })
})

describe("a thread that", () => {
  /** As the program of a worker. */
  const program = (text: string) => () => new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })))
  const answering = "self.onmessage = ({ data }) => data.kind === 'read' && postMessage({ kind: 'read', read: [] })"
  const after = (first: string) => {
    let spawned = 0
    return { spawn: () => program(spawned++ === 0 ? first : answering)(), spawned: () => spawned }
  }
  const asked = (spawn: () => Worker, timing = { longestMs: 20_000, idleMs: 60_000 }) => {
    const reader = startReader(spawn, timing)
    return { reader, read: () => reader.read(batch(1), KEY, NO_NAMES) }
  }
  test.each([
    ["throws", "self.onmessage = () => { throw new Error('secret') }", "it threw at"],
    ["ends", "self.onmessage = () => process.exit(1)", "it was closed"],
  ])("%s: the payload is refused, and the next one is read by another", async (_, text, why) => {
    const { spawn, spawned } = after(text)
    const { reader, read } = asked(spawn)
    const [first, second] = await Promise.all([read(), read()])
    expect(first).toMatchObject({ code: "E-INT-001", message: expect.stringContaining(why) })
    expect(JSON.stringify(first)).not.toContain("secret")
    expect([second, spawned()]).toEqual([[], 2])
    reader.close()
  })
  test("hangs is ended, and so is one that cannot be started", async () => {
    const { spawn, spawned } = after("self.onmessage = () => { for (;;) {} }")
    const { reader, read } = asked(spawn, { longestMs: 300, idleMs: 60_000 })
    expect(await read()).toMatchObject({ code: "E-INT-001", message: expect.stringContaining("it took too long") })
    expect([await asked(program(answering)).read(), spawned()]).toEqual([[], 1])
    reader.close()
    const none = asked(() => {
      throw new Error("no memory")
    })
    expect(await none.read()).toMatchObject({ message: expect.stringContaining("it could not be started") })
  })
  test("has nothing to do ends, and another is started when there is", async () => {
    let spawned = 0
    const ended = Promise.withResolvers<void>()
    const { reader, read } = asked(
      () => {
        spawned++
        const worker = program(answering)()
        worker.addEventListener("close", () => ended.resolve())
        return worker
      },
      { longestMs: 20_000, idleMs: 1 },
    )
    expect(await read()).toEqual([])
    await ended.promise
    expect([await read(), spawned]).toEqual([[], 2])
    reader.close()
  })
  test("is closed answers what waits, and what is asked later", async () => {
    const { reader, read } = asked(program("self.onmessage = () => {}"))
    const waiting = [read(), read()]
    reader.close()
    for (const one of [...waiting, read()])
      expect(await one).toMatchObject({ code: "E-INT-001", message: expect.stringContaining("the node is stopping") })
  })
})
