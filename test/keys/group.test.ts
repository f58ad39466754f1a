import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Bytes, copy } from "../../src/bytes.ts"
import { type CurveName, curveNamed } from "../../src/crypto/curve.ts"
import {
  checkGroup,
  checkShare,
  type GroupPublic,
  type GroupSecret,
  rootExtendedPublicKey,
} from "../../src/keys/group.ts"
import {
  decodeGroupPublic,
  decodeGroupSecret,
  encodeGroupPublic,
  encodeGroupSecret,
} from "../../src/keys/groupCodec.ts"
import { newGroupId } from "../../src/keys/groupId.ts"
import { formatGroupInfo, goTime } from "../../src/keys/groupInfo.ts"
import { partyOf } from "../../src/keys/party.ts"
import { parsePath } from "../../src/keys/path.ts"
import { algorithmOf, mayUse, parsePathRules } from "../../src/keys/pathRule.ts"
import { Secret } from "../../src/secret.ts"
import { codeOf } from "./codeOf.ts"
import { type Dealt, deal, digest, stream } from "./groups.ts"

const CURVES = ["secp256k1", "ed25519"] as const
const k1 = deal({ curve: "secp256k1", threshold: 2, size: 3 })
const ed = deal({ curve: "ed25519", threshold: 3, size: 5 })

function secretOf({ group, shares }: Dealt, index = 0): GroupSecret {
  const share = shares.get(group.members[index]!.party)!
  return { share: Secret.take(curveNamed(group.curve).encodeScalar(share)), pairs: [] }
}

// ---- consistency ---------------------------------------------------------------------------------------------------

test("a dealt group passes, and so does every member's share", () => {
  for (const dealt of [k1, ed, deal({ curve: "ed25519", threshold: 32, size: 32 })]) {
    checkGroup(dealt.group)
    for (const [i, { party }] of dealt.group.members.entries()) checkShare(dealt.group, secretOf(dealt, i), party)
  }
})

test("a public record that no key generation could have made is refused", () => {
  const { group } = k1
  const [first, second, third] = [group.members[0]!, group.members[1]!, group.members[2]!]
  const other = deal({ curve: "secp256k1", threshold: 2, size: 3, label: "other" }).group
  const q = curveNamed("secp256k1").order
  const wrong: Readonly<Record<string, GroupPublic>> = {
    "threshold 1": deal({ curve: "secp256k1", threshold: 1, size: 2 }).group,
    "threshold above the size": { ...group, members: [first], threshold: 2 },
    "too many": deal({ curve: "secp256k1", threshold: 2, size: 33 }).group,
    "a share of the key itself": deal({ curve: "secp256k1", threshold: 2, size: 2, shareIds: [0n, 5n] }).group,
    "share ids equal modulo q": deal({ curve: "secp256k1", threshold: 2, size: 2, shareIds: [5n, 5n + q] }).group,
    "more threshold than polynomial": { ...group, threshold: 3 },
    "less threshold than polynomial": { ...ed.group, threshold: 2 },
    "members out of order": { ...group, members: [second, first, third] },
    "a member twice": { ...group, members: [first, first, second] },
    "share id 0": { ...group, members: [{ ...first, shareId: 0n }, second, third] },
    "share id q": { ...group, members: [{ ...first, shareId: q }, second, third] },
    "a share id twice": { ...group, members: [{ ...first, shareId: second.shareId }, second, third] },
    "threshold lowered": { ...group, commitments: group.commitments.slice(0, 1) },
    "threshold raised": { ...group, commitments: [...group.commitments, group.commitments[0]!] },
    "a commitment off the curve": { ...group, commitments: [group.commitments[0]!, new Uint8Array(33)] },
    "another root key": { ...group, commitments: [other.commitments[0]!, group.commitments[1]!] },
    "another public share": { ...group, members: [first, second, { ...third, sharePublicKey: first.sharePublicKey }] },
    "another curve": { ...group, curve: "ed25519" },
  }
  for (const [what, record] of Object.entries(wrong)) {
    expect([what, codeOf(() => checkGroup(record))]).toEqual([what, "E-KEY-007"])
  }
})

test("10.3 no. 23: a share that is not the record's is refused", () => {
  for (const dealt of [k1, ed]) {
    const { group } = dealt
    const self = group.members[0]!.party
    const order = curveNamed(group.curve).order
    const wrong: Readonly<Record<string, Bytes>> = {
      "another member's": secretOf(dealt, 1).share.expose(),
      zero: new Uint8Array(32),
      "above q": new Uint8Array(32).fill(255),
      short: secretOf(dealt).share.expose().slice(1),
      negated: curveNamed(group.curve).encodeScalar(order - dealt.shares.get(self)!),
    }
    for (const [what, share] of Object.entries(wrong)) {
      const secret = { share: Secret.from(share), pairs: [] }
      expect([what, codeOf(() => checkShare(group, secret, self))]).toEqual([what, "E-KEY-008"])
    }
    expect(codeOf(() => checkShare(group, secretOf(dealt), partyOf(digest("stranger"))!))).toBe("E-KEY-007")
  }
})

