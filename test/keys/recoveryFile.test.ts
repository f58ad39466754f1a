import { expect, test } from "bun:test"
import { createDecipheriv, pbkdf2Sync } from "node:crypto"
import { bigToBe, toHex } from "../../src/bytes.ts"
import { ED, K1 } from "../../src/crypto/curve.ts"
import { CosignerError } from "../../src/errors.ts"
import { decodeExtendedPublicKey, encodeExtendedPublicKey, rootPublicKey } from "../../src/keys/extendedKey.ts"
import { rootExtendedPublicKey } from "../../src/keys/group.ts"
import { ITERATIONS } from "../../src/keys/recoveryBox.ts"
import { parseRecoveryFile, recoveryText } from "../../src/keys/recoveryFile.ts"
import { codeOf } from "./codeOf.ts"
import { deal } from "./groups.ts"
import { fileOf, nodeIdOf, PASSWORD, prove, withField } from "./recoveryFixtures.ts"

const k1 = deal({ curve: "secp256k1", threshold: 2, size: 3 })
const ed = deal({ curve: "ed25519", threshold: 2, size: 3, label: "edwards" })
const TEXT = fileOf([k1, ed], 0)

// ---- what is written -----------------------------------------------------------------------------------------------

test("the file's form, field by field, read with nothing of ours", () => {
  const file = JSON.parse(TEXT)
  expect(Object.keys(file)).toEqual(["recovery_groups"])
  for (const [i, dealt] of [k1, ed].entries()) {
    const { group } = dealt
    const entry = file.recovery_groups[i]
    expect(Object.keys(entry)).toEqual(["version", "group_info", "share_info"])
    expect(entry.version).toBe(3)
    const hex = (bytes: Uint8Array) => `0x${toHex(bytes)}`
    const members = [...group.members].sort((a, b) => (a.shareId < b.shareId ? -1 : 1))
    const participants = members.map(({ party, shareId, sharePublicKey }) => ({
      node_id: nodeIdOf(party),
      share_id: String(shareId),
      share_public_key: hex(sharePublicKey),
    }))
    expect(entry.group_info).toEqual({
      id: group.groupId,
      created_time: "2026-11-22 09:33:20.123 +0000 UTC",
      type: i + 1,
      root_extended_public_key: rootExtendedPublicKey(group),
      chaincode: `0x${toHex(group.chainCode)}`,
      curve: group.curve,
      threshold: 2,
      participants,
    })
    const { encrypted_share, kdf, ...owner } = entry.share_info
    expect(participants).toContainEqual(owner)
    expect(kdf).toEqual({ length: 32, iterations: 10, salt: kdf.salt, hash_type: 5, hash_name: "SHA-256" })
    expect(kdf.salt).toMatch(/^0x[0-9a-f]{64}$/)
    expect(openByHand(encrypted_share, kdf)).toBe(
      Buffer.from(bigToBe(dealt.shares.get(group.members[0]!.party)!, 32)).toString("base64"),
    )
  }
})

/** The inner base64 of a version 3 box: the share as a big-endian integer on both curves. */
function openByHand(encryptedShare: string, kdf: { salt: string; iterations: number }): string {
  const box = Buffer.from(encryptedShare, "base64")
  const key = pbkdf2Sync(PASSWORD, Buffer.from(kdf.salt.slice(2), "hex"), kdf.iterations, 32, "sha256")
  const decipher = createDecipheriv("aes-256-gcm", key, box.subarray(0, 12))
  decipher.setAuthTag(box.subarray(-16))
  const inner = JSON.parse(Buffer.concat([decipher.update(box.subarray(12, -16)), decipher.final()]).toString())
  expect(Object.keys(inner)).toEqual(["encrypted_share"])
  return inner.encrypted_share
}

test("the cost of a guess is the standard of the day, and every box has a nonce of its own", () => {
  expect(ITERATIONS).toBeGreaterThanOrEqual(600_000)
  const boxes = JSON.parse(TEXT).recovery_groups.map((entry: { share_info: { encrypted_share: string } }) =>
    entry.share_info.encrypted_share.slice(0, 16),
  )
  expect(new Set(boxes).size).toBe(2)
})

test("a password that could not be read back is not used", () => {
  expect(codeOf(() => fileOf([k1], 0, "   seven..  "))).toBe("E-KEY-023")
  expect(codeOf(() => fileOf([k1], 0, ""))).toBe("E-KEY-023")
  const trimmed = parseRecoveryFile(fileOf([k1], 0, "\t eight... \r\n"), "f")[0]!
  expect(prove(trimmed, "eight...").share).toBe(k1.shares.get(k1.group.members[0]!.party)!)
  expect(codeOf(() => prove(trimmed, "eight.."))).toBe("E-KEY-023")
})

// ---- what is read --------------------------------------------------------------------------------------------------

