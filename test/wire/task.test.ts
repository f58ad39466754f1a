import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { utf8 } from "../../src/bytes.ts"
import { isCode } from "../../src/errors.ts"
import type { TaskOutcome } from "../../src/wire/frames.ts"
import { MAX_OUTCOME_BYTES, writeOutcome } from "../../src/wire/outcome.ts"
import { decodeTask, encodeTask, MAX_TASK_BYTES, type Task, taskDigest } from "../../src/wire/task.ts"
import { keyGen, keyReshare, keyShareSign, keySign, someNodeIds } from "./documents.ts"

const tasks: readonly Task[] = [keyGen, keySign, keyReshare, keyShareSign]
const decodeText = (text: string): ReturnType<typeof decodeTask> => decodeTask(utf8(text))
const decodeObject = (task: object): ReturnType<typeof decodeTask> => decodeText(JSON.stringify(task))
const problemOf = (read: ReturnType<typeof decodeTask>): string => ("problem" in read ? read.problem : "accepted")

test("every kind of task survives the way, and its digest is that of its bytes", () => {
  for (const task of tasks) {
    const document = encodeTask(task)
    expect(decodeTask(document)).toEqual(task)
    expect(taskDigest(document)).toBe(new Bun.CryptoHasher("sha256").update(document).digest("hex"))
  }
})

test("no half of a surrogate pair is accepted, whole pairs and escaped backslashes are", () => {
  const withNote = (note: string) => decodeText(JSON.stringify({ ...keyGen, extra_info: { note } }))
  for (const half of ["\ud800", "a\udfff", "\ude00\ud83d", "\\\ud83d"]) {
    expect(problemOf(withNote(half))).toContain("half of a character")
  }
  for (const whole of ["\ud83d\ude00", "\\ud83d", "\\\\ud800", "\\u", "ud800"]) {
    expect(withNote(whole)).toEqual({ ...keyGen, extra_info: { note: whole } })
  }
})

test("the order of keys is the writer's, the content is the same", () => {
  const turned = Object.fromEntries(Object.entries(keyGen).reverse())
  expect(decodeObject(turned)).toEqual(keyGen)
})

describe("a document is refused whole", () => {
  for (const task of tasks) {
    for (const key of Object.keys(task)) {
      test(`${task.type} without ${key}`, () => {
        const { [key]: _, ...rest } = { ...task } as Record<string, unknown>
        expect(problemOf(decodeObject(rest))).toMatch(/is missing|not one of/)
      })
      test(`${task.type} with ${key} of another type`, () => {
        const wrong = [null, true, [], [[]], -1, 1.5, "", "…"]
        for (const value of wrong) expect(problemOf(decodeObject({ ...task, [key]: value }))).not.toBe("accepted")
        if (key !== "extra_info") expect(problemOf(decodeObject({ ...task, [key]: {} }))).not.toBe("accepted")
      })
    }
    test(`${task.type} with one more key`, () => {
      expect(problemOf(decodeObject({ ...task, more: 1 }))).toContain("not known")
      expect(problemOf(decodeObject({ ...task, toString: 1 }))).toContain("not known")
    })
  }
})

const message = (over: object): object => ({ ...keySign, messages: [{ ...keySign.messages[0], ...over }] })
const hash = `0x${"ab".repeat(32)}`
const many = (count: number): object => ({ ...keySign, messages: Array(count).fill(keySign.messages[0]) })

