/**
 * The published Python SDK against the real binary: every call that concerns MPC wallets, its answer read by the SDK's own
 * models. Part of the long suite; needs a Python with `cobo-waas2` 1.46, named by COSIGNER_SDK_PYTHON, and is skipped without.
 */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { callsOf, documentedCalls } from "./script.ts"

const python = process.env["COSIGNER_SDK_PYTHON"]
const skipped = python === undefined ? "COSIGNER_SDK_PYTHON names no Python with cobo-waas2" : undefined
if (skipped !== undefined) console.log(`skipped: ${skipped}`)

test.skipIf(skipped !== undefined)(
  "the Python SDK makes project, vault, keys, wallet, addresses, messages, transfers and webhooks",
  async () => {
    const names = await callsOf([python ?? "", join(import.meta.dir, "calls.py")])
    console.log(`${names.length} different calls answered as the Python SDK's models want`)
    expect(names).toEqual([...documentedCalls().all])
    expect(names.length).toBeGreaterThanOrEqual(42)
  },
  180_000,
)
