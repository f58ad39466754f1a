/** Leaves: one form, bounded, and what is read is exactly what is written. */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { AUDIT_KINDS, type AuditEntry, leafBytes, MAX_LEAF, parseLeaf } from "../../src/audit/entry.ts"
import { utf8 } from "../../src/bytes.ts"
import { Malformed } from "../../src/codec.ts"

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString()
const LEAF = { kind: "start", facts: { b: 1, a: ["x", undefined, true], z: undefined }, seq: 3, atMs: 5 } as const

test("the one form", () => {
  expect(text(leafBytes(LEAF))).toBe('{"at":5,"facts":{"a":["x",true],"b":1},"kind":"start","seq":3,"v":1}')
  expect(parseLeaf(leafBytes(LEAF))).toEqual({ kind: "start", facts: { a: ["x", true], b: 1 }, seq: 3, atMs: 5 })
})

test("whatever the facts, a leaf is written, bounded, and read again; what was cut is named by its hash", () => {
  const value = fc.letrec((tie) => ({
    any: fc.oneof(fc.string(), fc.maxSafeInteger(), fc.boolean(), fc.array(tie("any"), { maxLength: 90 })),
  })).any
  const facts = fc.dictionary(fc.string(), fc.oneof(value, fc.string({ minLength: 900, maxLength: 5000 })))
  fc.assert(
    fc.property(facts, (given) => {
      const bytes = leafBytes({ kind: "config", facts: given as AuditEntry["facts"], seq: 1, atMs: 2 })
      expect(bytes.length).toBeLessThanOrEqual(MAX_LEAF)
      expect(parseLeaf(bytes).kind).toBe("config")
    }),
    { numRuns: 150 },
  )
  const long = parseLeaf(leafBytes({ kind: "config", facts: { words: "x".repeat(9000), n: 1 }, seq: 1, atMs: 2 }))
  expect(long.facts).toMatchObject({ n: 1, cut: expect.stringMatching(/^[0-9a-f]{64}$/) })
  // Each of these characters is six bytes of JSON.
  const names = Array.from({ length: 20 }, (_, n) => [`fact${n}`, "\u0001".repeat(2000)])
  const worst = leafBytes({ kind: "config", facts: Object.fromEntries(names), seq: 1, atMs: 2 })
  expect(Object.keys(parseLeaf(worst).facts)).toEqual(["cut"])
})

test("nothing else is read", () => {
  const good = text(leafBytes(LEAF))
  for (const bad of [
    `${good} `,
    good.replace('"v":1', '"v":2'),
    good.replace("start", "startt"),
    good.replace('"seq":3', '"seq":3.5'),
    good.replace('"seq":3', '"seq":3e0'),
    good.replace('{"at":5,', '{"at":5,"at":5,'),
    good.replace('"at":5,', '"at":5,"by":1,'),
    good.replace('"b":1', '"b":null'),
    "[]",
    "null",
    "x",
  ]) {
    expect(() => parseLeaf(utf8(bad))).toThrow(Malformed)
  }
})

test("every kind is in the specification, and no other", () => {
  const spec = readFileSync(join(import.meta.dir, "../../docs/spec/audit.md"), "utf8")
  const [, table = ""] = spec.split("| kind | when | facts |")
  const [rows = ""] = table.split("\n\n")
  const named = rows
    .split("\n")
    .flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`(\w+)`/g)].map(([, kind]) => kind))
  expect([...named].sort()).toEqual([...AUDIT_KINDS].sort())
})
