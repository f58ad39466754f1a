/** What check-ups must show before a share is erased: each case alone keeps it, and the honest one does not. */
import { describe, expect, test } from "bun:test"
import { type Bytes, utf8 } from "../../src/bytes.ts"
import type { CurveName } from "../../src/crypto/curve.ts"
import { systemRng } from "../../src/crypto/random.ts"
import { signCheckup } from "../../src/keys/checkupSign.ts"
import { type GroupPublic, type GroupStatus, memberOf, wipeGroupSecret } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { silentLog } from "../../src/log.ts"
import type { Store } from "../../src/store/store.ts"
import { retireByCheckups } from "../../src/tasks/checkups.ts"
import type { MemberCheckup } from "../../src/wire/frames.ts"
import { type DealtGroup, dealGroup, memberNo, membersUpTo } from "../mpc/dealer.ts"
import { partyNo } from "../mpc/network.ts"
import { bytesOf, Folder } from "../store/fixtures.ts"
import { logTo } from "../support/logTo.ts"

const GROUP = "EdwardsEdwardsEdward"
const ACK = [bytesOf(1, 200)]
/** Left the group with the second epoch. */
const self = partyNo(1)

/** Three epochs of one key: 1, 2 and 3 of which two sign; then 2, 3 and 4, of which three sign; then these again. */
function epochsOf(curve: CurveName): readonly [DealtGroup, DealtGroup, DealtGroup] {
  const old = dealGroup(curve, 2, membersUpTo(3), "old")
  const after = [2, 3, 4].map(memberNo).sort((a, b) => (a.party < b.party ? -1 : 1))
  const of = (dealt: DealtGroup, createdMs: number): DealtGroup => ({
    ...dealt,
    group: {
      ...dealt.group,
      groupId: GROUP,
      createdMs,
      chainCode: old.group.chainCode,
      mode: createdMs === 1 ? "keygen" : "replace",
    },
  })
  return [
    of(old, 1),
    of(dealGroup(curve, 3, after, "next", old.secretKey), 2),
    of(dealGroup(curve, 3, after, "later", old.secretKey), 3),
  ]
}

const EPOCHS = { secp256k1: epochsOf("secp256k1"), ed25519: epochsOf("ed25519") }

function checkup({ group, secretOf }: DealtGroup, party: PartyId, message: Bytes = utf8("there?")): MemberCheckup {
  const secret = secretOf(party)
  const key = memberOf(group, party)?.sharePublicKey ?? new Uint8Array(0)
  const signature = signCheckup(group.curve, secret.share, key, message, systemRng)
  wipeGroupSecret(secret)
  return { party, message, signature }
}

const all = (dealt: DealtGroup): readonly MemberCheckup[] =>
  dealt.group.members.map(({ party }) => checkup(dealt, party))

/** A node with the old epoch that promised the second, and knows it is certified unless told otherwise. */
function node(folder: Folder, [old, next]: readonly DealtGroup[], certified = true): Store {
  const store = folder.create()
  if (old === undefined || next === undefined) throw new Error("two epochs")
  store.groups.prepare({ ...old.group, status: "PREPARED" }, old.secretOf(self))
  store.groups.activate(GROUP, old.group.epochId, ACK)
  store.groups.acknowledge({ ...next.group, status: "ERASED" })
  if (certified) store.groups.activate(GROUP, next.group.epochId, ACK)
  return store
}

const status = (store: Store, { group }: DealtGroup): GroupStatus | undefined =>
  store.groups.get(GROUP, group.epochId)?.status

function receive(store: Store, epoch: GroupPublic, checkups: readonly MemberCheckup[]): void {
  retireByCheckups(
    { kind: "checkups", groupId: epoch.groupId, epochId: epoch.epochId, checkups },
    { self, groups: store.groups, log: silentLog },
  )
}

