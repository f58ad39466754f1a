/** Whether a group can sign is read once, and tasks, readiness and doctor agree about it. */
import { expect, test } from "bun:test"
import { utf8 } from "../../src/bytes.ts"
import { checkGroups } from "../../src/cli/doctor/groups.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { type GroupPublic, type GroupStatus, rootExtendedPublicKey } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import type { Algorithm } from "../../src/mpc/session.ts"
import { groupsProbe } from "../../src/ops/readiness/probes.ts"
import { planOf } from "../../src/tasks/kinds.ts"
import { isRefusal } from "../../src/tasks/plan.ts"
import { activeSignable, signableBy } from "../../src/tasks/signable.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import type { KeySignTask } from "../../src/wire/task.ts"
import { dealGroup } from "../mpc/dealer.ts"
import { party, type World, world } from "./fakes.ts"
import { keysign } from "./scenario.ts"

const parties = [party(1), party(2), party(3)].sort()
const [self, peer, third] = parties as [PartyId, PartyId, PartyId]
const dealt = (curve: "secp256k1" | "ed25519", t = 2): GroupPublic => ({
  ...dealGroup(
    curve,
    t,
    parties.map((one) => ({ party: one, x: shareIdOf(one) })),
    "signable",
  ).group,
  groupId: "AbcdefghijklmnopqrsT",
  certificate: [],
})
const K = dealt("secp256k1")
const E = dealt("ed25519")

const records = (w: World) => ({
  groups: w.ports.groups,
  bans: w.ports.bans,
  strikes: w.ports.strikes,
  freezes: w.ports.freezes,
})
const ban = (w: World, who: PartyId): void =>
  w.ports.bans.add({ ...K, peer: who, reason: "", sid: sha256(utf8("s")), bannedMs: 1 })
const strikeOut = (w: World, who: PartyId): void => {
  const strike = {
    peer: who,
    kind: "FAULT",
    reason: "",
    sid: sha256(utf8("s")),
    taskId: "t",
    atMs: 1,
    evidence: [],
  } as const
  w.ports.strikes.add([strike, strike, strike])
}

/** `ecdsa ready`, or `ecdsa E-TSK-nnn`; a code behind ready is a notice. */
const told = (w: World, group: GroupPublic) =>
  signableBy(group, records(w)).map(({ algorithm, ready, problem }) =>
    [algorithm, ...(ready ? ["ready"] : []), ...(problem === undefined ? [] : [problem.code])].join(" "),
  )

const TYPES = { ecdsa: [1, "m/44/60/0/0/0"], eddsa: [2, "m/44/501/0"], bip340: [3, "m/86/0/0/0/0"] } as const

function keySignOf(w: World, group: GroupPublic, algorithm: Algorithm, signers: readonly PartyId[]): KeySignTask {
  const [signature_type, bip32_path] = TYPES[algorithm]
  return keysign(w, {
    group_id: group.groupId,
    root_pub_key: rootExtendedPublicKey(group),
    used_node_ids: signers.map(nodeIdOf),
    signature_type,
    messages: [{ bip32_path, msg_hash: `0x${"07".repeat(32)}`, tweak: "" }],
  })
}

const CASES: readonly (readonly [string, GroupPublic, (w: World) => void, readonly string[]])[] = [
  ["nothing is wrong", K, () => {}, ["ecdsa ready", "bip340 ready"]],
  ["restored or rolled back", K, (w) => w.awaiting.add(K.groupId), ["ecdsa E-TSK-040", "bip340 ready"]],
  ["the same of Ed25519, which has no one-time material", E, (w) => w.awaiting.add(E.groupId), ["eddsa ready"]],
  ["one of two peers is banned", K, (w) => ban(w, peer), ["ecdsa ready E-TSK-013", "bip340 ready"]],
  ["both are", K, (w) => [peer, third].forEach((one) => void ban(w, one)), ["ecdsa E-TSK-013", "bip340 ready"]],
  [
    "of three that must all sign one is",
    dealt("secp256k1", 3),
    (w) => ban(w, peer),
    ["ecdsa E-TSK-013", "bip340 ready"],
  ],
  ["one is struck out", K, (w) => strikeOut(w, peer), ["ecdsa ready E-TSK-023", "bip340 ready E-TSK-023"]],
  [
    "one is struck out, the other banned",
    K,
    (w) => {
      strikeOut(w, peer)
      ban(w, third)
    },
    ["ecdsa E-TSK-013", "bip340 ready E-TSK-023"],
  ],
  ["both are struck out", E, (w) => [peer, third].forEach((one) => void strikeOut(w, one)), ["eddsa E-TSK-023"]],
  ["prepared", { ...K, status: "PREPARED" }, () => {}, ["ecdsa E-TSK-046", "bip340 E-TSK-046"]],
  ["superseded", { ...E, status: "SUPERSEDED" }, () => {}, ["eddsa E-TSK-047"]],
  ["erased", { ...E, status: "ERASED" }, () => {}, ["eddsa E-TSK-047"]],
]

