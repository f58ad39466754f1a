/** A WaaS that lost its database believes certificates and threshold members, and no single node. */
import { expect, test } from "bun:test"
import { concat, copy, utf8 } from "../../src/bytes.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { epochIdOf } from "../../src/mpc/dkg/epoch.ts"
import { ackRoundOf } from "../../src/mpc/dkg/rounds.ts"
import { encodeHeader, identityOf, KIND, makeEnvelope, PROTOCOL } from "../../src/mpc/envelope.ts"
import { provenEpochs, vaultsOf } from "../../src/waas/adoption.ts"
import { certified, ids, named, nameOf, nodes, toldBy } from "./certified.ts"

test("both curves of one set-up are one vault with one main group, as threshold nodes hold it", () => {
  const [secp, ed] = [certified({ curve: "secp256k1", groupId: "SecpdefghijklmnopqrsT" }), certified()]
  const { epochs, skipped } = provenEpochs(toldBy([0, 2], ed, secp), named)
  expect(skipped).toEqual([])
  const { vaults, groups } = vaultsOf(epochs, nameOf)
  expect(vaults.map(({ rootKeys }) => rootKeys)).toEqual([
    [
      { curve: "SECP256K1", rootPubkey: rootExtendedPublicKey(secp) },
      { curve: "ED25519", rootPubkey: rootExtendedPublicKey(ed) },
    ],
  ])
  expect(groups.length).toBe(1)
  expect(groups[0]).toMatchObject({ type: "MainGroup", status: "Valid", threshold: 2, vaultId: vaults[0]?.vaultId })
  expect(groups[0]?.holders.map(({ nodeId, name }) => [nodeId, name])).toEqual(ids.map((id, i) => [id, `n${i}`]))
  expect(groups[0]?.shareGroups.map(({ shareGroupId }) => shareGroupId)).toEqual([secp.groupId, ed.groupId])
})

test("an extended group is a signing group of the same vault, whichever is told first", () => {
  const main = certified()
  const extended = {
    ...certified({ groupId: "ExtendedgroupopqrsTu", createdMs: 9, mode: "extend" }),
    chainCode: main.chainCode,
  }
  // Same key and chain code: an extension deals them again.
  const { sid, ackView, commitments, members } = extended
  const epochId = epochIdOf(sid, ackView, commitments[0] ?? sid, members, main.chainCode)
  const certificate = nodes.map((by) =>
    makeEnvelope(
      by,
      encodeHeader({
        protocol: PROTOCOL.reshare,
        round: ackRoundOf(undefined),
        kind: KIND.broadcast,
        bodyLength: 32,
        sid,
        receiver: undefined,
        view: ackView,
        sender: by.party,
      }),
      epochId,
    ),
  )
  const other = { ...extended, epochId, certificate }
  for (const order of [
    [main, other],
    [other, main],
  ]) {
    const { epochs, skipped } = provenEpochs(toldBy([0, 1, 2], ...order), named)
    expect(skipped).toEqual([])
    const { vaults, groups } = vaultsOf(epochs, nameOf)
    expect(vaults.length).toBe(1)
    expect(groups.map(({ type, shareGroups }) => [type, shareGroups[0]?.shareGroupId])).toEqual([
      ["MainGroup", main.groupId],
      ["SigningGroup", other.groupId],
    ])
  }
})

test("where two set-ups cannot be told apart, no curve is given to the other's vault", () => {
  const epochs = [
    certified({ curve: "secp256k1", groupId: "SecpAefghijklmnopqrsT", seed: "a" }),
    certified({ groupId: "EddyAefghijklmnopqrsT", seed: "a" }),
    certified({ groupId: "EddyBefghijklmnopqrsT", seed: "b" }),
  ]
  const { vaults } = vaultsOf(epochs, nameOf)
  expect(vaults.map(({ rootKeys }) => rootKeys.length)).toEqual([1, 1, 1])
})

test("of two epochs of one group the later one counts", () => {
  const first = certified()
  const later = { ...certified(), createdMs: 7 }
  const { epochs } = provenEpochs(toldBy([0, 1], first, later), named)
  expect(epochs.map(({ createdMs }) => createdMs)).toEqual([7])
})

const flip = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
  const changed = copy(bytes)
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
  return changed
}

const lies: readonly (readonly [string, (epoch: GroupPublic) => GroupPublic, string])[] = [
  ["no certificate", ({ certificate: _, ...epoch }) => epoch, "certificate"],
  ["an ack missing", (epoch) => ({ ...epoch, certificate: epoch.certificate?.slice(1) ?? [] }), "certificate"],
  ["an ack forged", (epoch) => ({ ...epoch, certificate: epoch.certificate?.map(flip) ?? [] }), "certificate"],
  ["another chain code", (epoch) => ({ ...epoch, chainCode: flip(epoch.chainCode) }), "certificate"],
  ["another epoch id", (epoch) => ({ ...epoch, epochId: flip(epoch.epochId) }), "certificate"],
  ["the key of another", (epoch) => ({ ...epoch, commitments: certified({ seed: "x" }).commitments }), "certificate"],
  ["another threshold", (epoch) => ({ ...epoch, threshold: 3 }), "certificate"],
  [
    "members who were not named",
    () =>
      certified({
        members: [...nodes.slice(0, 2), identityOf(new Uint8Array(32).fill(9))].sort((a, b) =>
          a.party < b.party ? -1 : 1,
        ),
      }),
    "was not named",
  ],
]

test.each(lies)("%s: not adopted, though every node says so", (_what, lie, why) => {
  const { epochs, skipped } = provenEpochs(toldBy([0, 1, 2], lie(certified())), named)
  expect(epochs).toEqual([])
  expect(skipped.length).toBe(3)
  for (const one of skipped) expect(one.why).toContain(why)
})

test("what no certificate covers is believed of threshold members who say the same, and of nobody alone", () => {
  const epoch = certified()
  const renamed = { ...epoch, groupId: "RenamedghijklmnopqrsT" }
  const told = [...toldBy([0, 1], epoch), ...toldBy([2], renamed)]
  const { epochs, skipped } = provenEpochs(told, named)
  expect(epochs.map(({ groupId }) => groupId)).toEqual([epoch.groupId])
  expect(skipped).toEqual([{ groupId: renamed.groupId, why: expect.stringContaining("1 of its nodes") }])
  // Nor is one node counted twice, or a node that is no member at all.
  const twice = toldBy([0], epoch, epoch)
  expect(provenEpochs(twice, named).epochs).toEqual([])
  const pair = certified({ members: nodes.slice(0, 2) })
  expect(provenEpochs(toldBy([0, 2], pair), named).epochs).toEqual([])
  expect(provenEpochs([{ nodeId: ids[0] ?? "", records: [concat(utf8("noise"))] }], named).skipped[0]?.why).toContain(
    "cannot be read",
  )
})
