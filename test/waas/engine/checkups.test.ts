/** Which check-ups WaaS keeps: those of a request that has just completed, under an epoch that a reshare made. */
import { expect, test } from "bun:test"
import { checkupsMade } from "../../../src/waas/engine/checkups.ts"
import type { WaasTask } from "../../../src/waas/store/model.ts"
import { task } from "../../support/waasRecords.ts"

const before = task("check-up", "request", {
  request: { kind: "shareSign", id: "request" },
  type: "KeyShareSign",
  nodeIds: ["node"],
  shareKeys: [
    { shareGroupId: "reshared", curve: "ED25519", publicKey: "", madeBy: "reshare" },
    { shareGroupId: "generated", curve: "SECP256K1", publicKey: "" },
  ],
})
const signed = (group_id: string) => ({
  group_id,
  signed_msg: "0x0102",
  msg_hash: "",
  signature: `0x${"ab".repeat(64)}`,
})
const record: WaasTask = {
  ...before,
  state: "completed",
  outcome: { type: "shareSignatures", signatures: [signed("reshared"), signed("generated"), signed("stranger")] },
}

test("of each key that a reshare made, what the node signed", () => {
  const made = { nodeId: "node", message: new Uint8Array([1, 2]), signature: new Uint8Array(64).fill(0xab) }
  expect(checkupsMade({ before, record, send: [] })).toEqual([{ put: "checkup", taskId: "reshare", record: made }])
})

test("nothing of a task that did not complete, and nothing twice", () => {
  expect(checkupsMade({ before, record: { ...record, state: "failed" }, send: [] })).toEqual([])
  expect(checkupsMade({ before: record, record, send: [] })).toEqual([])
})
