import { expect, test } from "bun:test"
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { isComputing, needsBinary, selectedTests } from "../../scripts/testSelection.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const root = join(import.meta.dir, "..", "..")

test("a unit test needs no binary, a test that runs it does, also through a fixture and in any selection", () => {
  expect(needsBinary(root, selectedTests(root, ["test/crypto/gf128.test.ts"]))).toBe(false)
  expect(needsBinary(root, selectedTests(root, ["./test/crypto", "test/keys"]))).toBe(false)
  expect(needsBinary(root, selectedTests(root, ["test/cli/node.test.ts"]))).toBe(true)
  expect(needsBinary(root, selectedTests(root, ["test/e2e/reshare.test.ts"]))).toBe(true)
  expect(needsBinary(root, selectedTests(root, ["test/crypto", "test/systemd"]))).toBe(true)
  expect(needsBinary(root, selectedTests(root, []))).toBe(true)
})

test("words choose by path, and what begins with a dash is none", () => {
  expect(selectedTests(root, ["--bail", "crypto/gf128"])).toEqual(["test/crypto/gf128.test.ts"])
  expect(selectedTests(root, ["--bail"])).toEqual(selectedTests(root, []))
  expect(selectedTests(root, ["no such file"])).toEqual([])
})

test("tests that only compute run beside the others: none of them runs the binary, and each test is in one of the two runs", () => {
  const computing = selectedTests(root, []).filter(isComputing)
  expect(computing.length).toBeGreaterThan(100)
  expect(needsBinary(root, computing)).toBe(false)
  expect(isComputing("test/e2e/crypto/a.test.ts")).toBe(false)
})

test("imports are followed once each, in circles and late ones too", () => {
  using folder = temporaryFolder("selection")
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder.path, path)), { recursive: true })
    writeFileSync(join(folder.path, path), text)
  }
  write("test/a.test.ts", 'import { b } from "./kit/b.ts"\nimport { nothing } from "./missing.ts"')
  write("test/kit/b.ts", 'import { a } from "../a.test.ts"\nconst { c } = await import("./c.ts")')
  write("test/kit/c.ts", "export const c = 1")
  expect(needsBinary(folder.path, ["test/a.test.ts"])).toBe(false)
  write("test/kit/c.ts", 'export { binary } from "../support/binary.ts"')
  expect(needsBinary(folder.path, ["test/a.test.ts"])).toBe(true)
})
