import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type Bytes, concat, u8, u32be, utf8 } from "../../src/bytes.ts"
import { isCode } from "../../src/errors.ts"
import type { PartyId } from "../../src/keys/party.ts"
import type { FromNode, GroupOutcome, MemberCheckup, TaskOutcome, ToNode } from "../../src/wire/frames.ts"
import {
  decodeFromNode,
  decodeToNode,
  encodeFromNode,
  encodeToNode,
  MAX_FRAME_BYTES,
} from "../../src/wire/framesCodec.ts"
import { MAX_TASK_BYTES } from "../../src/wire/task.ts"
import { keySign, newIdentity, someNodeIds } from "./documents.ts"
import * as said from "./said.ts"
import { numbersIn } from "./specTable.ts"

const signature = new Uint8Array(64).fill(3)
const signed = { document: utf8("{}"), signature }
const taskId = "7d1e3f0a-0001"

const group: GroupOutcome = {
  type: "group",
  group_id: keySign.group_id,
  epoch_id: "cd".repeat(32),
  curve: "ed25519",
  root_extended_public_key: keySign.root_pub_key,
  threshold: 2,
  participants: someNodeIds(3).map((node_id, i) => ({
    node_id,
    share_id: `${i + 1}`,
    share_public_key: "ef".repeat(32),
  })),
  certificate: ["aa", "bb", "cc"],
}
const signatures: TaskOutcome = {
  type: "signatures",
  signatures: [
    {
      bip32_path: "m/44/501/0/0/5",
      msg_hash: "0x0102",
      tweak: "",
      public_key: "ef".repeat(32),
      signature: "ab".repeat(64),
      signature_recovery: "",
    },
  ],
}
const shareSignatures: TaskOutcome = {
  type: "shareSignatures",
  signatures: [
    { group_id: keySign.group_id, signed_msg: "prove", msg_hash: "ab".repeat(32), signature: "cd".repeat(64) },
  ],
}

const members = [newIdentity().party, newIdentity().party].sort()
const checkups = (made: readonly MemberCheckup[]): Extract<ToNode, { kind: "checkups" }> => ({
  kind: "checkups",
  groupId: keySign.group_id,
  epochId: new Uint8Array(32).fill(4),
  checkups: made,
})
const madeBy = (party: PartyId | undefined, over: Partial<MemberCheckup> = {}): MemberCheckup => ({
  party: party ?? newIdentity().party,
  message: utf8("there?"),
  signature,
  ...over,
})

const report = said.report(taskId)

const token = { token: { incarnation: 1, mark: 2, markId: new Uint8Array(16).fill(3) }, signature }

const toNode: readonly ToNode[] = [
  { kind: "task", task: signed },
  { kind: "start", start: signed },
  { kind: "cancel", cancel: signed },
  { kind: "envelope", taskId, envelope: utf8("sealed") },
  { kind: "certificate", taskId, acks: [utf8("one"), utf8("two")] },
  { kind: "succession", task: signed, attempt: 3, outcome: group },
  { kind: "outcomeStored", taskId },
  { kind: "tellGroups" },
  { kind: "peer", sender: someNodeIds(1)[0] ?? "", message: utf8("signed") },
  { kind: "standing", token, code: "", reason: "" },
  { kind: "standing", token, code: "E-WAA-061", reason: "the disk is full" },
  { kind: "order", order: "cosigner freeze v1\nand its signature\n" },
  { kind: "approval", taskId, signed: utf8("a word and its signature") },
  checkups(members.map((party) => madeBy(party))),
  checkups([madeBy(members[0], { message: new Uint8Array(4096) })]),
]
const fromNode: readonly FromNode[] = [
  report,
  { ...report, type: "KeyGen", status: 190, attempt: 2, approved: true, outcome: group },
  { ...report, status: 190, attempt: 2 ** 32 - 1, approved: true, outcome: signatures },
  { ...report, type: "KeyShareSign", status: 190, outcome: shareSignatures },
  { ...report, type: "KeyReshare", status: 170, code: "E-TSK-004", reason: "zu spät" },
  said.envelope(taskId, utf8("sealed")),
  { kind: "envelope", taskId, receiver: someNodeIds(1)[0], envelope: utf8("sealed") },
  { kind: "envelope", taskId, receiver: newIdentity().party, envelope: utf8("sealed") },
  { kind: "peer", receiver: someNodeIds(1)[0] ?? "", message: utf8("signed") },
  { kind: "groups", records: [], isLast: true },
  { kind: "groups", records: [utf8("a"), utf8("record")], isLast: false },
  {
    kind: "awaits",
    taskId,
    digest: "ab".repeat(32),
    epoch: "cd".repeat(32),
    awaited: [{ kind: "request" }, { kind: "approvals", group: "treasury", min: 2, by: ["alice", "bob"] }],
  },
  said.awaits(taskId),
  said.later(taskId),
  said.readiness,
  {
    kind: "readiness",
    code: "E-STA-010",
    reason: "the disk is full",
    open: 256,
    most: 256,
    blocked: [{ groupId: keySign.group_id, algorithm: "ecdsa", code: "E-TSK-040" }],
    refresh: [keySign.group_id],
  },
]

