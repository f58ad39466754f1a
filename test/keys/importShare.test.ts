/**
 * Shares from files of another program, taken over by nodes and dealt again (threshold.md 6.5): the root key, its children and the chain code
 * stay, whoever had a file; and every file, dealer or record that does not fit is refused.
 */
import { describe, expect, test } from "bun:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { toHex, utf8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { lagrange } from "../../src/crypto/shamir.ts"
import { CosignerError } from "../../src/errors.ts"
import { encodeExtendedPublicKey, rootPublicKey as extendedRoot } from "../../src/keys/extendedKey.ts"
import {
  checkGroup,
  checkShare,
  type GroupPublic,
  type GroupSecret,
  rootExtendedPublicKey,
} from "../../src/keys/group.ts"
import { decodeGroupPublic, encodeGroupPublic } from "../../src/keys/groupCodec.ts"
import { groupOfRecords, importRecord } from "../../src/keys/importRecord.ts"
import { type ImportDealer, importedGroup, importedShare } from "../../src/keys/importShare.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { OpeningKeys } from "../../src/keys/recoveryBox.ts"
import { parseRecoveryFile, type RecoveryGroup } from "../../src/keys/recoveryFile.ts"
import { proveShare } from "../../src/keys/recoverySet.ts"
import type { MessageSignature, ReshareSpec, SessionSpec, SignSpec } from "../../src/mpc/session.ts"
import { membersOf } from "../../src/mpc/sid.ts"
import { Secret } from "../../src/secret.ts"
import { identityAt, partyAt, runCluster } from "../mpc/cluster.ts"
import { makeMembers, toSign } from "../mpc/specs.ts"
import { type ForeignChoice, type ForeignGroup, foreignGroup } from "../support/foreignRecovery.ts"

const PASSWORD = "another program's password"

function fileOf(foreign: ForeignGroup, participant: number): RecoveryGroup {
  const [group] = parseRecoveryFile(foreign.file(participant, PASSWORD), `file ${participant}`)
  if (group === undefined) throw new Error("a file has a group")
  return group
}

/** Dealer n of our nodes has the share of the file's participant `of[n]`. */
const dealersOf = (group: RecoveryGroup, of: readonly number[]): readonly ImportDealer[] =>
  of.map((index, n) => {
    const participant = group.participants[index]
    if (participant === undefined) throw new Error("no such participant")
    return { participant, party: partyAt(n) }
  })

function proven(group: RecoveryGroup) {
  using keys = new OpeningKeys(Secret.from(utf8(PASSWORD)))
  return proveShare(group, keys)
}

interface Imported {
  readonly group: GroupPublic
  readonly secretOf: (party: PartyId) => GroupSecret
}

/** What the nodes have after the command ran on each of them. */
function imported(foreign: ForeignGroup, of: readonly number[]): Imported {
  const all = of.map((index, n) => {
    const group = fileOf(foreign, index)
    const dealers = dealersOf(group, of)
    return { group: importedGroup(group, dealers), share: importedShare(proven(group), dealers, partyAt(n)) }
  })
  const [first] = all
  if (first === undefined) throw new Error("nobody imports")
  for (const { group } of all) expect(group).toEqual(first.group)
  return {
    group: first.group,
    secretOf: (party) => {
      const found = all.find((_, n) => partyAt(n) === party)?.share
      if (found === undefined) throw new Error("no dealer")
      return { share: Secret.from(found.expose()), pairs: [] }
    },
  }
}

/** `groupOf`: the record that a dealer holds, where they do not all hold the same. */
function reshareSpecs(
  old: Imported,
  size: number,
  threshold: number,
  groupOf: (party: PartyId) => GroupPublic,
): readonly ReshareSpec[] {
  const { group } = old
  const dealers = membersOf(group)
  const members = makeMembers(size)
  const everybody = [...new Set([...dealers, ...members].map(({ party }) => party))].sort()
  return everybody.map((self): ReshareSpec => {
    const isDealer = dealers.some(({ party }) => party === self)
    return {
      protocol: "reshare",
      self,
      taskId: "first reshare",
      attempt: 1,
      mode: "replace",
      curve: group.curve,
      oldGroupId: group.groupId,
      newGroupId: group.groupId,
      rootPublicKey: group.commitments[0] ?? group.sid,
      chainCode: group.chainCode,
      oldThreshold: group.threshold,
      dealers,
      newThreshold: threshold,
      members,
      createdMs: 1_800_000_000_000,
      ...(group.curve === "secp256k1" && { suite: 3 as const }),
      old: isDealer ? { group: groupOf(self), secret: old.secretOf(self) } : undefined,
    }
  })
}

