import { expect, test } from "bun:test"
import fc from "fast-check"
import { beToBig, concat, fromHex, toHex, u8 } from "../../src/bytes.ts"
import { type CurveName, curveNamed, K1 } from "../../src/crypto/curve.ts"
import { CosignerError, isCode } from "../../src/errors.ts"
import {
  decodeExtendedPublicKey,
  encodeExtendedPrivateKey,
  encodeExtendedPublicKey,
  rootPublicKey,
} from "../../src/keys/extendedKey.ts"
import { sealer } from "../../src/keys/recoveryBox.ts"
import { parseRecoveryFile, type RecoveryGroup, type RecoveryParticipant } from "../../src/keys/recoveryFile.ts"
import { checkPublicShares, checkTogether, type ProvenShare, reconstruct } from "../../src/keys/recoverySet.ts"
import { Secret } from "../../src/secret.ts"
import vectors from "../vectors/recovery-files.json"
import { codeOf } from "./codeOf.ts"
import { type Dealt, deal, stream } from "./groups.ts"
import { fileOf, groupOf, PASSWORD, prove, secret, withField } from "./recoveryFixtures.ts"

const k1 = deal({ curve: "secp256k1", threshold: 2, size: 3 })
const ed = deal({ curve: "ed25519", threshold: 3, size: 5 })

const scalarOf = (proven: readonly ProvenShare[]): bigint => beToBig(reconstruct(proven).scalar.expose())
const subsets = (size: number, least: number): number[][] =>
  Array.from({ length: 2 ** size }, (_, mask) => [...Array(size).keys()].filter((i) => mask & (1 << i))).filter(
    (subset) => subset.length >= least,
  )

// ---- what it is for --------------------------------------------------------------------------------------------------

test("every set of t or more shares makes the root key, on both curves", () => {
  for (const dealt of [k1, ed, deal({ curve: "secp256k1", threshold: 2, size: 2 })]) {
    const { threshold, members } = dealt.group
    const proven = members.map((_, i) => prove(groupOf(dealt, i)))
    for (const { group } of proven) checkPublicShares(group)
    for (const subset of subsets(members.length, threshold)) {
      expect(scalarOf(subset.map((i) => proven[i]!))).toBe(dealt.secret)
      expect(scalarOf(subset.reverse().map((i) => proven[i]!))).toBe(dealt.secret)
    }
  }
})

test("share ids of any size: small, and above the order of ed25519", () => {
  for (const curve of ["secp256k1", "ed25519"] as const) {
    const { order } = curveNamed(curve)
    const dealt = deal({ curve, threshold: 2, size: 3, shareIds: [1n, order - 1n, 2n ** 200n] })
    const files = [0, 1].map((i) => groupOf(dealt, i))
    expect(scalarOf(files.map((group) => prove(group)))).toBe(dealt.secret)
    // The same ids, written without reduction as other programs may.
    const unreduced = [0, 1].map((i) => {
      const text = fileOf([dealt], i).replaceAll(
        /"share_id": "(\d+)"/g,
        (_, id) => `"share_id": "${BigInt(id) + order}"`,
      )
      return parseRecoveryFile(text, `unreduced ${i}`)[0]!
    })
    unreduced.forEach(checkPublicShares)
    expect(scalarOf(unreduced.map((group) => prove(group)))).toBe(dealt.secret)
  }
})

test("files of an independent implementation: every shape, version, hash and spelling", () => {
  const parsed = Object.entries(vectors.files).map(([name, file]) => parseRecoveryFile(JSON.stringify(file), name))
  // the third node's groups are in two files
  const nodes = [parsed[0]!, parsed[1]!, [...parsed[2]!, ...parsed[3]!]]
  for (const curve of ["secp256k1", "ed25519"] as const satisfies readonly CurveName[]) {
    const groups = nodes.map((node) => node.find((group) => group.curve === curve)!)
    groups.forEach(checkPublicShares)
    checkTogether(groups)
    const proven = groups.map((group, i) => prove(group, vectors.passwords[i]!))
    for (const subset of subsets(3, 2)) {
      const root = reconstruct(subset.map((i) => proven[i]!))
      expect(toHex(root.scalar.expose())).toBe(vectors.keys[curve].scalar)
      expect(encodeExtendedPrivateKey(root)).toBe(vectors.keys[curve].xprv)
    }
  }
})

