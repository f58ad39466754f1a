/** The codecs of records: there and back, closed, and the bytes of every version so far. */

import { expect, test } from "bun:test"
import { createHash } from "node:crypto"
import fc from "fast-check"
import { type Bytes, copy, toHex } from "../src/bytes.ts"
import * as c from "../src/codec.ts"
import type { PartyId } from "../src/keys/party.ts"
import type { Debit } from "../src/policy/decision.ts"
import { Secret } from "../src/secret.ts"
import {
  BAN,
  BOOTS,
  CHECKS,
  codecOf,
  EVENT,
  GROUP,
  GROUP_SECRET,
  IDENTITY,
  type RecordKind,
  ROOT,
  SESSION,
  TASK,
} from "../src/store/records.ts"

const SEED = { seed: 20_261_122 }

const bytes = (min: number, max = min): fc.Arbitrary<Bytes> =>
  fc.uint8Array({ minLength: min, maxLength: max }).map(copy)
const text = fc.string({ unit: "grapheme", maxLength: 20 })
const ms = fc.maxSafeNat()
const party = bytes(32).map((key) => toHex(key) as PartyId)
const secret = (min: number, max = min) => bytes(min, max).map((key) => Secret.take(key))
const perhaps = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const array = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 4 })

const verdict = fc.record({
  action: fc.constantFrom("approve" as const, "reject" as const),
  code: text,
  reason: text,
  rules: array(
    fc.record({
      rule: text,
      outcome: fc.constantFrom("allow" as const, "deny" as const, "error" as const),
      reason: text,
    }),
  ),
})
const outcome = fc.oneof(
  fc.record({
    type: fc.constant("group" as const),
    group_id: text,
    epoch_id: text,
    curve: fc.constantFrom("secp256k1" as const, "ed25519" as const),
    root_extended_public_key: text,
    threshold: fc.nat(32),
    participants: array(fc.record({ node_id: text, share_id: text, share_public_key: text })),
    certificate: array(text),
  }),
  fc.record({
    type: fc.constant("signatures" as const),
    signatures: array(
      fc.record({
        bip32_path: text,
        msg_hash: text,
        tweak: text,
        public_key: text,
        signature: text,
        signature_recovery: text,
      }),
    ),
  }),
  fc.record({
    type: fc.constant("shareSignatures" as const),
    signatures: array(fc.record({ group_id: text, signed_msg: text, msg_hash: text, signature: text })),
  }),
)
const epoch = { groupId: text, epochId: bytes(32), peer: party }

interface Case<T> {
  readonly name: string
  readonly kind: RecordKind<T>
  readonly values: fc.Arbitrary<T>
}
const of = <T>(name: string, kind: RecordKind<T>, values: fc.Arbitrary<T>): Case<unknown> =>
  ({ name, kind, values }) as Case<unknown>

/** As files hold it that were written before amounts were counted. */
const FIRST_TASK: typeof TASK = { ...TASK, byte: 255, version: 1, codec: TASK.earlier[0] ?? TASK.codec, earlier: [] }

const journalWith = (debit: fc.Arbitrary<Debit>) =>
  fc.record({
    record: fc.record({
      taskId: text,
      digest: text,
      type: fc.constantFrom("KeyGen" as const, "KeySign" as const, "KeyReshare" as const, "KeyShareSign" as const),
      document: bytes(0, 100),
      state: fc.constantFrom("claimed" as const, "approved" as const, "emitted" as const, "cancelled" as const),
      attempt: fc.nat(),
      claimedMs: ms,
      updatedMs: ms,
      deadlineMs: ms,
      verdict: perhaps(verdict),
      code: text,
      reason: text,
      outcome: perhaps(outcome),
      delivered: fc.boolean(),
    }),
    seq: ms,
    debits: array(debit),
    debitedMs: ms,
    emitted: array(bytes(32)),
    sids: array(bytes(32)),
  })
const countDebit = fc.record({ counter: text, amount: fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }) })
const debit = fc.oneof(
  countDebit,
  fc.record({ counter: text, amount: fc.bigInt({ min: 0n, max: (1n << 300n) - 1n }), replaces: text }),
)

