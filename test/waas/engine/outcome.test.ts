/** Every way in which a reported outcome is not the answer that was asked for. */
import { expect, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { fromHex, toHex } from "../../../src/bytes.ts"
import { decodeExtendedPublicKey, encodeExtendedPublicKey } from "../../../src/keys/extendedKey.ts"
import { canonicalJson, judge, outcomeDigest, taprootOutputKey } from "../../../src/waas/engine/outcome.ts"
import { newShareGroupId } from "../../../src/waas/ids.ts"
import type { TaskOutcome } from "../../../src/wire/frames.ts"
import type { KeyGenTask, KeySignTask, SignMessage, Task } from "../../../src/wire/task.ts"
import { derivePublicKey } from "../../support/extendedKeys.ts"
import { newNodeId, type Signed, Vaults } from "../../support/simulatedNodes.ts"
import { must } from "../../support/waas.ts"

const vaults = new Vaults()
const nodes = [newNodeId(), newNodeId(), newNodeId()]
const common = { version: 1, biz_task_id: "b", created_ms: 1, deadline_ms: 2, extra_info: {} } as const

const keyGen = (curve: "secp256k1" | "ed25519"): KeyGenTask => ({
  ...common,
  type: "KeyGen",
  task_id: randomUUID(),
  group_id: newShareGroupId(),
  curve,
  threshold: 2,
  node_ids: nodes,
})

const groupOf = (task: KeyGenTask) => vaults.group(task) as Extract<TaskOutcome, { type: "group" }>

const childOf = ({ root_extended_public_key }: { readonly root_extended_public_key: string }): string =>
  encodeExtendedPublicKey(derivePublicKey(decodeExtendedPublicKey(root_extended_public_key), [0]))

function keySign(type: 1 | 2 | 3, messages: readonly SignMessage[]): KeySignTask {
  const made = groupOf(keyGen(type === 2 ? "ed25519" : "secp256k1"))
  return {
    ...common,
    type: "KeySign",
    task_id: randomUUID(),
    group_id: made.group_id,
    root_pub_key: made.root_extended_public_key,
    used_node_ids: nodes.slice(0, 2),
    signature_type: type,
    messages,
  }
}

const digest = `0x${"17".repeat(32)}`
const two = [
  { bip32_path: "m/86/1", msg_hash: digest, tweak: "" },
  { bip32_path: "m/86/2", msg_hash: digest, tweak: "" },
]
const verdict = (task: Task, outcome: TaskOutcome): string => judge(task, outcome, 1).kind

test("a group that answers the task", () => {
  for (const curve of ["secp256k1", "ed25519"] as const) {
    const task = keyGen(curve)
    expect(verdict(task, groupOf(task))).toBe("group")
    const shuffled = { ...groupOf(task), participants: [...groupOf(task).participants].reverse() }
    expect(verdict(task, shuffled)).toBe("group")
  }
})

test.each([
  ["another id", { group_id: newShareGroupId() }],
  ["another curve", { curve: "secp256k1" as const }],
  ["another threshold", { threshold: 3 }],
  [
    "a root key of the other curve",
    { root_extended_public_key: groupOf(keyGen("secp256k1")).root_extended_public_key },
  ],
  ["a child key for a root key", { root_extended_public_key: childOf(groupOf(keyGen("ed25519"))) }],
  ["a root key that is none", { root_extended_public_key: "cpub1" }],
])("a group with %s is refused", (_name, of) => {
  const task = keyGen("ed25519")
  expect(verdict(task, { ...groupOf(task), ...of })).toBe("refused")
})

test("a group without a member, or with one twice, is refused", () => {
  const task = keyGen("ed25519")
  const group = groupOf(task)
  const [first, second, third] = group.participants
  for (const participants of [
    [first, second],
    [first, second, second],
    [...group.participants, must(third)],
  ]) {
    expect(verdict(task, { ...group, participants: participants.map(must) })).toBe("refused")
  }
})

test("an outcome of another kind is refused", () => {
  const [make, sign] = [keyGen("ed25519"), keySign(2, two)]
  expect(verdict(make, vaults.signatures(sign))).toBe("refused")
  expect(verdict(sign, groupOf(make))).toBe("refused")
  expect(verdict(make, { type: "shareSignatures", signatures: [] })).toBe("refused")
})

const types = [1, 2, 3] as const
const signed = (
  task: KeySignTask,
  change: (signeds: readonly Signed[]) => readonly Signed[] = (items) => items,
): TaskOutcome => {
  const outcome = vaults.signatures(task)
  return outcome.type === "signatures" ? { ...outcome, signatures: change(outcome.signatures) } : outcome
}
const first =
  (pick: (signature: Signed) => Partial<Signed>) =>
  (all: readonly Signed[]): readonly Signed[] =>
    all.map((signature, i) => (i === 0 ? { ...signature, ...pick(signature) } : signature))

test.each([
  ["one signature too few", (all: readonly Signed[]) => all.slice(1)],
  ["one signature too many", (all: readonly Signed[]) => [...all, must(all[0])]],
  ["signatures in another order", (all: readonly Signed[]) => [...all].reverse()],
  [
    "the signature of another message",
    (all: readonly Signed[]) => first(() => ({ signature: must(all[1]).signature }))(all),
  ],
  ["another path", first(() => ({ bip32_path: "m/86/3" }))],
  ["another message", first(() => ({ msg_hash: `0x${"18".repeat(32)}` }))],
  ["another tweak", first(() => ({ tweak: "0x" }))],
  ["another public key", first((of) => ({ public_key: of.public_key.replace(/.$/, (c) => (c === "0" ? "1" : "0")) }))],
  ["a short signature", first((of) => ({ signature: of.signature.slice(2) }))],
  ["an empty signature", first(() => ({ signature: "" }))],
  ["a signature in capitals", first((of) => ({ signature: `AB${of.signature.slice(2)}` }))],
  ["a wrong recovery id", first((of) => ({ signature_recovery: of.signature_recovery === "00" ? "01" : "00" }))],
  ["an odd recovery id", first(() => ({ signature_recovery: "04" }))],
] as const)("%s is refused, of every kind of signature", (_name, change) => {
  for (const type of types) {
    const task = keySign(type, two)
    expect(verdict(task, signed(task))).toBe("signatures")
    expect([type, verdict(task, signed(task, change))]).toEqual([type, "refused"])
  }
})

test("an ECDSA signature without a recovery id is refused, even if that would be 0", () => {
  for (let child = 0; child < 100; child++) {
    const task = keySign(1, [{ bip32_path: `m/86/${child}`, msg_hash: digest, tweak: "" }])
    let recovery: string | undefined
    const without = signed(task, (all) => {
      recovery = all[0]?.signature_recovery
      return all.map((one) => ({ ...one, signature_recovery: "" }))
    })
    if (recovery === "00") return expect(verdict(task, without)).toBe("refused")
  }
  return expect.unreachable()
})

test("the other root of an ECDSA signature is refused", () => {
  const task = keySign(1, two)
  const high = first((of) => {
    const { r, s } = secp256k1.Signature.fromBytes(must(fromHex(of.signature)), "compact")
    const other = new secp256k1.Signature(r, secp256k1.Point.Fn.ORDER - s)
    return {
      signature: toHex(other.toBytes("compact")),
      signature_recovery: of.signature_recovery === "00" ? "01" : "00",
    }
  })
  expect(verdict(task, signed(task, high))).toBe("refused")
})

test("a signature under the root key, or without the tweak, does not pass for one under the child key", () => {
  const child = keySign(3, [{ bip32_path: "m/86/1", msg_hash: digest, tweak: "0x" }])
  const root = { ...child, messages: [{ bip32_path: "m", msg_hash: digest, tweak: "0x" }] }
  const bare = { ...child, messages: [{ bip32_path: "m/86/1", msg_hash: digest, tweak: "" }] }
  for (const other of [root, bare]) {
    const named = first(() => must(child.messages[0]))
    expect(verdict(child, signed(other, named))).toBe("refused")
  }
})

test("known answer: BIP-341 output keys (BIP-341 wallet test vectors 1 and 2)", () => {
  const vectors = [
    [
      "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d",
      "",
      "53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343",
    ],
    [
      "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
      "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
      "147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3",
    ],
  ] as const
  for (const [internal, merkle, output] of vectors) {
    expect(toHex(taprootOutputKey(must(fromHex(internal)), must(fromHex(merkle))))).toBe(output)
  }
})

test("equal outcomes have equal digests whatever the order of their keys", () => {
  const group = groupOf(keyGen("ed25519"))
  const turned = Object.fromEntries(Object.entries(group).reverse()) as typeof group
  expect(outcomeDigest(turned)).toBe(outcomeDigest(group))
  expect(outcomeDigest({ ...group, epoch_id: "00" })).not.toBe(outcomeDigest(group))
  expect(canonicalJson({ b: [1, { d: null, c: "x" }], a: undefined })).toBe('{"b":[1,{"c":"x","d":null}]}')
})