const refused: readonly (readonly [string, object])[] = [
  ["threshold 1", { ...keyGen, threshold: 1 }],
  ["threshold 33", { ...keyGen, threshold: 33, node_ids: someNodeIds(32) }],
  ["threshold above the nodes", { ...keyGen, threshold: 4 }],
  ["one node", { ...keyGen, node_ids: someNodeIds(1) }],
  ["33 nodes", { ...keyGen, node_ids: someNodeIds(33) }],
  ["a node twice", { ...keyGen, node_ids: [...someNodeIds(2), ...someNodeIds(1)] }],
  ["a mistyped node", { ...keyGen, node_ids: [...someNodeIds(2), `${someNodeIds(3)[2]?.slice(0, -1)}1`] }],
  ["19 letters", { ...keyGen, group_id: "OoQGkknsPdPjLCmSuuS" }],
  ["21 letters", { ...keyGen, group_id: "OoQGkknsPdPjLCmSuuSfx" }],
  ["a digit in the group id", { ...keyGen, group_id: "OoQGkknsPdPjLCmSuuS1" }],
  ["a line end after the group id", { ...keyGen, group_id: "OoQGkknsPdPjLCmSuuSf\n" }],
  ["another curve", { ...keyGen, curve: "p256" }],
  ["65 letters of id", { ...keyGen, task_id: "a".repeat(65) }],
  ["an underscore in the id", { ...keyGen, task_id: "a_b" }],
  ["version 2", { ...keyGen, version: 2 }],
  ["a deadline at its creation", { ...keyGen, deadline_ms: keyGen.created_ms }],
  ["a time beyond dates", { ...keyGen, deadline_ms: 8.64e15 + 1 }],
  ["no message", many(0)],
  ["1001 messages", many(1001)],
  ["one signer", { ...keySign, used_node_ids: someNodeIds(1) }],
  ["signature type 0", { ...keySign, signature_type: 0 }],
  ["signature type 4", { ...keySign, signature_type: 4 }],
  [
    "an extended key with a letter outside base58",
    { ...keySign, root_pub_key: keySign.root_pub_key.replace("x", "0") },
  ],
  ["a message without 0x", message({ msg_hash: "0102" })],
  ["a message of half bytes", message({ msg_hash: "0x012" })],
  ["a message in capitals", message({ msg_hash: "0xAB" })],
  ["an empty message", message({ msg_hash: "0x" })],
  ["a message over 64 KiB", message({ msg_hash: `0x${"00".repeat(65537)}` })],
  ["a path with a space", message({ bip32_path: "m/44/60/0/0 /1" })],
  ["a path without its m", message({ bip32_path: "44/60/0/0/1" })],
  ["a path with a leading slash", message({ bip32_path: "/m/44/60/0/0/1" })],
  ["an empty path", message({ bip32_path: "" })],
  ["a path with a leading zero", message({ bip32_path: "m/044/60" })],
  ["a hardened path", message({ bip32_path: "m/44'/60" })],
  ["a path beyond 2^31", message({ bip32_path: "m/2147483648" })],
  ["a path that ends in a slash", message({ bip32_path: "m/44/" })],
  ["a path in other digits", message({ bip32_path: "m/\u0664\u0664/60" })],
  ["extra_info that speaks as the node would", { ...keySign, extra_info: { intent: [] } }],
  ["extra_info with the hash that the node fills in", { ...keySign, extra_info: { intent_hash: "0x00" } }],
  ["half of a character in extra_info", { ...keySign, extra_info: { note: "\ud800" } }],
  ["half of a character in a key of extra_info", { ...keySign, extra_info: { "\udc00": 1 } }],
  ["payloads in version 1", { ...keySign, payloads: [{ format: "evm/transaction", data: "AAAA" }] }],
  ["a message of version 1 that names a payload", message({ payload: 0 })],
  ["a path over 256 letters", message({ bip32_path: `m/${"1/".repeat(128)}` })],
  ["a key more in a message", message({ value: 1 })],
  ["a tweak with EdDSA", message({ tweak: hash })],
  ["ECDSA over 31 bytes", { ...message({ msg_hash: hash.slice(0, -2) }), signature_type: 1 }],
  ["Schnorr over 33 bytes", { ...message({ msg_hash: `${hash}00` }), signature_type: 3 }],
  ["a tweak with ECDSA", { ...message({ msg_hash: hash, tweak: hash }), signature_type: 1 }],
  ["a tweak of 31 bytes", { ...message({ msg_hash: hash, tweak: hash.slice(0, -2) }), signature_type: 3 }],
  ["fewer dealers than the old threshold", { ...keyReshare, old_threshold: 3 }],
  ["a new threshold above the new nodes", { ...keyReshare, new_threshold: 4 }],
  ["extend into the same group", { ...keyReshare, new_group_id: keyReshare.old_group_id }],
  ["replace by another group", { ...keyReshare, mode: "replace" }],
  ["a check-up of nothing", { ...keyShareSign, details: [] }],
  [
    "a check-up message over 4096 bytes",
    { ...keyShareSign, details: [{ group_id: keyGen.group_id, message: "a".repeat(8195) }] },
  ],
]

describe("a task out of bounds is refused", () => {
  for (const [name, task] of refused) test(name, () => expect(problemOf(decodeObject(task))).not.toBe("accepted"))
})

const accepted: readonly (readonly [string, object])[] = [
  ["32 nodes, threshold 32", { ...keyGen, threshold: 32, node_ids: someNodeIds(32) }],
  ["1000 messages", many(1000)],
  ["a message of 64 KiB", message({ msg_hash: `0x${"00".repeat(65536)}` })],
  ["Schnorr with a merkle root", { ...message({ msg_hash: hash, tweak: hash }), signature_type: 3 }],
  ["Schnorr by key path", { ...message({ msg_hash: hash, tweak: "0x" }), signature_type: 3 }],
  ["ECDSA", { ...message({ msg_hash: hash }), signature_type: 1 }],
  ["replace", { ...keyReshare, mode: "replace", new_group_id: keyReshare.old_group_id }],
]

describe("the bounds themselves are accepted", () => {
  for (const [name, task] of accepted) test(name, () => expect(problemOf(decodeObject(task))).toBe("accepted"))
})