const cases: readonly Case<unknown>[] = [
  of("task, version 1", FIRST_TASK, journalWith(countDebit)),
  of("task", TASK, journalWith(debit)),
  of(
    "root",
    ROOT,
    fc.record({ generation: ms, count: ms, sum: fc.bigInt({ min: 0n, max: (1n << 512n) - 1n }), header: bytes(32) }),
  ),
  of("secret", IDENTITY, secret(0, 64)),
  of("counter", BOOTS, ms),
  of(
    "group",
    GROUP,
    fc.record(
      {
        groupId: fc.string({ maxLength: 20 }),
        epochId: bytes(32),
        curve: fc.constant("ed25519" as const),
        mode: fc.constantFrom("keygen" as const, "extend" as const, "replace" as const),
        status: fc.constantFrom("PREPARED" as const, "ACTIVE" as const, "SUPERSEDED" as const, "ERASED" as const),
        threshold: fc.nat(32),
        members: array(
          fc.record({
            party,
            shareId: fc.bigInt({ min: 1n, max: (1n << 256n) - 1n }),
            sharePublicKey: bytes(32),
          }),
        ),
        commitments: array(bytes(32)),
        chainCode: bytes(32),
        createdMs: ms,
        sid: bytes(32),
        ackView: bytes(32),
        certificate: array(bytes(0, 200)),
      },
      {
        requiredKeys: [
          "groupId",
          "epochId",
          "curve",
          "mode",
          "status",
          "threshold",
          "members",
          "commitments",
          "chainCode",
          "createdMs",
          "sid",
          "ackView",
        ],
      },
    ),
  ),
  of(
    "group secret",
    GROUP_SECRET,
    fc.record({
      share: secret(32),
      pairs: array(
        fc.record({
          peer: party,
          pairId: bytes(32),
          zeroSeed: secret(32),
          otAlice: perhaps(secret(0, 300)),
          otBob: perhaps(secret(0, 300)),
        }),
      ),
    }),
  ),

  of(
    "session",
    SESSION,
    fc.record({
      row: fc.record({
        sid: bytes(32),
        taskId: text,
        attempt: fc.nat(),
        groupId: text,
        epochId: bytes(0, 32),
        peers: array(party),
        ecdsa: fc.boolean(),
      }),
      startedMs: ms,
      ended: perhaps(fc.record({ how: text, atMs: ms })),
    }),
  ),
  of("ban", BAN, fc.record({ ...epoch, reason: text, sid: bytes(32), bannedMs: ms })),
  of("checks", CHECKS, fc.record({ ...epoch, count: fc.nat(), disabled: fc.boolean() })),
  of(
    "event",
    EVENT,
    fc.record({
      seq: ms,
      event: fc.record({ eventId: text, eventType: text, createdMs: ms, body: text }),
      deliveries: array(
        fc.record({
          server: text,
          state: fc.constantFrom("pending" as const, "failed" as const),
          attempts: fc.nat(),
          lastMs: ms,
        }),
      ),
    }),
  ),
]

for (const { name, kind, values } of cases) {
  test(`${name}: every value comes back, and written again gives the same bytes`, () => {
    fc.assert(
      fc.property(values, (value) => {
        const encoded = c.encode(kind.codec, value)
        const back = c.decode(kind.codec, encoded)
        expect(toHex(c.encode(kind.codec, back))).toBe(toHex(encoded))
        if (name !== "secret" && name !== "group secret") expect(back).toEqual(value)
        else expect(exposed(back)).toEqual(exposed(value))
      }),
      { ...SEED, numRuns: 60 },
    )
  })

  test(`${name}: nothing shorter or longer is read`, () => {
    fc.assert(
      fc.property(values, fc.nat(), (value, at) => {
        const encoded = c.encode(kind.codec, value)
        expect(() => c.decode(kind.codec, encoded.slice(0, at % encoded.length))).toThrow(c.Malformed)
        expect(() => c.decode(kind.codec, Buffer.concat([encoded, Buffer.of(0)]))).toThrow(c.Malformed)
      }),
      { ...SEED, numRuns: 60 },
    )
  })
}