async function reshared(old: Imported, size: number, threshold: number): Promise<Imported> {
  const specs = reshareSpecs(old, size, threshold, () => old.group)
  const secrets = new Map<PartyId, GroupSecret>()
  const groups: GroupPublic[] = []
  const runs = await runCluster(specs, {
    onRecord: (party, record) => {
      if (record.kind !== "prepared") return
      groups.push(record.group)
      const { share, pairs } = record.secret
      const kept = {
        share: Secret.from(share.expose()),
        pairs: pairs.map((pair) => ({
          ...pair,
          zeroSeed: Secret.from(pair.zeroSeed.expose()),
          otAlice: pair.otAlice && Secret.from(pair.otAlice.expose()),
          otBob: pair.otBob && Secret.from(pair.otBob.expose()),
        })),
      }
      secrets.set(party, kept)
    },
  })
  for (const { ending } of runs.values()) expect(ending.kind).toBe("done")
  const [made] = groups
  if (made === undefined) throw new Error("nothing was made")
  return {
    group: { ...made, status: "ACTIVE", certificate: [] },
    secretOf: (party) => {
      const found = secrets.get(party)
      if (found === undefined) throw new Error("no member")
      return found
    },
  }
}

async function signed(
  of: Imported,
  signers: readonly PartyId[],
  algorithm: SignSpec["algorithm"],
  message: string,
): Promise<MessageSignature> {
  const digest = algorithm === "eddsa" ? utf8(message) : sha256(utf8(message))
  const specs = signers.map(
    (self): SessionSpec => ({
      protocol: "sign",
      self,
      taskId: "t",
      attempt: 1,
      algorithm,
      group: of.group,
      secret: of.secretOf(self),
      signers,
      messages: [toSign(digest)],
    }),
  )
  const runs = await runCluster(specs)
  const [run] = runs.values()
  if (run?.ending.kind !== "done" || run.ending.result.kind !== "signatures")
    throw new Error(JSON.stringify(run?.ending))
  const [signature] = run.ending.result.signatures
  if (signature === undefined) throw new Error("no signature")
  return signature
}

const SMALL_AND_LARGE = [1n, 2n, 2n ** 251n + 7n, 3n, 2n ** 128n + 1n]

describe.each([
  ["secp256k1 2 of 2", { curve: "secp256k1", threshold: 2, size: 2 }, [1, 0], 3, 2],
  [
    "secp256k1 2 of 3, small ids",
    { curve: "secp256k1", threshold: 2, size: 3, shareIds: [1n, 2n, 3n], version: 1 },
    [2, 0],
    3,
    2,
  ],
  [
    "secp256k1 3 of 5, ids of every size",
    { curve: "secp256k1", threshold: 3, size: 5, shareIds: SMALL_AND_LARGE, version: 2 },
    [4, 2, 1],
    4,
    2,
  ],
  ["ed25519 2 of 2", { curve: "ed25519", threshold: 2, size: 2 }, [0, 1], 3, 2],
  [
    "ed25519 2 of 3, a large id",
    { curve: "ed25519", threshold: 2, size: 3, shareIds: [3n, 2n ** 250n, 9n] },
    [1, 2],
    3,
    3,
  ],
  [
    "ed25519 3 of 5, ids of every size",
    { curve: "ed25519", threshold: 3, size: 5, shareIds: SMALL_AND_LARGE },
    [0, 3, 4],
    5,
    3,
  ],
] as const)("%s", (_, choice, of, size, threshold) => {
  test("the key, its chain code and its children stay, and nodes without a file sign", async () => {
    const foreign = foreignGroup({ ...(choice as ForeignChoice) })
    const old = imported(foreign, of)
    expect(rootExtendedPublicKey(old.group)).toBe(foreign.extendedKey)
    checkGroup(old.group)
    expect(decodeGroupPublic(encodeGroupPublic(old.group))).toEqual(old.group)
    const after = await reshared(old, size, threshold)
    expect(rootExtendedPublicKey(after.group)).toBe(foreign.extendedKey)
    const parties = makeMembers(size).map(({ party }) => party)
    const signers = parties.slice(size - threshold)
    if (foreign.curve === "ed25519") {
      const { signature } = await signed(after, signers, "eddsa", "pay")
      expect(ed25519.verify(signature, utf8("pay"), foreign.rootKey, { zip215: false })).toBe(true)
      return
    }
    const ecdsa = await signed(after, signers, "ecdsa", "pay")
    expect(secp256k1.verify(ecdsa.signature, sha256(utf8("pay")), foreign.rootKey, { prehash: false })).toBe(true)
  })
})

