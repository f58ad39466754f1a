/** A database from an hour ago: what was reshared, added and made since comes from the nodes, and what it has stays. */
import { expect, test } from "bun:test"
import { toHex } from "../../src/bytes.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { identityOf } from "../../src/mpc/envelope.ts"
import { provenEpochs, vaultsOf } from "../../src/waas/adoption.ts"
import { caughtUp, type KnownVault } from "../../src/waas/catchUp.ts"
import { certified, ids, named, nameOf, nodes, toldBy } from "./certified.ts"

const NONE: ReadonlySet<string> = new Set()
const first = certified()

/** What the database has of these epochs; of a key generation it has no epoch. */
function database(...epochs: readonly GroupPublic[]): readonly KnownVault[] {
  const { vaults, groups } = vaultsOf(epochs, nameOf)
  return vaults.map((vault) => ({
    vault,
    groups: groups
      .filter(({ vaultId }) => vaultId === vault.vaultId)
      .map((group) => ({ ...group, shareGroups: group.shareGroups.map(({ epoch: _, ...rest }) => rest) })),
  }))
}
const proven = (...epochs: readonly GroupPublic[]): readonly GroupPublic[] => {
  const { epochs: found, skipped } = provenEpochs(toldBy([0, 1, 2], ...epochs), named)
  expect(skipped).toEqual([])
  return found
}

test("nothing happened since: nothing changes", () => {
  const known = database(first)
  expect(caughtUp(proven(first), known, NONE, nameOf)).toEqual({ vaults: [], groups: [], advanced: [], skipped: [] })
})

test("a refresh since: the same group, of the later epoch", () => {
  const known = database(first)
  const refreshed = certified({ createdMs: 9, mode: "replace", seed: "two", ofKey: first })
  const { vaults, groups, advanced } = caughtUp(proven(refreshed), known, NONE, nameOf)
  expect([vaults, advanced]).toEqual([[], [first.groupId]])
  const [group] = known[0]?.groups ?? []
  expect(groups).toEqual([
    {
      ...group,
      status: "Valid",
      shareGroups: [{ ...group?.shareGroups[0], epoch: { createdMs: 9, epochId: toHex(refreshed.epochId) } }],
    } as never,
  ])
  // An older epoch that nodes still tell of changes nothing.
  const after = [{ vault: known[0]?.vault, groups }] as readonly KnownVault[]
  expect(caughtUp(proven(first), after, NONE, nameOf).groups).toEqual([])
})

test("a reshare to other nodes since: the key moves to the group that waited for it, or to a new one", () => {
  const pair = nodes.slice(1)
  const moved = certified({ createdMs: 9, mode: "replace", seed: "two", ofKey: first, members: pair })
  const told = provenEpochs(toldBy([1, 2], moved), named).epochs
  const known = database(first)
  const { groups } = caughtUp(told, known, NONE, nameOf)
  expect(groups.map(({ type, status, holders }) => [type, status, holders.map(({ nodeId }) => nodeId)])).toEqual([
    ["MainGroup", "Unavailable", ids],
    ["MainGroup", "Valid", ids.slice(1)],
  ])
  const [before] = known
  if (before === undefined) throw new Error("one vault")
  const [main] = before.groups
  if (main === undefined) throw new Error("one group")
  const waiting = {
    ...main,
    groupId: "waiting",
    status: "New" as const,
    shareGroups: [],
    holders: main.holders.slice(1),
  }
  const waited = caughtUp(told, [{ ...before, groups: [main, waiting] }], NONE, nameOf)
  expect(waited.groups.map(({ groupId, status, shareGroups }) => [groupId, status, shareGroups.length])).toEqual([
    [main.groupId, "Unavailable", 0],
    ["waiting", "Valid", 1],
  ])
})

test("a further group of a known key joins its vault; a new vault is a new vault", () => {
  const extended = certified({ groupId: "ExtendedgroupopqrsTu", createdMs: 9, mode: "extend", seed: "e", ofKey: first })
  const other = certified({ groupId: "OtherkeygroupopqrsTu", createdMs: 11, seed: "other" })
  const known = database(first)
  const { vaults, groups } = caughtUp(proven(first, extended, other), known, NONE, nameOf)
  expect(vaults.map(({ rootKeys }) => rootKeys[0]?.rootPubkey)).toEqual([rootExtendedPublicKey(other)])
  expect(groups.map(({ vaultId, type, shareGroups }) => [vaultId, type, shareGroups[0]?.shareGroupId])).toEqual([
    [known[0]?.vault.vaultId, "SigningGroup", extended.groupId],
    [vaults[0]?.vaultId, "MainGroup", other.groupId],
  ])
})

test("another key under a known id, and what the database is still making, are left alone", () => {
  const known = database(first)
  const stolen = certified({ createdMs: 9, mode: "replace", seed: "stolen" })
  const { groups, skipped } = caughtUp(proven(stolen), known, NONE, nameOf)
  expect([groups, skipped.map(({ why }) => why)]).toEqual([[], ["the database has another key under its id"]])
  const open = caughtUp(proven(first), [], new Set([first.groupId]), nameOf)
  expect([open.groups, open.vaults, open.skipped.length]).toEqual([[], [], 1])
  // Whoever is no member makes nobody one.
  const stranger = identityOf(new Uint8Array(32).fill(9))
  const foreign = certified({
    members: [...nodes, stranger].sort((a, b) => (a.party < b.party ? -1 : 1)),
    ofKey: first,
  })
  expect(provenEpochs(toldBy([0, 1, 2], foreign), named).epochs).toEqual([])
})