const isProblem = (read: object): boolean => "problem" in read

test("every frame survives the way", () => {
  for (const frame of toNode) expect(decodeToNode(encodeToNode(frame))).toEqual(frame)
  for (const frame of fromNode) expect(decodeFromNode(encodeFromNode(frame))).toEqual(frame)
})

test("no frame passes for one of the other direction", () => {
  for (const frame of toNode) expect(isProblem(decodeFromNode(encodeToNode(frame)))).toBe(true)
  for (const frame of fromNode) expect(isProblem(decodeToNode(encodeFromNode(frame)))).toBe(true)
})

test("every shorter and every longer form is refused", () => {
  const check = (bytes: Bytes, decode: (bytes: Uint8Array) => object): void => {
    for (let length = 0; length < bytes.length; length++)
      expect(isProblem(decode(bytes.subarray(0, length)))).toBe(true)
    expect(isProblem(decode(concat(bytes, u8(0))))).toBe(true)
  }
  for (const frame of toNode) check(encodeToNode(frame), decodeToNode)
  for (const frame of fromNode) check(encodeFromNode(frame), decodeFromNode)
})

test("unknown versions and kinds are refused", () => {
  const bytes = encodeToNode({ kind: "outcomeStored", taskId })
  for (let value = 0; value < 256; value++) {
    const version = bytes.slice()
    version[0] = value
    expect(isProblem(decodeToNode(version))).toBe(value !== 1)
    const kind = bytes.slice()
    kind[1] = value
    // Kind 4 with these bytes lacks its envelope; only 5 is whole, and 11, which has one text as well.
    expect(isProblem(decodeToNode(kind))).toBe(value !== 5 && value !== 11)
  }
})

test("a frame of one flipped byte decodes to something else or not at all, and never throws", () => {
  for (const frame of fromNode) {
    const bytes = encodeFromNode(frame)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = bytes.slice()
        changed[at] = (changed[at] ?? 0) ^ flip
        expect(decodeFromNode(changed)).not.toEqual(frame)
      }),
      { seed: 5, numRuns: 300 },
    )
  }
})

test("garbage is refused, never thrown at", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 0x81, 0x82),
      (rest, kind) => {
        const bytes = concat(u8(1), u8(kind), rest)
        decodeToNode(bytes)
        decodeFromNode(bytes)
      },
    ),
    { seed: 6, numRuns: 1000 },
  )
})

test("kinds have the numbers of formats.md 13.2", () => {
  const down = toNode.map((frame) => [`${frame.kind} WaaS`, encodeToNode(frame)[1] ?? 0] as const)
  const up = fromNode.map((frame) => [`${frame.kind} node`, encodeFromNode(frame)[1] ?? 0] as const)
  expect(numbersIn("13.2", ({ name, sender }) => `${name} ${sender}`)).toEqual(new Map([...down, ...up]))
})