test("all three top-level shapes are read alike", () => {
  const { recovery_groups: groups } = JSON.parse(TEXT)
  const object = parseRecoveryFile(TEXT, "f")
  expect(parseRecoveryFile(JSON.stringify(groups), "f")).toEqual(object)
  expect(parseRecoveryFile(JSON.stringify(groups[1]), "f")).toEqual(object.slice(1))
  expect(object.map(({ groupId, own }) => [groupId, own.nodeId])).toEqual([
    [k1.group.groupId, nodeIdOf(k1.group.members[0]!.party)],
    [ed.group.groupId, nodeIdOf(ed.group.members[0]!.party)],
  ])
})

test("unknown fields are passed over, a missing creation time is no harm", () => {
  const more = withField(TEXT, ["recovery_groups", 0, "group_info", "region"], "eu")
  expect(parseRecoveryFile(more, "f")).toEqual(parseRecoveryFile(TEXT, "f"))
  const less = withField(TEXT, ["recovery_groups", 0, "group_info", "created_time"], undefined)
  expect(parseRecoveryFile(less, "f")[0]?.createdTime).toBe("")
})

test("a truncated file is refused at every length, without repeating any of it", () => {
  const text = fileOf([k1], 0)
  for (let length = 0; length < text.trimEnd().length; length += 7) {
    try {
      parseRecoveryFile(text.slice(0, length), "cut.json")
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(CosignerError)
      expect((error as CosignerError).code).toBe("E-KEY-010")
      expect((error as CosignerError).message).toMatch(
        /^cut\.json is not a complete recovery file: it is (empty|not JSON, or was cut short)$/,
      )
    }
  }
})

const INFO = ["recovery_groups", 0, "group_info"]
const SHARE = ["recovery_groups", 0, "share_info"]
const KDF = [...SHARE, "kdf"]
const P0 = [...INFO, "participants", 0]
const q = K1.order
const other = JSON.parse(TEXT).recovery_groups[0].group_info.participants[1]
const own = JSON.parse(TEXT).recovery_groups[0].share_info
const stranger = {
  ...other,
  node_id: "node-x",
  share_id: "5",
  share_public_key: `0x${toHex(K1.encodePoint(K1.generator))}`,
}
const hexOf = (length: number) => `0x${"ab".repeat(length)}`