// ---- known answers ---------------------------------------------------------------------------------------------------

/** A group from public data alone; its box opens with nothing. */
function publicGroup(parts: {
  readonly threshold: number
  readonly xpub: string
  readonly participants: readonly RecoveryParticipant[]
}): RecoveryGroup {
  const { curve, chainCode } = decodeExtendedPublicKey(parts.xpub)
  const [own] = parts.participants
  return {
    ...groupOf(k1, 0),
    curve,
    chainCode,
    threshold: parts.threshold,
    rootExtendedPublicKey: parts.xpub,
    participants: parts.participants,
    own: own!,
  }
}

const REAL_XPUB =
  "xpub661MyMwAqRbcGNFddDqGveSvN9jr1n1GMGFypyhqn34oKyMw9bvrych636CDwgBbLjdLgQRoQtmqPucPb1pZQVBZq3tuXXTQX8wP3JMWAak"
const REAL_PARTICIPANTS = (
  [
    ["751341643106997665517612415491881522730", "02ad8728dce88aa210645cff8dea474114376796d81e4b4df76bfa3ea847131b57"],
    ["914259450665435839517029445012417071559", "023633989378b01c2e66d5fd70666101546a310aaab2c08c7b5813be371d438c0d"],
    ["997493310528521058725882883276549657588", "02a233d2d37297bcfc3092ea65997a29b72931b5ca343db5cd608c85a306be5994"],
  ] as const
).map(([id, key], i) => ({ nodeId: `node ${i}`, shareId: BigInt(id), sharePublicKey: fromHex(key)! }))

test("the group of a real node: its public shares lead to its root key, in any order and number", () => {
  const [a, b, c] = [REAL_PARTICIPANTS[0]!, REAL_PARTICIPANTS[1]!, REAL_PARTICIPANTS[2]!]
  for (const participants of [
    [a, b, c],
    [c, a, b],
    [b, c],
    [a, c],
    [a, b],
  ]) {
    checkPublicShares(publicGroup({ threshold: 2, xpub: REAL_XPUB, participants }))
  }
  for (const threshold of [1, 3]) {
    const group = publicGroup({ threshold, xpub: REAL_XPUB, participants: [a, b, c] })
    if (threshold === 3) checkPublicShares(group)
    else expect(codeOf(() => checkPublicShares(group))).toBe("E-KEY-014")
  }
})

test("the vendor's interpolation vector, private and public", () => {
  const id = beToBig(fromHex("c5218a708d35aa726bc5c4cf3712a2036c2245a0e996d201e4e661ab598bdf36")!)
  const shares = [
    beToBig(fromHex("2e67c995c3b8aa49d02ffe13ad32926253f4b9b0e1bca458eccf82ba69dd9029")!),
    beToBig(fromHex("c15f0e0d4689a34c6a36859fc2cda818265da481f2ba592fd506991300541577")!),
  ]
  const root = concat(u8(2), fromHex("cd8f9e866bf71c80106079ae374c8187e88a94cc7f9ea56b6c7fffc83633c7d2")!)
  const participants = shares.map((share, i) => ({
    nodeId: `node ${i}`,
    shareId: id + BigInt(i),
    sharePublicKey: K1.encodePoint(K1.multiplyBase(share)),
  }))
  expect(toHex(participants[0]!.sharePublicKey.slice(1))).toBe(
    "9f4db6ea8ea62401f76f018b959d267bfb285391130fc8520bacb6a029df643a",
  )
  const xpub = encodeExtendedPublicKey(rootPublicKey("secp256k1", root, new Uint8Array(32)))
  const groups = participants.map((own) => ({ ...publicGroup({ threshold: 2, xpub, participants }), own }))
  groups.forEach(checkPublicShares)
  const key = reconstruct(groups.map((group, i) => ({ group, share: shares[i]! })))
  expect(toHex(key.scalar.expose())).toBe("ca82cd1cee09478cfd275fd427b5abacdfe9a0f7c6c4c96edf003d3b42ff027f")
})