// ---- bytes ---------------------------------------------------------------------------------------------------------

const secretWithPairs = (): GroupSecret => ({
  share: Secret.take(digest("share")),
  pairs: [
    {
      peer: k1.group.members[1]!.party,
      pairId: digest("pair"),
      zeroSeed: Secret.take(digest("seed")),
      otAlice: Secret.take(new Uint8Array(700).fill(3)),
      otBob: undefined,
    },
    {
      peer: k1.group.members[2]!.party,
      pairId: digest("pair 2"),
      zeroSeed: Secret.take(digest("seed 2")),
      otAlice: undefined,
      otBob: Secret.take(new Uint8Array(0)),
    },
  ],
})

test("public records survive their bytes, with and without certificate and parent", () => {
  const { certificate: _, ...prepared } = { ...k1.group, status: "PREPARED" as const }
  const parent = { groupId: "OldGroup", epochId: digest("old"), dealers: ed.group.members.map(({ party }) => party) }
  const ofSuites = [2, 3].map((suite) => ({ ...k1.group, suite: suite === 2 ? (2 as const) : (3 as const) }))
  for (const group of [k1.group, ed.group, prepared, { ...ed.group, parent, mode: "extend" as const }, ...ofSuites]) {
    expect(decodeGroupPublic(encodeGroupPublic(group))).toEqual(group)
  }
})

test("the suite of a set-up is the version byte, and nothing else: records of before keep their bytes", () => {
  const before = encodeGroupPublic(k1.group)
  for (const suite of [2, 3] as const) {
    const after = encodeGroupPublic({ ...k1.group, suite })
    expect([before[0], after[0]]).toEqual([1, suite])
    expect(after.subarray(1)).toEqual(before.subarray(1))
    expect(decodeGroupPublic(encodeGroupPublic({ ...ed.group, suite }))).toBeUndefined()
  }
})

test("secret records survive their bytes", () => {
  const bytes = encodeGroupSecret(secretWithPairs())
  const back = decodeGroupSecret(bytes)!
  expect(encodeGroupSecret(back)).toEqual(bytes)
  expect(back.pairs.map(({ peer, otAlice, otBob }) => [peer, otAlice?.length, otBob?.length])).toEqual([
    [k1.group.members[1]!.party, 700, undefined],
    [k1.group.members[2]!.party, undefined, 0],
  ])
})

test("truncated, extended or otherwise versioned bytes are no record", () => {
  const withParent = encodeGroupPublic({ ...ed.group, parent: { groupId: "Old", epochId: digest("old"), dealers: [] } })
  for (const [bytes, decode] of [
    [withParent, decodeGroupPublic],
    [encodeGroupSecret(secretWithPairs()), decodeGroupSecret],
  ] as const) {
    for (let length = 0; length < bytes.length; length++) expect(decode(bytes.subarray(0, length))).toBeUndefined()
    expect(decode(new Uint8Array([...bytes, 0]))).toBeUndefined()
    expect(decode(new Uint8Array([2, ...bytes.subarray(1)]))).toBeUndefined()
    expect(decode(bytes)).toBeDefined()
  }
})

test("one encoding per value: whatever decodes, encodes to the same bytes", () => {
  const bytes = encodeGroupPublic(k1.group)
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
      const altered = copy(bytes)
      altered[at] = (altered[at] ?? 0) ^ flip
      const group = decodeGroupPublic(altered)
      if (group !== undefined) expect(encodeGroupPublic(group)).toEqual(altered)
    }),
    { seed: 1, numRuns: 500 },
  )
})

test("a record beyond the bounds is not written", () => {
  const beyond: readonly GroupPublic[] = [
    { ...k1.group, groupId: "x".repeat(65) },
    { ...k1.group, epochId: new Uint8Array(31) },
    { ...k1.group, members: Array.from({ length: 33 }, () => k1.group.members[0]!) },
    { ...k1.group, certificate: [new Uint8Array(4097)] },
    { ...k1.group, commitments: [new Uint8Array(32)] },
  ]
  for (const group of beyond) expect(() => encodeGroupPublic(group)).toThrow(RangeError)
})

// ---- words ---------------------------------------------------------------------------------------------------------

test("group ids: 20 letters, every letter equally likely", () => {
  const rng = stream("group ids")
  const counts = new Map<string, number>()
  for (let i = 0; i < 2600; i++) {
    const id = newGroupId(rng)
    expect(id).toMatch(/^[A-Za-z]{20}$/)
    for (const letter of id) counts.set(letter, (counts.get(letter) ?? 0) + 1)
  }
  // 1000 of each expected, deviation about 31: a bias of byte % 52 would give 24 letters 1016 and the others 812
  expect(counts.size).toBe(52)
  for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
})

test("a byte of 208 or more is thrown away", () => {
  let calls = 0
  const rng = (length: number): Bytes => new Uint8Array(length).fill(calls++ === 0 ? 208 : 51)
  expect(newGroupId(rng)).toBe("z".repeat(20))
})

