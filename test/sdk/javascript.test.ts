/**
 * The published JavaScript SDK against the real binary: every call of it that concerns MPC wallets, its answer read and checked by the
 * SDK's own models. Part of the long suite; needs a folder with `@cobo/cobo-waas2` 1.8 installed (`npm install --ignore-scripts`),
 * named by COSIGNER_SDK_JAVASCRIPT, and is skipped without.
 */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { callsOf, documentedCalls } from "./script.ts"

const folder = process.env["COSIGNER_SDK_JAVASCRIPT"]
const skipped = folder === undefined ? "COSIGNER_SDK_JAVASCRIPT names no folder with @cobo/cobo-waas2" : undefined
if (skipped !== undefined) console.log(`skipped: ${skipped}`)

test.skipIf(skipped !== undefined)(
  "the JavaScript SDK makes project, vault, keys, wallet, addresses, messages, transfers and webhooks",
  async () => {
    const names = await callsOf([process.execPath, join(import.meta.dir, "calls.mjs"), folder ?? ""])
    console.log(`${names.length} different calls answered as the JavaScript SDK's models want`)
    const { all, inPythonAlone } = documentedCalls()
    expect(names).toEqual(all.filter((name) => !inPythonAlone.includes(name)))
    expect(names.length).toBeGreaterThanOrEqual(42)
  },
  180_000,
)