for (const curve of ["secp256k1", "ed25519"] as const) {
  const [old, next, later] = EPOCHS[curve]
  const [first, second, third] = all(next) as [MemberCheckup, MemberCheckup, MemberCheckup]

  describe(`${curve}: the share is kept for`, () => {
    const stranger: PartyId = partyNo(9)
    const cases: readonly (readonly [string, readonly MemberCheckup[]])[] = [
      ["no check-up", []],
      ["one fewer than the threshold of the new epoch, though enough for the old", [first, second]],
      ["one member twice", [first, second, second]],
      ["one member twice over different messages", [first, second, checkup(next, second.party, utf8("and now?"))]],
      ["enough, and one member twice", [first, second, third, third]],
      ["a stranger's name over a member's signature", [first, second, { ...third, party: stranger }]],
      ["enough, and a stranger", [first, second, third, { ...third, party: stranger }]],
      ["another member's signature", [first, second, { ...second, party: third.party }]],
      ["a signature over something else", [first, second, { ...third, message: utf8("other") }]],
      ["an empty message", [first, second, { ...third, message: utf8("") }]],
      ["a message over 4096 bytes", [first, second, { ...third, message: new Uint8Array(4097) }]],
      ["a signature cut short", [first, second, { ...third, signature: third.signature.slice(1) }]],
      ["check-ups of the next epoch", all(later)],
      ["check-ups of the old epoch", all(old)],
      [
        "one check-up with the old share of a member of both",
        [...all(next).filter(({ party }) => party !== partyNo(2)), checkup(old, partyNo(2))],
      ],
    ]
    for (const [name, checkups] of cases) {
      test(name, () => {
        using folder = new Folder()
        using store = node(folder, [old, next])
        receive(store, next.group, checkups)
        expect(status(store, old)).toBe("SUPERSEDED")
        store.groups.open(GROUP, old.group.epochId).share.wipe()
      })
    }
  })

  test(`${curve}: threshold distinct members end it, for good and only once`, () => {
    using folder = new Folder()
    {
      using store = node(folder, [old, next])
      receive(store, next.group, [first, second, third])
      receive(store, next.group, [first, second, third])
    }
    using store = folder.open()
    expect(status(store, old)).toBe("ERASED")
    expect(() => store.groups.open(GROUP, old.group.epochId)).toThrow(expect.objectContaining({ code: "E-STO-021" }))
  })
}

const [old, next, later] = EPOCHS.ed25519

test("a promised epoch without its certificate ends nothing, nor does one that this node has never heard of", () => {
  using folder = new Folder()
  using store = node(folder, [old, next], false)
  receive(store, next.group, all(next))
  receive(store, later.group, all(later))
  expect(status(store, old)).toBe("ACTIVE")
  // Even where a third epoch has ended the old one: this one proves nothing by itself.
  store.groups.acknowledge({ ...later.group, status: "ERASED" })
  store.groups.activate(GROUP, later.group.epochId, ACK)
  receive(store, next.group, all(next))
  expect(status(store, old)).toBe("SUPERSEDED")
  receive(store, later.group, all(later))
  expect(status(store, old)).toBe("ERASED")
})

test("without the certificate the store is not even asked; with it, once", () => {
  for (const certificate of [undefined, ACK]) {
    let asked = 0
    const { certificate: _, ...bare } = next.group
    const epochs: readonly GroupPublic[] = [
      { ...old.group, status: "SUPERSEDED", certificate: ACK },
      certificate === undefined ? bare : { ...bare, certificate },
    ]
    const groups = {
      list: () => epochs,
      retire: () => {
        asked++
        return []
      },
    }
    const { groupId, epochId } = next.group
    retireByCheckups({ kind: "checkups", groupId, epochId, checkups: all(next) }, { self, groups, log: silentLog })
    expect(asked).toBe(certificate === undefined ? 0 : 1)
  }
})

test("what proves nothing is said where a share is kept for it, and nowhere else", () => {
  using folder = new Folder()
  using store = node(folder, [old, next])
  const warned: string[] = []
  const log = logTo((level, message) => void warned.push(`${level}: ${message}`))
  const { groupId, epochId } = next.group
  const hand = (checkups: readonly MemberCheckup[]): void =>
    retireByCheckups({ kind: "checkups", groupId, epochId, checkups }, { self, groups: store.groups, log })
  hand([])
  expect(warned).toEqual(["warn: kept the share of a superseded epoch: check-ups prove nothing"])
  hand(all(next))
  hand([])
  expect(warned.slice(1)).toEqual(["info: erased the share of a superseded epoch"])
})

test("check-ups of an epoch end none of its own rank or above, and no other group", () => {
  using folder = new Folder()
  using store = node(folder, [old, next])
  receive(store, old.group, all(old))
  receive(store, { ...next.group, groupId: "KoblitzKoblitzKoblit" }, all(next))
  expect(status(store, old)).toBe("SUPERSEDED")
})

test("a promise that the epoch outranks ends with it, whether or not its certificate comes; one of higher rank stays", () => {
  for (const [proven, expected] of [
    [later, ["ERASED", "ERASED", "ACTIVE"]],
    [next, ["ERASED", "ACTIVE", "PREPARED"]],
  ] as const) {
    using folder = new Folder()
    using store = folder.create()
    const party = partyNo(2)
    for (const { group, secretOf } of [old, next, later]) {
      store.groups.prepare({ ...group, status: "PREPARED" }, secretOf(party))
    }
    store.groups.activate(GROUP, proven.group.epochId, ACK)
    receive(store, proven.group, all(proven))
    expect([old, next, later].map((dealtGroup) => status(store, dealtGroup))).toEqual([...expected])
    if (proven === next) continue
    store.groups.activate(GROUP, next.group.epochId, ACK)
    expect([old, next, later].map((dealtGroup) => status(store, dealtGroup))).toEqual([...expected])
  }
})