describe("two readers cannot disagree", () => {
  const text = JSON.stringify(keyGen)
  const variants: readonly (readonly [string, string])[] = [
    ["a key twice", text.replace('"threshold":2', '"threshold":3,"threshold":2')],
    ["white space", text.replace('"threshold":2', '"threshold": 2')],
    ["a line end", `${text}\n`],
    ["2.0 for 2", text.replace('"threshold":2', '"threshold":2.0')],
    ["2e0 for 2", text.replace('"threshold":2', '"threshold":2e0')],
    ["an escaped letter", text.replace('"threshold"', '"\\u0074hreshold"')],
    ["a number that loses digits", text.replace('"5f0c"', "12345678901234567890")],
    ["__proto__ as a key", text.replace('"org_id"', '"__proto__"')],
    ["two documents", text + text],
    ["half a document", text.slice(0, -1)],
  ]
  for (const [name, variant] of variants) {
    test(name, () => expect(problemOf(decodeText(variant))).not.toBe("accepted"))
  }
  test("a byte order mark", () => {
    expect(problemOf(decodeTask(Uint8Array.from([0xef, 0xbb, 0xbf, ...utf8(text)])))).not.toBe("accepted")
  })
  test("bytes that are not UTF-8", () => {
    const bytes = utf8(text)
    bytes[bytes.indexOf(0x35)] = 0xff
    expect(problemOf(decodeTask(bytes))).toContain("UTF-8")
  })
  test("__proto__ in a value is only a text", () => {
    expect(problemOf(decodeObject({ ...keyGen, extra_info: { a: '"__proto__":' } }))).toBe("accepted")
  })
})

test("size and depth are bounded before anything is parsed", () => {
  const room = MAX_TASK_BYTES / 4 - JSON.stringify({ ...keyGen, extra_info: { a: "" } }).length
  expect(problemOf(decodeObject({ ...keyGen, extra_info: { a: "x".repeat(room) } }))).toBe("accepted")
  expect(problemOf(decodeObject({ ...keyGen, extra_info: { a: "x".repeat(room + 1) } }))).toContain("longer")
  const nested = (depth: number): string =>
    JSON.stringify(keyGen).replace('{"org_id":"5f0c"}', "[".repeat(depth) + "]".repeat(depth))
  expect(problemOf(decodeText(nested(14)))).toBe("accepted")
  expect(problemOf(decodeText(nested(15)))).toContain("deeper")
  expect(problemOf(decodeText(nested(400_000)))).toContain("deeper")
  expect(
    problemOf(
      decodeText(JSON.stringify({ ...keyGen, extra_info: { a: `"${"[".repeat(40)}`, b: `\\${"{".repeat(40)}` } })),
    ),
  ).toBe("accepted")
})

test("whatever the bytes, decoding answers and does not throw", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array(), fc.json().map(utf8)), (bytes) => {
      expect(problemOf(decodeTask(bytes))).not.toBe("accepted")
    }),
    { seed: 4, numRuns: 500 },
  )
})

test("encodeTask refuses what nodes would refuse", () => {
  try {
    encodeTask({ ...keyGen, threshold: 1 })
    expect.unreachable()
  } catch (error) {
    expect(isCode(error, "E-LNK-020")).toBe(true)
  }
})

test("a task whose signatures fit into no report is refused: it would be signed and could never end", () => {
  const asked = (bytes: number, count: number) => {
    const message = { bip32_path: "m/44/501/0/0/5", msg_hash: `0x${"ab".repeat(bytes)}`, tweak: "" }
    const messages = Array.from({ length: count }, () => message)
    return { ...keySign, version: 3, signature_type: 2, messages, used_node_ids: someNodeIds(3) } as const
  }
  const ended = ({ messages }: ReturnType<typeof asked>): TaskOutcome => {
    const signed = { public_key: "ab".repeat(33), signature: "ab".repeat(64), signature_recovery: "00" } as const
    return { type: "signatures", signatures: messages.map((message) => ({ ...message, ...signed })) }
  }
  // The largest batch of the REST API.
  expect(decodeTask(encodeTask(asked(16_384, 32)))).toEqual(asked(16_384, 32))
  for (const [bytes, count] of [
    [65_536, 11],
    [65_536, 12],
    [24_500, 32],
    [24_300, 32],
  ] as const) {
    const task = asked(bytes, count)
    const isTaken = !("problem" in decodeTask(utf8(JSON.stringify(task))))
    expect(isTaken && writeOutcome(ended(task)).length > MAX_OUTCOME_BYTES).toBe(false)
  }
  expect(decodeTask(utf8(JSON.stringify(asked(65_536, 12))))).toMatchObject({
    problem: expect.stringContaining("$.messages"),
  })
})
