/** What follows from a reshare's certificate: the group goes by the highest epoch that one of its attempts has made. */
import { expect, test } from "bun:test"
import { consequencesOf } from "../../../src/waas/engine/consequences.ts"
import type { HolderGroup, TssRequest, WaasTask } from "../../../src/waas/store/model.ts"
import type { WaasStore } from "../../../src/waas/store/store.ts"
import { groupOutcome, task } from "../../support/waasRecords.ts"

const outcome = (epoch: string) => ({ ...groupOutcome(epoch), root_extended_public_key: "root" })
const done = task("task", "", {
  request: { kind: "tss", id: "request" },
  type: "KeyReshare",
  nodeIds: ["a", "b"],
  createdMs: 5,
  state: "completed",
  attempt: 2,
  outcome: outcome("aa"),
})
const group: HolderGroup = {
  groupId: "group",
  vaultId: "vault",
  type: "MainGroup",
  status: "Valid",
  threshold: 2,
  holders: [],
  shareGroups: [
    { shareGroupId: "share group", curve: "ED25519", rootPubkey: "root", epoch: { createdMs: 5, epochId: "aa" } },
  ],
  createdMs: 1,
}
const request: TssRequest = {
  tssRequestId: "request",
  vaultId: "vault",
  type: "KeyReshare",
  source: { groupId: "group", nodeIds: ["a", "b"] },
  targetGroupId: "group",
  status: "Success",
  description: "",
  taskIds: ["task"],
  code: "",
  reason: "",
  createdMs: 5,
  updatedMs: 5,
}

async function epochAfter(before: WaasTask, record: WaasTask): Promise<string | undefined> {
  const store = {
    tssRequest: async () => request,
    groups: async () => ({ items: [group], before: undefined, after: undefined, total: 1 }),
  }
  const of = { store: store as unknown as WaasStore, tasksOf: async () => [before], nowMs: 7 }
  const { writes } = await consequencesOf(done.request, [{ before, record, send: [] }], of)
  const put = writes.find((write) => write.put === "group")
  return put?.record.shareGroups[0]?.epoch?.epochId
}

test("of a later attempt, once its certificate outranks the one that completed the task", async () => {
  expect(await epochAfter(done, { ...done, outcome: outcome("bb") })).toBe("bb")
  // Anything else that is said of a completed task changes no group.
  expect(await epochAfter(done, { ...done, attempt: 3 })).toBeUndefined()
  expect(await epochAfter(done, { ...done, outcome: outcome("0a") })).toBeUndefined()
})
