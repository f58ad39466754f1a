/** How many signed statements WaaS keeps of one task: what reaches a limit is refused, and costs no record and no frame. */
import { expect, test } from "bun:test"
import type { SignedStatement } from "../../../src/approvals/approver.ts"
import { readingLines, writeStatement } from "../../../src/approvals/statement.ts"
import { approvalAdded } from "../../../src/waas/engine/approvals.ts"
import { ApiFailure } from "../../../src/waas/failure.ts"
import type { WaasTask } from "../../../src/waas/store/model.ts"

const DIGEST = "1".repeat(64)
const open = { taskId: "t", digest: DIGEST, state: "approving", nodeIds: [], reports: {} } as unknown as WaasTask

const statement = (approver: string, reading: readonly string[]): SignedStatement => ({
  statement: writeStatement({
    decision: "approve",
    task: "t",
    document: DIGEST,
    intent: undefined,
    group: undefined,
    epoch: undefined,
    reading: readingLines(reading),
    approver,
    notAfter: 2_000_000_000,
    nonce: approver.padStart(32, "0").replace(/[^0-9a-f]/g, "0"),
  }),
  signature: { kind: "ssh", blob: new Uint8Array(64) },
})

/** How many statements of different approvers the task takes before it refuses one. */
function kept(reading: readonly string[]): number {
  let record = open
  for (let count = 0; count < 200; count++) {
    try {
      record = approvalAdded(record, statement(`a${count}`, reading), () => expect.unreachable()).record
    } catch (error) {
      expect(error).toBeInstanceOf(ApiFailure)
      expect(error).toHaveProperty("message", "the task has as many statements as it can keep")
      return count
    }
  }
  return expect.unreachable()
}

test("a task keeps 128 statements, and no more than a mebibyte of them", () => {
  expect(kept(["a payment"])).toBe(128)
  const long = Array.from({ length: 32 }, () => "x".repeat(900))
  const bytes = statement("a0", long).statement.length
  const count = kept(long)
  expect(count).toBeLessThanOrEqual((1024 * 1024) / bytes)
  expect(count).toBeGreaterThan((1024 * 1024) / (bytes + 200) - 1)
})