// expect() sees no difference between two Secrets: that is their point.
const exposed = (value: unknown): unknown =>
  value instanceof Secret
    ? toHex(value.expose())
    : Array.isArray(value)
      ? value.map(exposed)
      : typeof value === "object" && value !== null && !(value instanceof Uint8Array)
        ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, exposed(inner)]))
        : value

test("what has no place in a record is refused, writing and reading", () => {
  expect(() => c.encode(c.u64, 1.5)).toThrow(RangeError)
  expect(() => c.encode(c.u64, -1)).toThrow(RangeError)
  expect(() => c.encode(c.u32, 2 ** 32)).toThrow(RangeError)
  for (const bad of [Number.NaN, -1, Number.POSITIVE_INFINITY])
    expect(() => c.encode(c.amount, bad)).toThrow(RangeError)
  expect(() => c.decode(c.amount, Buffer.from("bff0000000000000", "hex"))).toThrow(c.Malformed)
  expect(() => c.decode(c.amount, Buffer.from("7ff8000000000000", "hex"))).toThrow(c.Malformed)
  expect(() => c.decode(c.u64, Buffer.from("0020000000000000", "hex"))).toThrow(c.Malformed)
  expect(() => c.decode(c.bool, Buffer.of(2))).toThrow(c.Malformed)
  expect(() => c.decode(c.oneOf("a", "b"), Buffer.of(2))).toThrow(c.Malformed)
  expect(() => c.decode(c.text, Buffer.of(0, 0, 0, 1, 0xff))).toThrow(c.Malformed)
  expect(() => c.encode(c.fixed(32), new Uint8Array(31))).toThrow(RangeError)
})

test("text is Unicode: a lone surrogate is replaced, a byte order mark is kept", () => {
  expect(c.decode(c.text, c.encode(c.text, "a\ud800b"))).toBe("a\ufffdb")
  expect(c.decode(c.text, c.encode(c.text, "\ufeffx"))).toBe("\ufeffx")
})

test("the kind bytes are distinct", () => {
  const kinds = cases.map(({ kind }) => kind.byte)
  expect(new Set(kinds).size).toBe(kinds.length)
})

/** Digests of what every version so far has written for the same values: a change here is a change of the format on disk. */
const GOLDEN: Readonly<Record<string, string>> = {
  ban: "5412cbfc5edb97dba0c0069fab1536f1",
  checks: "cd2ec1110bd44d2d345c2597b0eeac5f",
  counter: "4331ce49834881fbb9aae67a90962893",
  event: "82e5d01fead980e2e0cb3364674a0ec2",
  group: "79670de60a657ad0dc4edaa8d3d9ea6c",
  "group secret": "fb6d4a7fc5cb32ebf1515eac8723246a",
  root: "2ef0deb4e53f144c1c58f4d61e689fca",
  secret: "8b203a0d0b0de6255290678c81809e64",
  session: "0eaabd3b528d8508cef280e3d8d8afce",
  task: "f43fd8b18bc680284435637dc8c63eec",
  "task, version 1": "dd5e26d4d4ef1203a99d6d53c68604d2",
}

for (const { name, kind, values } of cases) {
  test(`${name}: is written as it always was`, () => {
    const hash = createHash("sha256")
    for (const value of fc.sample(values, { ...SEED, numRuns: 40 })) hash.update(c.encode(kind.codec, value))
    expect(`${name} ${hash.digest("hex").slice(0, 32)}`).toBe(`${name} ${GOLDEN[name]}`)
  })
}

test("what no version of a kind has is not read", () => {
  expect(codecOf(TASK, 1)).toBe(TASK.earlier[0])
  expect(codecOf(TASK, 2)).toBe(TASK.codec)
  for (const version of [0, 3, 255]) expect(codecOf(TASK, version)).toBeUndefined()
})
