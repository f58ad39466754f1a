/** The statement that people sign: one writer, one reader, one form. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import {
  type ApprovalStatement,
  isUnfit,
  MAX_STATEMENT_BYTES,
  readingLines,
  readStatement,
  secondsOf,
  secondsText,
  writeStatement,
} from "../../src/approvals/statement.ts"
import { utf8 } from "../../src/bytes.ts"
import { runs } from "../support/runs.ts"
import vectors from "../vectors/sshsig.json"

const STATEMENT: ApprovalStatement = {
  decision: "approve",
  task: "20261201090000000001",
  document: "11".repeat(32),
  intent: `0x${"22".repeat(32)}`,
  group: "AbCdEfGhIjKlMnOpQrSt",
  epoch: "33".repeat(32),
  approver: "alice",
  notAfter: 1_796_202_000,
  nonce: "44".repeat(16),
  reading: ["transfer 0.0125 ETH to 0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f on eip155:1, fee at most 0.0021 ETH"],
}
const TEXT = vectors.message

const hexOf = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((b) => Buffer.from(b).toString("hex"))
const statements: fc.Arbitrary<ApprovalStatement> = fc.record({
  decision: fc.constantFrom("request", "approve", "reject"),
  task: fc.stringMatching(/^[A-Za-z0-9-]{1,64}$/),
  document: hexOf(32),
  intent: fc.option(
    hexOf(32).map((hex) => `0x${hex}`),
    { nil: undefined },
  ),
  group: fc.option(fc.stringMatching(/^[A-Za-z]{20}$/), { nil: undefined }),
  epoch: fc.option(hexOf(32), { nil: undefined }),
  approver: fc.stringMatching(/^[a-z][a-z0-9-]{0,20}[a-z0-9]$/),
  notAfter: fc.integer({ min: 0, max: 253_402_300_799 }),
  nonce: hexOf(16),
  reading: fc
    .array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), { minLength: 1, maxLength: 6 })
    .map(readingLines),
})

describe("a statement", () => {
  test("has the text that approvals.md shows", () => {
    expect(Buffer.from(writeStatement(STATEMENT)).toString()).toBe(TEXT)
    expect(readStatement(utf8(TEXT))).toEqual(STATEMENT)
  })

  test("is read as it was written", () => {
    fc.assert(
      fc.property(statements, (statement) => {
        expect(readStatement(writeStatement(statement))).toEqual(statement)
      }),
      { numRuns: runs(100, 5000) },
    )
  })

  test("is refused in every other form: each byte changed, each prefix, lines moved, doubled and left out", () => {
    const bytes = writeStatement(STATEMENT)
    for (let i = 0; i < bytes.length; i++) {
      expect(isUnfit(readStatement(bytes.subarray(0, i)))).toBe(true)
      const changed = Uint8Array.from(bytes)
      changed[i] = (changed[i] ?? 0) ^ 0x01
      const read = readStatement(changed)
      // Another digit of a hash, say, is another statement, and never the same.
      if (!isUnfit(read)) {
        expect(read).not.toEqual(STATEMENT)
        expect(writeStatement(read)).toEqual(changed)
      }
    }
    for (const end of ["  more", " ", "x"]) expect(isUnfit(readStatement(utf8(`${TEXT}${end}`)))).toBe(true)
    const lines = TEXT.trimEnd().split("\n")
    const refused = (changed: readonly string[]) =>
      expect(isUnfit(readStatement(utf8(`${changed.join("\n")}\n`)))).toBe(true)
    for (let i = 0; i < 11; i++) {
      refused(lines.toSpliced(i, 1))
      refused(lines.toSpliced(i, 0, lines[i] ?? ""))
      refused(lines.with(i, `${lines[i]} `))
      refused(lines.with(i, ` ${lines[i]}`))
      refused(lines.with(i, `${lines[i]}\r`))
    }
    for (let i = 1; i < 9; i++) refused(lines.with(i, lines[i + 1] ?? "").with(i + 1, lines[i] ?? ""))
  })

  test("has no place for what would look like a field, or be seen by nobody", () => {
    for (const line of ["", "a\nnonce: 1", "a\rb", "a\tb", "a\u202Eb", "a\u200Bb", "a\u00A0b"]) {
      expect(() => writeStatement({ ...STATEMENT, reading: [line] })).toThrow(RangeError)
      expect(isUnfit(readStatement(utf8(TEXT.replace(/ {2}transfer.*/, `  ${line}`))))).toBe(true)
    }
    expect(readingLines(["a\nnonce: 1\u202E"])).toEqual(["a\\u{a}nonce: 1\\u{202e}"])
    expect(() => writeStatement({ ...STATEMENT, approver: "alice\nnonce: 1" })).toThrow(RangeError)
    expect(() => writeStatement({ ...STATEMENT, reading: [] })).toThrow(RangeError)
    expect(() => writeStatement({ ...STATEMENT, notAfter: 1.5 })).toThrow(RangeError)
    expect(isUnfit(readStatement(utf8(TEXT.replace("12-02", "02-30"))))).toBe(true)
    const long = utf8(TEXT + "  a\n".repeat(MAX_STATEMENT_BYTES / 4))
    expect(readStatement(long)).toMatchObject({ problem: expect.stringContaining("longer than") })
    expect(isUnfit(readStatement(utf8(`\uFEFF${TEXT}`)))).toBe(true)
    expect(isUnfit(readStatement(Uint8Array.of(...utf8(TEXT), 0x20, 0x20, 0xff, 0x0a)))).toBe(true)
  })

  test("of a payload that does very much says how much is left out, and stays within its bound", () => {
    const long = readingLines(["x".repeat(5000)])
    expect(long[0]).toEndWith("… (5000 characters)")
    for (const many of [Array(4096).fill("a"), Array(4096).fill("ä".repeat(990)), Array(4096).fill("😀".repeat(600))]) {
      const reading = readingLines(many)
      expect(reading.at(-1)).toMatch(/^\d+ lines more are left out$/)
      const bytes = writeStatement({ ...STATEMENT, reading })
      expect(bytes.length).toBeLessThanOrEqual(MAX_STATEMENT_BYTES)
      expect(readStatement(bytes)).toEqual({ ...STATEMENT, reading })
    }
  })

  test("writes moments as the calendar does", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        const text = new Date(seconds * 1000).toISOString().replace(".000", "")
        expect(secondsText(seconds)).toBe(text)
        expect(secondsOf(text)).toBe(seconds)
      }),
      { numRuns: runs(300, 20_000) },
    )
    for (const text of [
      "2026-13-01T00:00:00Z",
      "2026-02-29T00:00:00Z",
      "2026-01-01T24:00:00Z",
      "1969-12-31T23:59:59Z",
    ]) {
      expect(secondsOf(text)).toBeUndefined()
    }
  })
})
