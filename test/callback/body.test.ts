import { expect, test } from "bun:test"
import fc from "fast-check"
import { copy, utf8 } from "../../src/bytes.ts"
import { pingBody, taskBody } from "../../src/callback/body.ts"
import { decodeTask, type Task } from "../../src/wire/task.ts"
import { READING } from "../intent/sample.ts"
import { keySign } from "../wire/documents.ts"
import { HASH, signTask } from "./kit.ts"

const common = { version: 1, task_id: "t", biz_task_id: "b", created_ms: 1, deadline_ms: 2, extra_info: {} } as const
const tasks: Readonly<Record<number, Task>> = {
  1: { ...common, type: "KeyGen", group_id: "g", curve: "ed25519", threshold: 2, node_ids: ["n1", "n2"] },
  2: signTask,
  3: {
    ...common,
    type: "KeyReshare",
    mode: "extend",
    old_group_id: "g1",
    new_group_id: "g2",
    root_pub_key: "xpub",
    curve: "secp256k1",
    old_threshold: 2,
    used_node_ids: ["n1", "n2"],
    new_threshold: 3,
    new_node_ids: ["n1", "n2", "n3"],
  },
  5: { ...common, type: "KeyShareSign", node_id: "n1", details: [{ group_id: "g1", message: "00ff" }] },
}
const open = (text: string) => {
  const body = JSON.parse(text)
  return { ...body, request_detail: JSON.parse(body.request_detail), extra_info: JSON.parse(body.extra_info) }
}

test("a ping has all four fields, as texts and a number", () => {
  expect(pingBody()).toBe('{"request_id":"","request_type":0,"request_detail":"","extra_info":""}')
})

test.each([1, 2, 3, 5])("type %d: the four fields, of their types, never empty, in both versions", (type) => {
  for (const version of [1, 2] as const) {
    const task = tasks[type]
    if (task === undefined) throw new Error("no such task")
    const body = JSON.parse(taskBody(version, "r-1", task))
    expect(Object.keys(body)).toEqual(["request_id", "request_type", "request_detail", "extra_info"])
    expect(body.request_type).toBe(type)
    expect(body.request_id).toBe("r-1")
    expect(body.request_detail).toStartWith("{")
    expect(body.extra_info).toStartWith("{")
  }
})

test("the details of version 2", () => {
  const detail = (type: number) => open(taskBody(2, "r", tasks[type] ?? signTask)).request_detail
  expect(detail(1)).toEqual({ threshold: 2, node_ids: ["n1", "n2"], curve: 2, task_id: "t", biz_task_id: "b" })
  expect(detail(2)).toEqual({
    group_id: "g1",
    root_pub_key: "xpub661MyTest",
    used_node_ids: ["n1", "n2"],
    bip32_path_list: ["m/44/60/0/0/5"],
    msg_hash_list: [HASH],
    tweak_list: [""],
    signature_type: 1,
    tss_protocol: 1,
    task_id: "task-2",
    biz_task_id: "biz-2",
  })
  expect(detail(3)).toEqual({
    old_group_id: "g1",
    root_pub_key: "xpub",
    curve: 0,
    used_node_ids: ["n1", "n2"],
    old_threshold: 2,
    new_threshold: 3,
    new_node_ids: ["n1", "n2", "n3"],
    task_id: "t",
    biz_task_id: "b",
  })
  expect(detail(5)).toEqual({
    node_id: "n1",
    task_id: "t",
    details: [{ group_id: "g1", message: "00ff" }],
    biz_task_id: "b",
  })
})

test("the hashes are the task's, whatever extra_info repeats", () => {
  const body = open(taskBody(2, "r", signTask))
  expect(body.request_detail.msg_hash_list).toEqual([HASH])
  expect(body.extra_info).toEqual(signTask.extra_info)
})

test("version 1 has no biz_task_id and a flat extra_info of what is known", () => {
  const transaction = {
    transaction_id: "x",
    cobo_id: "c-1",
    request_id: "q-1",
    token_id: "ETH",
    description: "rent",
    destination: { destination_type: "Address", account_output: { address: "0xabc", amount: "1.5" } },
    raw_tx_info: { unsigned_raw_tx: "0xe9" },
  }
  const task = { ...signTask, extra_info: { transaction, source_addresses: [{ address: "0xdef", chain_id: "ETH" }] } }
  const body = open(taskBody(1, "r", task))
  expect(body.request_detail.biz_task_id).toBeUndefined()
  expect(body.request_detail.msg_hash_list).toEqual([HASH])
  expect(body.extra_info).toEqual({
    cobo_id: "c-1",
    api_request_id: "q-1",
    operation: 100,
    coin: "ETH",
    from_address: "0xdef",
    to_address: "0xabc",
    amount: "1.5",
    note: "rent",
    raw_tx_hex: "0xe9",
  })
  expect(open(taskBody(1, "r", tasks[1] ?? signTask)).extra_info).toEqual({ cobo_id: "b", api_request_id: "" })
})

test("version 2 shows what the node read, whatever the task says; version 1 and tasks without payloads are as ever", () => {
  const intent = {
    reading: READING,
    hash: `0x${"ab".repeat(32)}`,
    text: ["transfer 1 ETH to somebody"],
    messages: [0],
    accounts: new Map(),
  }
  const info = open(taskBody(2, "r", signTask, [intent])).extra_info
  expect(info).toMatchObject(signTask.extra_info)
  expect(info.intent_hash).toBe(intent.hash)
  expect(info.intent).toHaveLength(1)
  expect(info.intent[0]).toMatchObject({
    chain: READING.chain,
    text: intent.text,
    intent_hash: intent.hash,
    messages: [0],
    fee: { max: READING.fee.max.toString() },
  })
  expect(info.intent[0].effects).toHaveLength(READING.effects.length)
  expect(taskBody(1, "r", signTask, [intent])).toBe(taskBody(1, "r", signTask))
  expect(open(taskBody(2, "r", signTask)).extra_info).toEqual(signTask.extra_info)
})

test("extra_info of version 2 is the text of the task document, byte by byte", () => {
  let seen = 0
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), (info) => {
      const document = JSON.stringify({ ...keySign, extra_info: info })
      const task = decodeTask(copy(utf8(document)))
      seen += "problem" in task ? 0 : 1
      // half a character, `__proto__` and what is the node's to fill in are no documents at all
      if ("problem" in task) return
      const { extra_info: text } = JSON.parse(taskBody(2, "r", task))
      expect(document).toContain(`"extra_info":${text}`)
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(info)))
    }),
  )
  expect(seen).toBeGreaterThan(50)
})
