/** What `cosigner info task` prints of a record, for people and for programs. */
import { expect, test } from "bun:test"
import { taskJson, taskText } from "../../src/ops/inventory/tasks.ts"
import type { TaskRecord } from "../../src/tasks/ports.ts"
import { encodeTask, taskDigest, withoutPayloads } from "../../src/wire/task.ts"
import { EXCHANGE, PATH, readingNode, withPayloads } from "../tasks/payloads.ts"

const { w } = readingNode()
const document = encodeTask(withPayloads(w))
const hash = `0x${"ab".repeat(32)}`
const words = `transfer 0.01 ETH to ${EXCHANGE} on eip155:1, fee at most 0.00063 ETH`

const record: TaskRecord = {
  taskId: "task-2",
  digest: taskDigest(document),
  type: "KeySign",
  document: withoutPayloads(document),
  state: "completed",
  attempt: 2,
  claimedMs: 1_795_340_699_000,
  updatedMs: 1_795_340_700_000,
  deadlineMs: 1_795_340_760_000,
  verdict: {
    action: "approve",
    code: "",
    reason: "",
    rules: [
      { rule: "intent", outcome: "allow", reason: `${hash} ${words}` },
      { rule: "key_sign.allow", outcome: "allow", reason: "payout covers it" },
    ],
  },
  code: "",
  reason: "",
  outcome: {
    type: "signatures",
    signatures: [
      { bip32_path: PATH, msg_hash: "0x11", tweak: "", public_key: "02", signature: "ff", signature_recovery: "00" },
    ],
  },
  delivered: true,
}

test("for people: what was read and its hash, the verdict rule by rule, the signature", () => {
  const lines = taskText(record)
  expect(lines).toContain(`Intent: ${words}`)
  expect(lines).toContain(`Intent Hash: ${hash}`)
  expect(lines).toContain("Verdict: approve")
  expect(lines).toContain("    allow: key_sign.allow: payout covers it")
  expect(lines).toContain(`bip32_path_list: ["${PATH}"]`)
  expect(lines).toContain(`Signature: ${PATH} 0xff`)
  expect(lines).toContain("State: completed, attempt 2")
})

test("for programs: the same, and everything of the record", () => {
  expect(taskJson(record)).toMatchObject({
    task_id: "task-2",
    state: "completed",
    digest: record.digest,
    intents: [{ intent_hash: hash, text: words }],
    verdict: { action: "approve" },
    request_detail: { bip32_path_list: [PATH] },
    outcome: { type: "signatures" },
    delivered: true,
  })
})

test("one that was refused before anything was read, and one that cannot be read any more", () => {
  const verdict = { action: "reject", code: "E-INT-005", reason: "differs", rules: [] } as const
  const refused: TaskRecord = {
    ...record,
    state: "rejected",
    attempt: 0,
    verdict,
    code: "E-INT-005",
    reason: "differs",
    outcome: undefined,
  }
  expect(taskText(refused)).toContain("Verdict: reject E-INT-005 differs")
  expect(taskText(refused)).toContain("Ended: E-INT-005 differs")
  expect(taskJson({ ...record, document: new Uint8Array(3), verdict: undefined })).toMatchObject({
    request_detail: null,
    intents: [],
    verdict: null,
  })
})
