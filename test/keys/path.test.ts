import { expect, test } from "bun:test"
import fc from "fast-check"
import { formatPath, HARDENED, MAX_DEPTH, parsePath } from "../../src/keys/path.ts"
import { codeOf } from "./codeOf.ts"

test("every accepted spelling", () => {
  const accepted: readonly (readonly [text: string, path: readonly number[]])[] = [
    ["m", []],
    ["/m", []],
    [" m ", []],
    ["m/44/60/0/0/5", [44, 60, 0, 0, 5]],
    ["/m/44/60", [44, 60]],
    ["/44/60", [44, 60]],
    ["44/60", [44, 60]],
    ["0", [0]],
    ["m / 44 / 60", [44, 60]],
    ["m/2147483647", [HARDENED - 1]],
    [`m${"/1".repeat(MAX_DEPTH)}`, Array.from({ length: MAX_DEPTH }, () => 1)],
  ]
  for (const [text, path] of accepted) expect(parsePath(text)).toEqual([...path])
})

test("anything else is malformed", () => {
  const malformed = [
    "",
    " ",
    "/",
    "m/",
    "//44",
    "m//44",
    "m/44/",
    "M/44",
    "n/44",
    "m/m/44",
    "m/+1",
    "m/-1",
    "m/1.0",
    "m/1e3",
  ]
  const more = ["m/0x2c", "m/044", "m/00", "m/١", "m/44\n", "m/44\t/1", "m/4294967296", "m/99999999999", "44,60", "m44"]
  for (const text of [...malformed, ...more]) expect([text, codeOf(() => parsePath(text))]).toEqual([text, "E-KEY-001"])
  expect(codeOf(() => parsePath(`m${"/1".repeat(MAX_DEPTH + 1)}`))).toBe("E-KEY-001")
  expect(codeOf(() => parsePath(`m/${" ".repeat(600)}1`))).toBe("E-KEY-001")
})

test("hardened indices are refused by a code of their own, in every spelling", () => {
  for (const text of ["m/44'", "m/44h/0", "m/0/44H", "m/44’", "m/2147483648", "m/4294967295", "44'/60'/0'/0/0"]) {
    expect([text, codeOf(() => parsePath(text))]).toEqual([text, "E-KEY-002"])
  }
})

test("format and parse are inverse", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: HARDENED - 1 }), { maxLength: MAX_DEPTH }), (path) => {
      expect(parsePath(formatPath(path))).toEqual(path)
    }),
    { seed: 44 },
  )
  expect(formatPath([])).toBe("m")
  expect(formatPath([44, 60, 0])).toBe("m/44/60/0")
})