for (const [what, group, arrange, expected] of CASES) {
  test(`${what}: ${expected.join(", ")}`, () => {
    const w = world(self, { groups: [group] })
    arrange(w)
    expect(told(w, group)).toEqual([...expected])
  })
}

test("what it says no to, a task is refused for with the same code; what it says yes to, some members can begin", () => {
  for (const [what, group, arrange] of CASES) {
    const w = world(self, { groups: [group] })
    arrange(w)
    const others = parties.filter((one) => one !== self)
    const sets = group.threshold === 3 ? [parties] : others.map((one) => [self, one])
    for (const { algorithm, ready, problem } of signableBy(group, records(w))) {
      const answers = sets.map((signers) => {
        const plan = planOf(keySignOf(w, group, algorithm, signers), w.ports)
        return isRefusal(plan) ? plan.code : "planned"
      })
      expect({ what, algorithm, ready }).toEqual({ what, algorithm, ready: answers.includes("planned") })
      const isTold = answers.some((answer) => answer === problem?.code)
      if (!ready && group.status === "ACTIVE")
        expect({ what, algorithm, isTold }).toEqual({ what, algorithm, isTold: true })
    }
  }
})

const statuses: readonly GroupStatus[] = ["PREPARED", "SUPERSEDED", "ERASED"]
const look = (w: World) => groupsProbe(() => activeSignable(records(w))).look()

test("readiness fails while an ACTIVE group cannot sign, and names group, algorithm and code", () => {
  const w = world(self, { groups: [K] })
  expect(look(w)).toMatchObject({ state: "ok" })
  w.awaiting.add(K.groupId)
  const found = look(w)
  if (found.state !== "failed") throw new Error(found.state)
  expect(found.error).toMatchObject({
    code: "E-STA-018",
    message: expect.stringMatching(
      /^1 of 1 groups cannot sign: ecdsa in group AbcdefghijklmnopqrsT: E-TSK-040 ECDSA waits/,
    ),
  })
  w.awaiting.clear()
  expect(look(w)).toMatchObject({ state: "ok" })
})

test("a ban that leaves enough members is a notice, and other epochs and no group at all are no alarm", () => {
  const w = world(self, { groups: [K] })
  ban(w, peer)
  expect(look(w)).toMatchObject({ state: "ok", notice: { code: "E-TSK-013" } })
  const others = world(self, { groups: statuses.map((status) => ({ ...K, status })) })
  expect(look(others)).toEqual({ state: "ok", reason: "none is here yet" })
})

test("doctor fails for the same, and warns where only some members can sign", () => {
  const w = world(self, { groups: [K] })
  const doctor = () => checkGroups(records(w))
  expect(doctor()).toEqual([{ check: "groups.signing", level: "ok", text: "1 can sign with every algorithm" }])
  ban(w, peer)
  expect(doctor()).toMatchObject([{ level: "warning", code: "E-TSK-013" }])
  expect(doctor()[0]?.text).toContain(nodeIdOf(peer))
  w.awaiting.add(K.groupId)
  expect(doctor()).toMatchObject([{ level: "failure", code: "E-TSK-040", text: expect.stringContaining(K.groupId) }])
})
