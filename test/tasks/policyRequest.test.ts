/** From a task and this node's record to a request: the record counts, and what differs or makes no sense is unreadable. */
import { expect, test } from "bun:test"
import { toHex } from "../../src/bytes.ts"
import { ED, K1 } from "../../src/crypto/curve.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { NO_USAGE } from "../../src/policy/decision.ts"
import { checkRules } from "../../src/policy/schema.ts"
import { judge, ownGroup, policyRequest } from "../../src/tasks/policyRequest.ts"
import type { KeyReshareTask, KeySignTask, Task } from "../../src/wire/task.ts"

const record = (curve: "secp256k1" | "ed25519"): GroupPublic => {
  const of = curve === "secp256k1" ? K1 : ED
  return {
    groupId: "g1",
    epochId: new Uint8Array(32),
    curve,
    mode: "keygen",
    status: "ACTIVE",
    threshold: 2,
    members: [],
    commitments: [of.encodePoint(of.generator)],
    chainCode: new Uint8Array(32).fill(7),
    createdMs: 1,
    sid: new Uint8Array(32),
    ackView: new Uint8Array(32),
  }
}
const group = record("secp256k1")
const own = ownGroup(group)
const common = {
  version: 1,
  task_id: "t",
  biz_task_id: "b",
  created_ms: 1,
  deadline_ms: 2,
  extra_info: { a: 1 },
} as const
const sign = (over: Partial<KeySignTask> = {}): KeySignTask => ({
  ...common,
  type: "KeySign",
  group_id: "g1",
  root_pub_key: rootExtendedPublicKey(group),
  used_node_ids: ["n1", "n2"],
  signature_type: 1,
  messages: [{ bip32_path: "m/44/60/0/0/5", msg_hash: "0x11", tweak: "" }],
  ...over,
})
const reshare = (over: Partial<KeyReshareTask> = {}): KeyReshareTask => ({
  ...common,
  type: "KeyReshare",
  mode: "extend",
  old_group_id: "g1",
  new_group_id: "g2",
  root_pub_key: rootExtendedPublicKey(group),
  curve: "secp256k1",
  old_threshold: 2,
  used_node_ids: ["n1", "n2"],
  new_threshold: 2,
  new_node_ids: ["n2", "n3"],
  ...over,
})

test("a KeySign, with the curve and the root key of the record", () => {
  expect(policyRequest(sign(), own)).toEqual({
    type: "key_sign",
    taskId: "t",
    extraInfo: { a: 1 },
    groupId: "g1",
    rootPubKey: rootExtendedPublicKey(group),
    rootKey: `secp256k1/${toHex(K1.encodePoint(K1.generator))}`,
    curve: "secp256k1",
    signatureType: "ECDSA",
    usedNodeIds: ["n1", "n2"],
    intents: [],
    messages: [{ path: [44, 60, 0, 0, 5], hash: "0x11" }],
  })
  expect(policyRequest(sign({ signature_type: 3 }), own)).toMatchObject({ signatureType: "Schnorr" })
})

test("limits per group follow the key: the group that extends another shares its counter, another key has its own", () => {
  const checked = checkRules({
    enable: true,
    key_sign: { reject_all: false, limits: [{ name: "hour", per: "group", window: "1h", max: 2 }] },
  })
  if (!checked.ok) throw new Error("rules")
  const debited = new Map<string, number>()
  const ask = (group: GroupPublic): string => {
    const task = sign({ group_id: group.groupId, root_pub_key: rootExtendedPublicKey(group) })
    const usage = { ...NO_USAGE, count: (counter: string) => debited.get(counter) ?? 0 }
    const { verdict, debits } = judge(checked.rules, task, group, usage, 5)
    for (const { counter, amount } of debits) debited.set(counter, usage.count(counter) + Number(amount))
    return verdict.action
  }
  const extended: GroupPublic = { ...group, groupId: "g2", mode: "extend" }
  const underAnotherChainCode: GroupPublic = { ...extended, groupId: "g3", chainCode: new Uint8Array(32).fill(8) }
  const anotherKey: GroupPublic = { ...group, groupId: "g4", commitments: [K1.encodePoint(K1.multiplyBase(2n))] }
  expect([group, extended, group, underAnotherChainCode, anotherKey].map(ask)).toEqual([
    "approve",
    "approve",
    "reject",
    "reject",
    "approve",
  ])
})

test("the other kinds", () => {
  const gen: Task = { ...common, type: "KeyGen", group_id: "g", curve: "ed25519", threshold: 2, node_ids: ["n1", "n2"] }
  expect(policyRequest(gen, undefined)).toMatchObject({
    type: "key_gen",
    curve: "ed25519",
    threshold: 2,
    nodeIds: ["n1", "n2"],
  })
  const check: Task = { ...common, type: "KeyShareSign", node_id: "n1", details: [{ group_id: "g1", message: "" }] }
  expect(policyRequest(check, undefined)).toMatchObject({ type: "key_share_sign", groupIds: ["g1"] })
  expect(policyRequest(reshare(), own)).toMatchObject({
    type: "key_reshare",
    newThreshold: 2,
    newNodeIds: ["n2", "n3"],
  })
  // A newcomer has no record of the old group.
  expect(policyRequest(reshare(), undefined)).toMatchObject({ type: "key_reshare", oldGroupId: "g1" })
})

test.each<[string, Task, Parameters<typeof policyRequest>[1]]>([
  ["no record of the group", sign(), undefined],
  ["the record of another group", sign({ group_id: "g9" }), own],
  ["another root key", sign({ root_pub_key: "xpub9" }), own],
  ["a hardened path", sign({ messages: [{ bip32_path: "m/44'/0", msg_hash: "0x11", tweak: "" }] }), own],
  ["a path that is none", sign({ messages: [{ bip32_path: "x", msg_hash: "0x11", tweak: "" }] }), own],
  ["no messages", sign({ messages: [] }), own],
  ["an unknown signature type", sign({ signature_type: 4 as 3 }), own],
  ["a reshare of another group", reshare({ old_group_id: "g9" }), own],
  ["a reshare of another curve", reshare({ curve: "ed25519" }), own],
  ["a reshare of another root key", reshare({ root_pub_key: "xpub9" }), own],
  ["no share to check", { ...common, type: "KeyShareSign", node_id: "n1", details: [] }, undefined],
  ["an unknown type", { ...sign(), type: "KeyBurn" as "KeySign" }, own],
])("%s is unreadable, and rejected with the rules on or off", (_, task, of) => {
  expect(policyRequest(task, of)).toMatchObject({ type: "unreadable" })
})

test("judge: unreadable rejects, a readable task is the rules' matter", () => {
  const checked = checkRules({ enable: true, key_sign: { reject_all: false, curves: ["secp256k1"] } })
  if (!checked.ok) throw new Error("rules")
  const noUsage = NO_USAGE
  expect(judge(checked.rules, sign(), group, noUsage, 5).verdict.action).toBe("approve")
  expect(judge(checked.rules, sign(), undefined, noUsage, 5).verdict.code).toBe("E-RSK-016")
  const other = record("ed25519")
  const task = sign({ root_pub_key: rootExtendedPublicKey(other), signature_type: 2 })
  expect(judge(checked.rules, task, other, noUsage, 5).verdict.code).toBe("E-RSK-008")
})