// ---- what must not pass ----------------------------------------------------------------------------------------------

test("too few shares", () => {
  try {
    reconstruct([0, 1].map((i) => prove(groupOf(ed, i))))
    expect.unreachable()
  } catch (error) {
    expect(isCode(error, "E-KEY-021") && error.data).toEqual({ group: ed.group.groupId, have: 2, need: 3 })
  }
  expect(() => reconstruct([])).toThrow(RangeError)
})

test("a copy of a file does not count twice", () => {
  const [first, copy] = [groupOf(k1, 0), { ...groupOf(k1, 0), file: "copy" }]
  expect(codeOf(() => checkTogether([first, copy]))).toBe("E-KEY-020")
  expect(codeOf(() => reconstruct([prove(first), prove(copy)]))).toBe("E-KEY-020")
})

test("files of different groups", () => {
  const stranger = deal({ curve: "secp256k1", threshold: 2, size: 3, label: "stranger" })
  const [ours, theirs] = [groupOf(k1, 0), groupOf(stranger, 1)]
  const claimed: RecoveryGroup = { ...theirs, groupId: ours.groupId }
  const curve: RecoveryGroup = { ...groupOf(ed, 1), groupId: ours.groupId }
  for (const [other, field] of [
    [theirs, "id"],
    [claimed, "root extended public key"],
    [curve, "curve"],
  ] as const) {
    try {
      checkTogether([ours, other])
      expect.unreachable()
    } catch (error) {
      expect(isCode(error, "E-KEY-018") && error.data.field).toBe(field)
    }
    expect(codeOf(() => reconstruct([prove(ours), prove(other)]))).toBe("E-KEY-018")
  }
})

/** The same key dealt anew, as a resharing does. */
function reshared(old: Dealt, threshold: number, size: number): Dealt {
  const fresh = deal({ curve: old.group.curve, threshold, size, label: "reshared" })
  const curve = curveNamed(old.group.curve)
  // f'(x) = f(x) + (old secret - new secret): the same shape with the old constant term
  const shift = curve.mod(old.secret - fresh.secret)
  const shares = new Map([...fresh.shares].map(([party, share]) => [party, curve.mod(share + shift)]))
  const members = fresh.group.members.map((member) => ({
    ...member,
    sharePublicKey: curve.encodePoint(curve.multiplyBase(shares.get(member.party)!)),
  }))
  const commitments = [old.group.commitments[0]!, ...fresh.group.commitments.slice(1)]
  const { groupId, chainCode } = old.group
  return { group: { ...fresh.group, groupId, chainCode, members, commitments }, secret: old.secret, shares }
}

test("files of two epochs: each is good, together they are refused", () => {
  for (const [threshold, size, field] of [
    [2, 3, "participants"],
    [3, 3, "threshold"],
  ] as const) {
    const fresh = reshared(k1, threshold, size)
    const [old, young] = [groupOf(k1, 0), groupOf(fresh, 1)]
    checkPublicShares(old)
    checkPublicShares(young)
    try {
      checkTogether([old, young])
      expect.unreachable()
    } catch (error) {
      expect(isCode(error, "E-KEY-019") && error.data.field).toBe(field)
    }
    expect(codeOf(() => reconstruct([prove(old), prove(young), prove(groupOf(fresh, 2))]))).toBe("E-KEY-019")
    expect(scalarOf([0, 1, 2].map((i) => prove(groupOf(fresh, i))))).toBe(k1.secret)
  }
})