describe("a frame that the other side would refuse is not encoded", () => {
  const envelope = (bytes: number): ToNode => ({ kind: "envelope", taskId, envelope: new Uint8Array(bytes) })
  const bad: readonly (readonly [string, () => Bytes])[] = [
    ["too large", () => encodeToNode(envelope(MAX_FRAME_BYTES))],
    ["an empty envelope", () => encodeToNode(envelope(0))],
    ["a task id with a blank", () => encodeToNode({ kind: "outcomeStored", taskId: "a b" })],
    ["an empty task id", () => encodeToNode({ kind: "outcomeStored", taskId: "" })],
    [
      "a short signature",
      () => encodeToNode({ kind: "task", task: { ...signed, signature: signature.subarray(1) as Bytes } }),
    ],
    [
      "a start document over 4 KiB",
      () => encodeToNode({ kind: "start", start: { signature, document: new Uint8Array(4097) } }),
    ],
    [
      "a task document over 4 MiB",
      () => encodeToNode({ kind: "task", task: { signature, document: new Uint8Array(MAX_TASK_BYTES + 1) } }),
    ],
    ["no ack", () => encodeToNode({ kind: "certificate", taskId, acks: [] })],
    ["65 acks", () => encodeToNode({ kind: "certificate", taskId, acks: Array(65).fill(utf8("a")) })],
    ["no check-up", () => encodeToNode(checkups([]))],
    [
      "33 check-ups",
      () => {
        const parties = Array.from({ length: 33 }, () => newIdentity().party).sort()
        return encodeToNode(checkups(parties.map((party) => madeBy(party))))
      },
    ],
    ["a party twice", () => encodeToNode(checkups([madeBy(members[0]), madeBy(members[0])]))],
    ["parties in disorder", () => encodeToNode(checkups([...members].reverse().map((party) => madeBy(party))))],
    ["an empty check-up message", () => encodeToNode(checkups([madeBy(members[0], { message: utf8("") })]))],
    [
      "a check-up message over 4 KiB",
      () => encodeToNode(checkups([madeBy(members[0], { message: new Uint8Array(4097) })])),
    ],
    [
      "a check-up with a short signature",
      () => encodeToNode(checkups([madeBy(members[0], { signature: new Uint8Array(63) })])),
    ],
    ["a short epoch id", () => encodeToNode({ ...checkups([madeBy(members[0])]), epochId: new Uint8Array(31) })],
    ["a group id that is none", () => encodeToNode({ ...checkups([madeBy(members[0])]), groupId: "no group" })],
    ["an outcome without completion", () => encodeFromNode({ ...report, outcome: signatures })],
    ["completion without an outcome", () => encodeFromNode({ ...report, status: 190 })],
    [
      "a receiver that is no node",
      () => encodeFromNode({ kind: "envelope", taskId, receiver: "me", envelope: utf8("x") }),
    ],
    ["a digest that is no digest", () => encodeFromNode({ ...report, digest: "abc" })],
    ["a code over 64", () => encodeFromNode({ ...report, code: "E".repeat(65) })],
    [
      "an outcome with a short signature",
      () => {
        const [one] = signatures.type === "signatures" ? signatures.signatures : []
        if (one === undefined) throw new TypeError("the sample has one")
        const outcome: TaskOutcome = { type: "signatures", signatures: [{ ...one, signature: "ab" }] }
        return encodeFromNode({ ...report, status: 190, outcome })
      },
    ],
  ]
  for (const [name, encode] of bad) {
    test(name, () => {
      try {
        encode()
        expect.unreachable()
      } catch (error) {
        expect(isCode(error, "E-LNK-020")).toBe(true)
      }
    })
  }
})

test("a long reason is cut, so that a report always leaves", () => {
  const read = decodeFromNode(encodeFromNode({ ...report, status: 170, code: "E", reason: "\u20ac".repeat(5000) }))
  expect("reason" in read && read.reason).toBe("\u20ac".repeat(1024))
})

test("the largest envelope passes, one byte more does not; the largest task fits in a frame", () => {
  const most = 2 * 1024 * 1024
  const largest = encodeToNode({ kind: "envelope", taskId, envelope: new Uint8Array(most) })
  expect(isProblem(decodeToNode(largest))).toBe(false)
  const head = largest.length - most
  const larger = concat(largest.subarray(0, head - 4), u32be(most + 1), new Uint8Array(most + 1))
  expect(isProblem(decodeToNode(larger))).toBe(true)
  const document = new Uint8Array(MAX_TASK_BYTES)
  const task = encodeToNode({ kind: "task", task: { document, signature: new Uint8Array(64) } })
  expect(task.length).toBeLessThan(MAX_FRAME_BYTES)
  expect(isProblem(decodeToNode(concat(task, new Uint8Array(MAX_FRAME_BYTES))))).toBe(true)
})