test("the dealers' shares are on one polynomial at their own share ids, and any other node's file gives the same key", () => {
  const foreign = foreignGroup({ curve: "ed25519", threshold: 2, size: 3 })
  const [a, b] = [imported(foreign, [0, 1]), imported(foreign, [1, 2])]
  expect(rootExtendedPublicKey(a.group)).toBe(rootExtendedPublicKey(b.group))
  expect(toHex(a.group.epochId)).not.toBe(toHex(b.group.epochId))
  for (const { party } of a.group.members) checkShare(a.group, a.secretOf(party), party)
})

// ---- what is refused -----------------------------------------------------------------------------------------------

const codeOf = (action: () => unknown): string => {
  try {
    action()
    return "none"
  } catch (error) {
    return error instanceof CosignerError ? error.code : String(error)
  }
}

describe("refused", () => {
  const foreign = foreignGroup({ curve: "secp256k1", threshold: 2, size: 3 })
  const group = fileOf(foreign, 0)
  const [x, y] = dealersOf(group, [0, 1])
  if (x === undefined || y === undefined) throw new Error("two dealers")
  test.each([
    ["too few dealers", [x]],
    ["too many dealers", dealersOf(group, [0, 1, 2])],
    ["a node twice", [x, { ...y, party: x.party }]],
    ["a participant twice", [x, { ...y, participant: x.participant }]],
    ["a participant of another file", [x, { ...y, participant: { ...y.participant } }]],
  ])("%s", (_, dealers) => {
    expect(codeOf(() => importedGroup(group, dealers))).toBe("E-KEY-037")
  })
  test("a threshold of one, and an id that no task could name", () => {
    const one: RecoveryGroup = { ...group, threshold: 1 }
    expect(codeOf(() => importedGroup(one, dealersOf(one, [0])))).toBe("E-KEY-037")
    const named = fileOf(foreignGroup({ curve: "ed25519", threshold: 2, size: 2, groupId: "short" }), 0)
    expect(codeOf(() => importedGroup(named, dealersOf(named, [0, 1])))).toBe("E-KEY-037")
  })
  test("any set of public shares that misses the root, whether its owner deals or not", () => {
    const strange = fileOf(foreignGroup({ curve: "secp256k1", threshold: 2, size: 3 }), 0)
    for (const wrong of [0, 1, 2]) {
      const participants = group.participants.map((one, i) =>
        i === wrong ? { ...one, sharePublicKey: strange.participants[i]?.sharePublicKey ?? one.sharePublicKey } : one,
      )
      const bad: RecoveryGroup = { ...group, participants, own: participants[0] ?? group.own }
      expect(codeOf(() => importedGroup(bad, dealersOf(bad, [0, 1])))).toBe("E-KEY-014")
    }
  })
  test("a wrong password, and a share that is not the public share's", () => {
    using keys = new OpeningKeys(Secret.from(utf8("not the password")))
    expect(codeOf(() => proveShare(group, keys))).toBe("E-KEY-015")
    using right = new OpeningKeys(Secret.from(utf8(PASSWORD)))
    const swapped = { ...group, own: group.participants[1] ?? group.own }
    expect(codeOf(() => proveShare(swapped, right))).toBe("E-KEY-016")
  })
  test("participant sets that differ make other epochs, which no reshare takes together", async () => {
    const both = imported(foreign, [0, 1])
    const { group: whole } = both
    const fewer: RecoveryGroup = { ...group, participants: group.participants.slice(0, 2) }
    const other = importedGroup(fewer, dealersOf(fewer, [0, 1]))
    expect(toHex(other.epochId)).not.toBe(toHex(whole.epochId))
    const runs = await runCluster(reshareSpecs(both, 3, 2, (party) => (party === partyAt(0) ? whole : other)))
    for (const { ending, records, blames } of runs.values()) {
      expect(ending.kind).toBe("blamed")
      expect(records).toEqual([])
      expect(blames.flatMap(({ parties }) => parties)).toEqual([])
    }
    const reasons = [...runs.values()].map(({ ending }) => (ending.kind === "blamed" ? ending.blame.reason : ""))
    expect(reasons.some((reason) => reason.startsWith("epoch mismatch"))).toBe(true)
  })
})