test.each<readonly [what: string, path: readonly (string | number)[], value: unknown, code: string]>([
  ["no group", ["recovery_groups"], [], "E-KEY-010"],
  ["no list", ["recovery_groups"], { 0: 1 }, "E-KEY-010"],
  ["a null group", ["recovery_groups", 0], null, "E-KEY-010"],
  ["a group twice", ["recovery_groups", 1], JSON.parse(TEXT).recovery_groups[0], "E-KEY-010"],
  ["no group_info", INFO, undefined, "E-KEY-010"],
  ["no share_info", SHARE, null, "E-KEY-010"],
  ["no kdf", KDF, null, "E-KEY-010"],
  ["no box", [...SHARE, "encrypted_share"], null, "E-KEY-010"],
  ["a box of url-safe base64", [...SHARE, "encrypted_share"], "ab-_".repeat(20), "E-KEY-010"],
  ["a box without padding", [...SHARE, "encrypted_share"], "abc", "E-KEY-010"],
  ["version 0", ["recovery_groups", 0, "version"], 0, "E-KEY-011"],
  ["version 4", ["recovery_groups", 0, "version"], 4, "E-KEY-011"],
  ["version as text", ["recovery_groups", 0, "version"], "3", "E-KEY-010"],
  ["no version", ["recovery_groups", 0, "version"], undefined, "E-KEY-010"],
  ["no id", [...INFO, "id"], "", "E-KEY-010"],
  ["the other curve's type", [...INFO, "type"], 2, "E-KEY-010"],
  ["type 3", [...INFO, "type"], 3, "E-KEY-010"],
  ["an unknown curve", [...INFO, "curve"], "SECP256K1", "E-KEY-010"],
  ["threshold 0", [...INFO, "threshold"], 0, "E-KEY-010"],
  ["threshold above the participants", [...INFO, "threshold"], 4, "E-KEY-010"],
  ["threshold 1.5", [...INFO, "threshold"], 1.5, "E-KEY-010"],
  ["chain code without 0x", [...INFO, "chaincode"], "ab".repeat(32), "E-KEY-010"],
  ["chain code of 31 bytes", [...INFO, "chaincode"], hexOf(31), "E-KEY-010"],
  ["another chain code", [...INFO, "chaincode"], hexOf(32), "E-KEY-010"],
  [
    "a root key with a wrong letter",
    [...INFO, "root_extended_public_key"],
    `${rootExtendedPublicKey(k1.group).slice(0, -1)}1`,
    "E-KEY-010",
  ],
  ["the other curve's root key", [...INFO, "root_extended_public_key"], rootExtendedPublicKey(ed.group), "E-KEY-010"],
  [
    "the other curve's root key with this chain code",
    [...INFO, "root_extended_public_key"],
    encodeExtendedPublicKey(rootPublicKey("ed25519", ed.group.commitments[0]!, k1.group.chainCode)),
    "E-KEY-010",
  ],
  [
    "a child key for the root",
    [...INFO, "root_extended_public_key"],
    encodeExtendedPublicKey({ ...decodeExtendedPublicKey(rootExtendedPublicKey(k1.group)), depth: 1 }),
    "E-KEY-010",
  ],
  ["no participants", [...INFO, "participants"], [], "E-KEY-010"],
  ["1001 participants", [...INFO, "participants"], Array.from({ length: 1001 }, () => other), "E-KEY-010"],
  ["a participant without node", [...P0, "node_id"], "", "E-KEY-010"],
  ["a share id as a number", [...P0, "share_id"], 5, "E-KEY-010"],
  ["a share id with a sign", [...P0, "share_id"], "-5", "E-KEY-010"],
  ["a share id with leading zeros", [...P0, "share_id"], "05", "E-KEY-010"],
  ["a share id in hex", [...P0, "share_id"], "0x5", "E-KEY-010"],
  ["share id 0", [...P0, "share_id"], "0", "E-KEY-013"],
  ["share id q", [...P0, "share_id"], String(q), "E-KEY-013"],
  ["share id 2q", [...P0, "share_id"], String(2n * q), "E-KEY-013"],
  ["a share id twice", [...P0, "share_id"], other.share_id, "E-KEY-013"],
  ["a share id twice modulo q", [...P0, "share_id"], String(BigInt(other.share_id) + q), "E-KEY-013"],
  ["a node twice", [...P0, "node_id"], other.node_id, "E-KEY-013"],
  ["a public share twice", [...P0, "share_public_key"], other.share_public_key, "E-KEY-013"],
  ["a public share off the curve", [...P0, "share_public_key"], `0x02${"00".repeat(31)}05`, "E-KEY-010"],
  ["a public share of 34 bytes", [...P0, "share_public_key"], hexOf(34), "E-KEY-010"],
  ["a public share in odd hex", [...P0, "share_public_key"], `${other.share_public_key}a`, "E-KEY-010"],
  ["an owner who is no participant", SHARE, { ...own, ...stranger }, "E-KEY-013"],
  ["an owner with another's key", [...SHARE, "share_public_key"], stranger.share_public_key, "E-KEY-013"],
  ["an owner with another id", [...SHARE, "share_id"], "7", "E-KEY-013"],
  ["hash type 0", [...KDF, "hash_type"], 0, "E-KEY-012"],
  ["hash type 3, SHA-1", [...KDF, "hash_type"], 3, "E-KEY-012"],
  ["a key of 20 bytes", [...KDF, "length"], 20, "E-KEY-012"],
  ["iterations for ever", [...KDF, "iterations"], 2_000_000_000, "E-KEY-012"],
  ["no iterations", [...KDF, "iterations"], 0, "E-KEY-010"],
  ["an empty salt", [...KDF, "salt"], "0x", "E-KEY-010"],
  ["a salt without 0x", [...KDF, "salt"], "ab".repeat(32), "E-KEY-010"],
])("refused: %s", (_what, path, value, code) => {
  expect(codeOf(() => parseRecoveryFile(withField(TEXT, path, value), "f"))).toBe(code as never)
})

test("ed25519 share ids count modulo its own order", () => {
  const at = ["recovery_groups", 1, "group_info", "participants", 0, "share_id"]
  for (const id of [ED.order, 3n * ED.order]) {
    expect(codeOf(() => parseRecoveryFile(withField(TEXT, at, String(id)), "f"))).toBe("E-KEY-013")
  }
})

test("both spellings of an ed25519 key are one participant, in capitals too", () => {
  const edwards = JSON.parse(TEXT).recovery_groups[1]
  for (const one of [...edwards.group_info.participants, edwards.share_info]) {
    one.share_public_key = `0X00${one.share_public_key.slice(2).toUpperCase()}`
  }
  expect(parseRecoveryFile(JSON.stringify(edwards), "f")[0]).toEqual(parseRecoveryFile(TEXT, "f")[1]!)
})

test("a file that an editor saved with a mark or as UTF-16 is read as it was", () => {
  const utf16 = Buffer.from(TEXT, "utf16le")
  const swapped = Buffer.from(utf16).swap16()
  for (const bytes of [
    Buffer.from(TEXT),
    Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(TEXT)]),
    Buffer.concat([Buffer.from([0xff, 0xfe]), utf16]),
    Buffer.concat([Buffer.from([0xfe, 0xff]), swapped]),
    utf16,
    swapped,
  ]) {
    expect(parseRecoveryFile(recoveryText(bytes, "f"), "f")).toEqual(parseRecoveryFile(TEXT, "f"))
  }
  for (const bytes of [Buffer.from([0x7b, 0xff]), Buffer.from([0xff, 0xfe, 0x00, 0xd8])]) {
    expect(codeOf(() => recoveryText(bytes, "f"))).toBe("E-KEY-010")
  }
})