test("a wrong password, and a box with any one bit flipped, do not open", () => {
  const group = groupOf(k1, 0)
  expect(codeOf(() => prove(group, `${PASSWORD}?`))).toBe("E-KEY-015")
  expect(codeOf(() => prove(group, "short"))).toBe("E-KEY-023")
  const { box } = group.sealed
  for (let bit = 0; bit < box.length * 8; bit += 5) {
    const flipped = Uint8Array.from(box)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    expect(codeOf(() => prove({ ...group, sealed: { ...group.sealed, box: flipped } }))).toBe("E-KEY-015")
  }
  for (let length = 0; length < box.length; length += 3) {
    expect(codeOf(() => prove({ ...group, sealed: { ...group.sealed, box: box.slice(0, length) } }))).toBe("E-KEY-015")
  }
  for (const kdf of [{ iterations: 11 }, { hashType: 7 }, { length: 16 }, { salt: new Uint8Array(32) }] as const) {
    const sealed = { ...group.sealed, kdf: { ...group.sealed.kdf, ...kdf } }
    expect(codeOf(() => prove({ ...group, sealed }))).toBe("E-KEY-015")
  }
})

test("a box that opens to another share, or to none", () => {
  const [own, other] = [groupOf(k1, 0), groupOf(k1, 1)]
  // sealed under the same password, but another node's
  expect(codeOf(() => prove({ ...own, sealed: other.sealed }))).toBe("E-KEY-016")
  using seal = sealer(secret(PASSWORD), stream("zero"), 10)
  const zero = { ...seal.share("secp256k1", Secret.take(new Uint8Array(32))), version: 3 as const }
  expect(codeOf(() => prove({ ...own, sealed: zero }))).toBe("E-KEY-016")
  // version 1 reads the JSON around the share as the share: too long for one
  expect(codeOf(() => prove({ ...own, sealed: { ...own.sealed, version: 1 } }))).toBe("E-KEY-015")
})

test("a public share of another key is caught wherever it stands", () => {
  const stranger = deal({ curve: "secp256k1", threshold: 2, size: 3, label: "stranger" }).group.members[0]!
  const group = groupOf(k1, 0)
  for (const index of [0, 1, 2]) {
    const participants = group.participants.map((one, i) =>
      i === index ? { ...one, sharePublicKey: stranger.sharePublicKey } : one,
    )
    expect(codeOf(() => checkPublicShares({ ...group, participants }))).toBe("E-KEY-014")
    const moved = group.participants.map((one, i) => (i === index ? { ...one, shareId: 77n } : one))
    expect(codeOf(() => checkPublicShares({ ...group, participants: moved }))).toBe("E-KEY-014")
  }
})

test("reconstruction makes every check again: a share or a record slipped past the others makes no key", () => {
  const proven = [0, 1].map((i) => prove(groupOf(k1, i)))
  const wrongShare = [proven[0]!, { ...proven[1]!, share: proven[1]!.share + 1n }]
  expect(codeOf(() => reconstruct(wrongShare))).toBe("E-KEY-022")
  const stranger = rootPublicKey("secp256k1", K1.encodePoint(K1.generator), k1.group.chainCode)
  const rootExtendedPublicKey = encodeExtendedPublicKey(stranger)
  const wrongRoot = proven.map(({ group, share }) => ({ share, group: { ...group, rootExtendedPublicKey } }))
  expect(codeOf(() => reconstruct(wrongRoot))).toBe("E-KEY-014")
})

test("flipping any bit of a file ends in an error, or in the same key", () => {
  const good = [0, 1].map((i) => fileOf([k1], i))
  const partner = prove(parseRecoveryFile(good[1]!, "partner")[0]!)
  const codes = new Set<string>()
  fc.assert(
    fc.property(fc.nat(good[0]!.length - 1), fc.nat(7), (at, bit) => {
      const bytes = Buffer.from(good[0]!)
      bytes[at]! ^= 1 << bit
      try {
        const [group] = parseRecoveryFile(bytes.toString("utf8"), "flipped")
        checkPublicShares(group!)
        expect(scalarOf([prove(group!), partner])).toBe(k1.secret)
      } catch (error) {
        if (!(error instanceof CosignerError)) throw error
        codes.add(error.code)
      }
    }),
    { seed: 53, numRuns: 1500 },
  )
  expect(codes.size).toBeGreaterThan(3)
})

test("version 2 is read as version 3", () => {
  const text = withField(fileOf([k1], 0), ["recovery_groups", 0, "version"], 2)
  expect(prove(parseRecoveryFile(text, "version 2")[0]!).share).toBe(k1.shares.get(k1.group.members[0]!.party)!)
})
