/** Epochs of one group under certificates in every order: the highest rank wins at every node, and nothing promised is lost. */
import { expect, test } from "bun:test"
import type { GroupPublic } from "../../src/keys/group.ts"
import type { Store } from "../../src/store/store.ts"
import { bytesOf, epochNo, Folder, groupNo, groupSecret } from "./fixtures.ts"

const ACK = [bytesOf(1, 200)]

/** The first epoch and three reshares; the last two are attempts of one task, told apart by their epoch ids alone. */
const EPOCHS: readonly GroupPublic[] = [
  groupNo("group", 0),
  groupNo("group", 1),
  groupNo("group", 2, { createdMs: 2000 }),
  groupNo("group", 3, { createdMs: 2000 }),
]
const compare = (a: GroupPublic, b: GroupPublic): number =>
  a.createdMs - b.createdMs || Buffer.compare(a.epochId, b.epochId)
const RANKED = [...EPOCHS].sort(compare)

/** What one node is to an epoch: it keeps a share of it, or dealt to it and has none, or knows nothing of it. */
type Part = "member" | "dealer"

function orders<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length < 2) return [items]
  return items.flatMap((item, i) =>
    orders([...items.slice(0, i), ...items.slice(i + 1)]).map((rest) => [item, ...rest]),
  )
}

function promise(store: Store, parts: readonly Part[]): void {
  for (const [i, group] of EPOCHS.entries()) {
    if (parts[i] === "member") store.groups.prepare(group, groupSecret(i))
    else store.groups.acknowledge({ ...group, status: "ERASED" })
  }
}

const shareOf = (store: Store, i: number): boolean => {
  try {
    store.groups.open("group", epochNo(i)).share.wipe()
    return true
  } catch {
    return false
  }
}

test("certificates in every order, at members and at dealers: the highest rank signs, or nothing does", () => {
  const parts: readonly (readonly Part[])[] = [
    ["member", "member", "member", "member"],
    ["member", "dealer", "member", "dealer"],
    ["member", "member", "dealer", "dealer"],
  ]
  // The first epoch is certified already wherever there is a reshare.
  for (const part of parts) {
    for (const order of orders([1, 2, 3])) {
      using folder = new Folder()
      using store = folder.create()
      promise(store, part)
      store.groups.activate("group", epochNo(0), ACK)
      const given: number[] = [0]
      for (const i of order) {
        store.groups.activate("group", epochNo(i), ACK)
        given.push(i)
        const top = EPOCHS.filter((_, j) => given.includes(j))
          .sort(compare)
          .at(-1)
        const active = store.groups.list().filter(({ status }) => status === "ACTIVE")
        const isMember = part[EPOCHS.findIndex(({ epochId }) => epochId === top?.epochId)] === "member"
        expect(active.map(({ epochId }) => epochId)).toEqual(isMember && top !== undefined ? [top.epochId] : [])
        // Every share that was promised is still there.
        for (const [j, name] of part.entries()) expect(shareOf(store, j)).toBe(name === "member")
      }
      // A superseded epoch signs no more: what it shared with others is gone, its share is not.
      for (const group of store.groups.list()) {
        if (group.status !== "SUPERSEDED") continue
        const { pairs, share } = store.groups.open("group", group.epochId)
        expect(pairs).toEqual([])
        share.wipe()
      }
    }
  }
}, 30_000)

test("retire erases what the proven epoch outranks, prepared or superseded, and nothing else; a late certificate brings nothing back", () => {
  using folder = new Folder()
  using store = folder.create()
  promise(store, ["member", "member", "member", "member"])
  const [first, second, third, fourth] = RANKED as [GroupPublic, GroupPublic, GroupPublic, GroupPublic]
  // Not certified: nothing is proven by it.
  expect(store.groups.retire("group", third.epochId)).toEqual([])
  store.groups.activate("group", first.epochId, ACK)
  store.groups.activate("group", third.epochId, ACK)
  expect(store.groups.retire("group", third.epochId).map(({ epochId }) => epochId).length).toBe(2)
  const status = (of: GroupPublic) => store.groups.get("group", of.epochId)?.status
  expect([first, second, third, fourth].map(status)).toEqual(["ERASED", "ERASED", "ACTIVE", "PREPARED"])
  store.groups.activate("group", second.epochId, ACK)
  expect([first, second, third, fourth].map(status)).toEqual(["ERASED", "ERASED", "ACTIVE", "PREPARED"])
  store.groups.activate("group", fourth.epochId, ACK)
  expect([first, second, third, fourth].map(status)).toEqual(["ERASED", "ERASED", "SUPERSEDED", "ACTIVE"])
})

test("extend touches no other group", () => {
  using folder = new Folder()
  using store = folder.create()
  const group = groupNo("group", 0)
  const other = groupNo("other", 1, {
    mode: "extend",
    parent: { groupId: "group", epochId: group.epochId, dealers: [] },
  })
  for (const [i, of] of [group, other].entries()) {
    store.groups.prepare(of, groupSecret(i))
    store.groups.activate(of.groupId, of.epochId, ACK)
  }
  expect(store.groups.list().map(({ status }) => status)).toEqual(["ACTIVE", "ACTIVE"])
})

test("acknowledged and certified epochs are there after a restart", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    promise(store, ["member", "dealer", "member", "dealer"])
    store.groups.activate("group", epochNo(0), ACK)
    store.groups.activate("group", epochNo(1), ACK)
  }
  using store = folder.open()
  expect(
    store.groups
      .list()
      .map(({ status, certificate }) => [status, certificate !== undefined])
      .sort(),
  ).toEqual([
    ["ERASED", false],
    ["ERASED", true],
    ["PREPARED", false],
    ["SUPERSEDED", true],
  ])
  expect(() => store.groups.acknowledge({ ...groupNo("group", 1), status: "ERASED", threshold: 3 })).toThrow(
    expect.objectContaining({ code: "E-STO-022" }),
  )
  expect(() => store.groups.acknowledge(groupNo("group", 5))).toThrow(expect.objectContaining({ code: "E-STO-022" }))
})