test("the records of all members, signed and equal, are the group; anything else is not", () => {
  const foreign = foreignGroup({ curve: "ed25519", threshold: 2, size: 3 })
  const { group } = imported(foreign, [0, 2])
  const { group: other } = imported(foreignGroup({ curve: "ed25519", threshold: 2, size: 2 }), [0, 1])
  const by = (n: number, of: GroupPublic) => importRecord(of, partyAt(n), (bytes) => identityAt(partyAt(n)).sign(bytes))
  const [a, b] = [by(0, group), by(1, group)]
  expect(groupOfRecords([a, b])).toEqual(group)
  // What became of the epoch since, and what the operator said of the old shares, changes nothing.
  expect(by(0, { ...group, status: "ERASED", certificate: [utf8("destroyed")] })).toEqual(a)
  const wrong = [
    [],
    [a],
    [a, a],
    [a, by(1, other)],
    [a, by(2, group)],
    [a, { ...b, signature: a.signature }],
    [a, { ...b, group: `${b.group.slice(0, -2)}01` }],
    [by(0, { ...group, mode: "keygen" }), by(1, { ...group, mode: "keygen" })],
    [by(0, { ...group, createdMs: 9 }), by(1, { ...group, createdMs: 9 })],
    [by(0, { ...group, threshold: 3 }), by(1, { ...group, threshold: 3 })],
  ]
  for (const records of wrong) expect(codeOf(() => groupOfRecords(records))).toMatch(/^E-KEY-0(38|07)$/)
})

// ---- known answers of formats.md 5.3 -------------------------------------------------------------------------------

const GOLDEN_ROOT =
  "xpub661MyMwAqRbcGNFddDqGveSvN9jr1n1GMGFypyhqn34oKyMw9bvrych636CDwgBbLjdLgQRoQtmqPucPb1pZQVBZq3tuXXTQX8wP3JMWAak"
const GOLDEN: readonly (readonly [string, string])[] = [
  ["751341643106997665517612415491881522730", "02ad8728dce88aa210645cff8dea474114376796d81e4b4df76bfa3ea847131b57"],
  ["914259450665435839517029445012417071559", "023633989378b01c2e66d5fd70666101546a310aaab2c08c7b5813be371d438c0d"],
  ["997493310528521058725882883276549657588", "02a233d2d37297bcfc3092ea65997a29b72931b5ca343db5cd608c85a306be5994"],
]

test("known answer: every two of the published participants take over the published root key", () => {
  const base = fileOf(foreignGroup({ curve: "secp256k1", threshold: 2, size: 3 }), 0)
  const participants = GOLDEN.map(([shareId, key], i) => ({
    nodeId: `node ${i}`,
    shareId: BigInt(shareId),
    sharePublicKey: Uint8Array.fromHex(key),
  }))
  const chainCode = Uint8Array.fromHex("b74087d551e44ef8d3a1270accb1977fd373c29fe6e235bc681c59a2137e1334")
  const [own = base.own] = participants
  const golden: RecoveryGroup = { ...base, participants, own, chainCode, rootExtendedPublicKey: GOLDEN_ROOT }
  for (const of of [
    [0, 1],
    [1, 2],
    [2, 0],
  ]) {
    expect(rootExtendedPublicKey(importedGroup(golden, dealersOf(golden, of)))).toBe(GOLDEN_ROOT)
  }
})

test("known answer: the published private shares, scaled, are shares of the published root", () => {
  const { Point } = secp256k1
  const first = BigInt("0xc5218a708d35aa726bc5c4cf3712a2036c2245a0e996d201e4e661ab598bdf36")
  const shares = [
    BigInt("0x2e67c995c3b8aa49d02ffe13ad32926253f4b9b0e1bca458eccf82ba69dd9029"),
    BigInt("0xc15f0e0d4689a34c6a36859fc2cda818265da481f2ba592fd506991300541577"),
  ]
  const root = BigInt("0xca82cd1cee09478cfd275fd427b5abacdfe9a0f7c6c4c96edf003d3b42ff027f")
  const base = fileOf(foreignGroup({ curve: "secp256k1", threshold: 2, size: 2 }), 0)
  const participants = shares.map((share, i) => ({
    nodeId: `node ${i}`,
    shareId: first + BigInt(i),
    sharePublicKey: Uint8Array.from(Point.BASE.multiply(share).toBytes()),
  }))
  const rootKey = Uint8Array.from(Point.BASE.multiply(root).toBytes())
  const rootExtended = encodeExtendedPublicKey(extendedRoot("secp256k1", rootKey, base.chainCode))
  const golden: RecoveryGroup = { ...base, participants, rootExtendedPublicKey: rootExtended }
  const dealers = dealersOf(golden, [0, 1])
  const group = importedGroup(golden, dealers)
  const scaled = shares.map((share, i) => importedShare({ group: golden, share }, dealers, partyAt(i)))
  const lambdas = lagrange(
    K1,
    group.members.map(({ shareId }) => shareId),
  )
  const sum = scaled.reduce(
    (total, share, i) => K1.mod(total + (lambdas[i] ?? 0n) * (K1.decodeScalar(share.expose()) ?? 0n)),
    0n,
  )
  expect(sum).toBe(root)
})
