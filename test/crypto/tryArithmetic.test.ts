import { expect, spyOn, test } from "bun:test"
import { RvoleKernel } from "../../src/crypto/rvoleKernel.ts"
import { tryArithmetic } from "../../src/crypto/tryArithmetic.ts"
import { hasMemory, makeMemory, useMemory } from "../../src/crypto/wasm.ts"
import { WasmPoints } from "../../src/crypto/wasmPoints.ts"

if (!hasMemory()) useMemory(makeMemory())

test("this runtime computes rightly", () => expect(tryArithmetic()).toBeUndefined())

test.each([
  ["mask", "a difference"],
  ["choose", "a sum of products"],
  ["combine", "a sum of products"],
] as const)("a thread begins no session whose %s does nothing", (name, what) => {
  using _ = spyOn(RvoleKernel.prototype, name).mockImplementation((() =>
    name === "combine" ? [1n, 2n] : undefined) as never)
  expect(tryArithmetic).toThrow(`this runtime computes wrongly: ${what}`)
})

test("nor one whose points are others", () => {
  using _ = spyOn(WasmPoints.prototype, "sum").mockImplementation(() => [0n, 1n, 1n, 0n])
  expect(tryArithmetic).toThrow("this runtime computes wrongly: a sum on")
})
