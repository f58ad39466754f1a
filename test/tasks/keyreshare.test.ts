/** What a node refuses of a KeyReshare before anything is sent, by its own records and clock. */
import { expect, test } from "bun:test"
import { toHex, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { importedGroup } from "../../src/keys/importShare.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { parseRecoveryFile } from "../../src/keys/recoveryFile.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { reshareSid } from "../../src/mpc/sid.ts"
import { NOBODY } from "../../src/policy/people.ts"
import { keyReshareSids } from "../../src/tasks/keyreshare.ts"
import { planOf } from "../../src/tasks/kinds.ts"
import { isRefusal } from "../../src/tasks/plan.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import type { KeyReshareTask } from "../../src/wire/task.ts"
import { dealGroup } from "../mpc/dealer.ts"
import { foreignGroup } from "../support/foreignRecovery.ts"
import { party, world } from "./fakes.ts"

const DAY = 24 * 3_600_000
const parties = [party(1), party(2), party(3), party(4)].sort()
const [self, peer, third, fourth] = parties as [PartyId, PartyId, PartyId, PartyId]
const member = (partyId: PartyId) => ({ party: partyId, x: shareIdOf(partyId) })
const dealt = dealGroup("ed25519", 2, [self, peer, third].map(member), "keyreshare").group
const old: GroupPublic = { ...dealt, groupId: "AbcdefghijklmnopqrsT", certificate: [] }
const NEW = "TsrqponmlkjihgfedcbA"

const task = (nowMs: number, change: Partial<KeyReshareTask> = {}): KeyReshareTask => ({
  version: 1,
  task_id: "task-1",
  biz_task_id: "biz-1",
  created_ms: nowMs,
  deadline_ms: nowMs + 60_000,
  extra_info: {},
  type: "KeyReshare",
  mode: "replace",
  old_group_id: old.groupId,
  new_group_id: old.groupId,
  root_pub_key: rootExtendedPublicKey(old),
  curve: "ed25519",
  old_threshold: 2,
  used_node_ids: [self, peer].map(nodeIdOf),
  new_threshold: 2,
  new_node_ids: [self, peer, fourth].map(nodeIdOf),
  ...change,
})

function verdict(partyId: PartyId, groups: readonly GroupPublic[], change: Partial<KeyReshareTask> = {}): string {
  const w = world(partyId, { groups: [...groups] })
  const plan = planOf(task(w.ports.now(), change), w.ports)
  return isRefusal(plan) ? plan.code : "planned"
}

test("dealers, members, and those who are both take part; a node that is new has nothing but the task", () => {
  expect(verdict(self, [old])).toBe("planned")
  expect(verdict(third, [old], { new_node_ids: [third, fourth].map(nodeIdOf) })).toBe("planned")
  expect(verdict(fourth, [])).toBe("planned")
  expect(verdict(third, [old])).toBe("E-TSK-008")
})

const superseding: GroupPublic = {
  ...old,
  status: "ERASED",
  mode: "replace",
  createdMs: 2,
  epochId: sha256(utf8("next")),
}
const OTHER_ROOT = rootExtendedPublicKey(dealGroup("ed25519", 2, [self, peer].map(member), "another").group)
const REFUSED: readonly (readonly [string, readonly GroupPublic[], Partial<KeyReshareTask>, string])[] = [
  ["a dealer without the group", [], {}, "E-TSK-006"],
  ["a dealer whose epoch is prepared", [{ ...old, status: "PREPARED" }], {}, "E-TSK-006"],
  ["a dealer whose epoch is over", [{ ...old, status: "SUPERSEDED" }, superseding], {}, "E-TSK-006"],
  ["another root key", [old], { root_pub_key: OTHER_ROOT }, "E-TSK-007"],
  ["another curve", [old], { curve: "secp256k1" }, "E-TSK-007"],
  ["another old threshold", [old], { old_threshold: 3, used_node_ids: [self, peer, third].map(nodeIdOf) }, "E-TSK-009"],
  ["a dealer who is no member", [old], { used_node_ids: [self, fourth].map(nodeIdOf) }, "E-TSK-009"],
  [
    "a group whose share ids nobody can compute",
    [{ ...old, members: old.members.map((groupMember) => ({ ...groupMember, shareId: groupMember.shareId + 1n })) }],
    {},
    "E-TSK-024",
  ],
  [
    "extend to a group that exists",
    [old, { ...old, groupId: NEW }],
    { mode: "extend", new_group_id: NEW },
    "E-TSK-016",
  ],
]
for (const [what, groups, change, code] of REFUSED) {
  test(`refused: ${what}`, () => {
    expect(verdict(self, groups, change)).toBe(code)
  })
}

test("the same content under another deadline is another session: ids outlive the journal", () => {
  const w = world(self, { groups: [old] })
  const sidOf = (keyReshareTask: KeyReshareTask): string => {
    const plan = planOf(keyReshareTask, w.ports)
    if (isRefusal(plan) || !("open" in plan)) throw new Error("no plan")
    const spec = plan.open({ attempt: 1, terms: undefined, intents: [], presented: NOBODY })
    return spec.protocol === "reshare" ? toHex(reshareSid(spec)) : ""
  }
  const of = task(w.ports.now())
  expect(sidOf(of)).toBe(sidOf({ ...of }))
  expect(sidOf({ ...of, deadline_ms: of.deadline_ms + 1 })).not.toBe(sidOf(of))
})

test("a start of suite 2 or 3 makes a set-up of that suite where there are pairs, and each is recognised as the task's own", () => {
  const nonce = "00".repeat(16)
  const dealtK1 = dealGroup("secp256k1", 2, [self, peer, third].map(member), "pairs").group
  const k1: GroupPublic = { ...dealtK1, groupId: old.groupId, certificate: [] }
  for (const [group, hasPairs] of [
    [old, false],
    [k1, true],
  ] as const) {
    const w = world(self, { groups: [group] })
    const change: Partial<KeyReshareTask> = { curve: group.curve, root_pub_key: rootExtendedPublicKey(group) }
    const of = task(w.ports.now(), change)
    const plan = planOf(of, w.ports)
    if (isRefusal(plan) || !("open" in plan)) throw new Error("no plan")
    for (const [terms, expected] of [
      [undefined, undefined],
      [{ suite: 2, nonce }, hasPairs ? 2 : undefined],
      [{ suite: 3, nonce }, hasPairs ? 3 : undefined],
    ] as const) {
      const spec = plan.open({ attempt: 1, terms, intents: [], presented: NOBODY })
      if (spec.protocol !== "reshare") throw new Error("another protocol")
      expect(spec.suite).toBe(expected)
      expect(keyReshareSids(of, 1).map(toHex)).toContain(toHex(reshareSid(spec)))
    }
  }
})

test("a replacement must be newer than every promise, and not from beyond tomorrow", () => {
  const w = world(self)
  const nowMs = w.ports.now()
  const promised = (createdMs: number): GroupPublic => {
    const { certificate: _, ...rest } = old
    return { ...rest, status: "PREPARED", mode: "replace", createdMs, epochId: sha256(utf8("promised")) }
  }
  expect(verdict(self, [old, promised(nowMs - 1)])).toBe("planned")
  expect(verdict(self, [old, promised(nowMs)])).toBe("E-TSK-021")
  expect(verdict(self, [old, promised(nowMs + 1)])).toBe("E-TSK-021")
  // A promise without a share, of a dealer that left, counts as well.
  expect(verdict(self, [old, { ...promised(nowMs + 1), status: "ERASED" }])).toBe("E-TSK-021")
  expect(verdict(self, [old], { created_ms: nowMs + DAY })).toBe("planned")
  expect(verdict(self, [old], { created_ms: nowMs + DAY + 1 })).toBe("E-TSK-022")
  // Another group's promise is no hindrance to an extension.
  expect(verdict(self, [old, promised(nowMs + 1)], { mode: "extend", new_group_id: NEW })).toBe("planned")
})

test("an earlier attempt of the same task does not stand in the way of the next, another task of that time does", () => {
  const w = world(self, { groups: [old] })
  const keyReshareTask = task(w.ports.now())
  const plan = planOf(keyReshareTask, w.ports)
  if (isRefusal(plan) || !("open" in plan)) throw new Error("no plan")
  const spec = plan.open({ attempt: 1, terms: undefined, intents: [], presented: NOBODY })
  if (spec.protocol !== "reshare") throw new Error("another protocol")
  const { certificate: _, ...rest } = old
  const first: GroupPublic = {
    ...rest,
    status: "PREPARED",
    mode: "replace",
    createdMs: keyReshareTask.created_ms,
    epochId: sha256(utf8("first attempt")),
    sid: reshareSid(spec),
    parent: { groupId: old.groupId, epochId: old.epochId, dealers: [self, peer].sort() },
  }
  w.groups.push(first)
  const attempted = (attempt: number) => {
    w.ports.journal.claim({
      taskId: keyReshareTask.task_id,
      digest: "",
      type: keyReshareTask.type,
      document: utf8(""),
      deadlineMs: keyReshareTask.deadline_ms,
      nowMs: 0,
      events: [],
    })
    const record = w.records.get(keyReshareTask.task_id)
    if (record === undefined) throw new Error("claimed")
    w.records.set(keyReshareTask.task_id, { ...record, attempt })
    const again = planOf(keyReshareTask, w.ports)
    return isRefusal(again) ? again.code : "planned"
  }
  expect(attempted(0)).toBe("E-TSK-021")
  expect(attempted(1)).toBe("planned")
  expect(attempted(3)).toBe("planned")
})

test("an imported group is dealt on as any other, and a WaaS that lies about it is refused by its members' own records", () => {
  const foreign = foreignGroup({ curve: "ed25519", threshold: 2, size: 3, groupId: old.groupId })
  const [file] = parseRecoveryFile(foreign.file(0, "a password"), "f")
  const [a, b] = file?.participants ?? []
  if (file === undefined || a === undefined || b === undefined) throw new Error("three participants")
  const imported = importedGroup(file, [
    { participant: a, party: self },
    { participant: b, party: peer },
  ])
  const root = { root_pub_key: foreign.extendedKey }
  expect(verdict(self, [imported], root)).toBe("planned")
  // To anybody, under any threshold, with nodes that never had a file.
  const onward = { new_threshold: 3, new_node_ids: [third, fourth, self].map(nodeIdOf) }
  expect(verdict(self, [imported], { ...root, ...onward })).toBe("planned")
  expect(verdict(fourth, [], { ...root, ...onward })).toBe("planned")
  for (const [lie, code] of [
    [{ root_pub_key: OTHER_ROOT }, "E-TSK-007"],
    [{ ...root, old_threshold: 3, used_node_ids: [self, peer, third].map(nodeIdOf) }, "E-TSK-009"],
    // A holder of the third file is no dealer: its share is of the same key, and of no epoch of ours.
    [{ ...root, used_node_ids: [self, third].map(nodeIdOf) }, "E-TSK-009"],
    [{ ...root, curve: "secp256k1" }, "E-TSK-007"],
  ] as const) {
    expect(verdict(self, [imported], lie)).toBe(code)
  }
})