test("the info block, word for word", () => {
  const { group } = k1
  const self = group.members[1]!.party
  const ids = new Map(group.members.map(({ party }, i) => [party, `node${i}`]))
  const lines = formatGroupInfo(group, self, (party) => ids.get(party)!)
  const members = [...group.members].sort((a, b) => (a.shareId < b.shareId ? -1 : 1))
  const hex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString("hex")}`
  const own = group.members[1]!
  const others = members.filter(({ party }) => party !== self).map(({ party }) => ids.get(party))
  expect(lines).toEqual([
    `    Group ID: ${group.groupId}`,
    "    Created Time: 2026-11-22 09:33:20.123 +0000 UTC",
    `    Root Extended Public Key: ${rootExtendedPublicKey(group)}`,
    `    ChainCode: ${hex(group.chainCode)}`,
    `    Share ID: ${own.shareId}`,
    `    Share Public Key: ${hex(own.sharePublicKey)}`,
    "    Type: 1",
    "    Curve: secp256k1",
    "    Threshold: 2",
    "    Local Node ID: node1",
    `    Other Node IDs: [${others.join(" ")}]`,
    "    Participants: 3",
    ...members.flatMap((member, i) => [
      `    (${i + 1}) Node ID: ${ids.get(member.party)}`,
      `        Share ID: ${member.shareId}`,
      `        Share Public Key: ${hex(member.sharePublicKey)}`,
    ]),
  ])
  const edLines = formatGroupInfo(ed.group, ed.group.members[0]!.party, (party) => party.slice(0, 4))
  expect(edLines).toContain("    Type: 2")
  expect(edLines.find((line) => line.startsWith("    Share Public Key: 0x"))?.length).toBe(22 + 2 + 64)
})

test("Go's time string agrees with the calendar", () => {
  expect(goTime(0)).toBe("1970-01-01 00:00:00 +0000 UTC")
  expect(goTime(951_782_400_120)).toBe("2000-02-29 00:00:00.12 +0000 UTC")
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799_999 }), (ms) => {
      const iso = new Date(ms).toISOString()
      expect(goTime(ms).slice(0, 19)).toBe(iso.slice(0, 19).replace("T", " "))
    }),
    { seed: 1970, numRuns: 2000 },
  )
  expect(() => goTime(-1)).toThrow(RangeError)
  expect(() => goTime(0.5)).toThrow(RangeError)
})

// ---- which algorithm a path is for -----------------------------------------------------------------------------------

test("by default purpose 86 is Schnorr and everything else ECDSA", () => {
  const cases: readonly (readonly [path: string, algorithm: "ecdsa" | "bip340"])[] = [
    ["m", "ecdsa"],
    ["m/86", "bip340"],
    ["m/86/0/0/0/5", "bip340"],
    ["m/0/86", "ecdsa"],
    ["m/44/60/0/0/5", "ecdsa"],
    ["m/860", "ecdsa"],
  ]
  for (const [path, algorithm] of cases) {
    expect([path, algorithmOf(parsePath(path))]).toEqual([path, algorithm])
    expect(mayUse(parsePath(path), algorithm)).toBe(true)
    expect(mayUse(parsePath(path), algorithm === "ecdsa" ? "bip340" : "ecdsa")).toBe(false)
    expect(mayUse(parsePath(path), "eddsa")).toBe(true)
  }
})

test("a table of one's own: the longest prefix decides, whatever the order", () => {
  const table = { "m/86/1": "ecdsa", "m/86": "bip340", "m/84/0": "bip340" } as const
  for (const entries of [Object.entries(table), Object.entries(table).reverse()]) {
    const rules = parsePathRules(Object.fromEntries(entries))
    expect(["m/86/0", "m/86/1/7", "m/84", "m/84/0/0"].map((path) => algorithmOf(parsePath(path), rules))).toEqual([
      "bip340",
      "ecdsa",
      "ecdsa",
      "bip340",
    ])
  }
  expect(algorithmOf([86], [])).toBe("ecdsa")
  expect(algorithmOf([7], parsePathRules({ m: "bip340" }))).toBe("bip340")
})

test("a table with a doubt in it is refused", () => {
  expect(codeOf(() => parsePathRules({ "m/86": "schnorr" }))).toBe("E-KEY-006")
  expect(codeOf(() => parsePathRules({ "m/86": "bip340", "86": "ecdsa" }))).toBe("E-KEY-006")
  expect(codeOf(() => parsePathRules({ "m/86'": "bip340" }))).toBe("E-KEY-002")
  expect(codeOf(() => parsePathRules({ "": "bip340" }))).toBe("E-KEY-001")
})

test("every member of a group reproduces its root key", () => {
  for (const curve of CURVES satisfies readonly CurveName[]) {
    const { group, secret } = deal({ curve, threshold: 2, size: 2 })
    const { multiplyBase, encodePoint } = curveNamed(curve)
    expect(group.commitments[0]).toEqual(encodePoint(multiplyBase(secret)))
    expect(rootExtendedPublicKey(group).slice(0, 4)).toBe(curve === "secp256k1" ? "xpub" : "cpub")
  }
})
