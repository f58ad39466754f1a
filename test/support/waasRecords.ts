/** Records of WaaS's store as tests begin with them: each says what counts for it. */
import type { NodeFencingToken, Vault, WaasTask } from "../../src/waas/store/model.ts"

export const vault: Vault = {
  vaultId: "v",
  projectId: undefined,
  name: "v",
  type: "Org-Controlled",
  rootKeys: [],
  createdMs: 1,
}

export const task = (taskId: string, requestId: string, change: Partial<WaasTask> = {}): WaasTask => ({
  taskId,
  request: { kind: "sign", id: requestId },
  type: "KeySign",
  document: new Uint8Array([1]),
  signature: new Uint8Array([2]),
  digest: "d",
  nodeIds: [],
  createdMs: 1,
  deadlineMs: 2,
  state: "running",
  attempt: 1,
  attemptMs: 1,
  code: "",
  reason: "",
  outcome: undefined,
  reports: {},
  ...change,
})

export const put = (record: WaasTask, live = true) => ({ put: "task" as const, record, live })
export const idsOf = (tasks: readonly WaasTask[]) => tasks.map(({ taskId }) => taskId)
export const token = (boot: number, change: Partial<NodeFencingToken> = {}): NodeFencingToken => ({
  incarnation: 1,
  boot,
  bootId: `boot ${boot}`,
  generation: boot,
  ...change,
})

/** Of a task that made a sharing. */
export const groupOutcome = (epoch_id: string, group_id = "share group") => ({
  type: "group" as const,
  group_id,
  epoch_id,
  curve: "ed25519" as const,
  root_extended_public_key: "",
  threshold: 2,
  participants: [],
  certificate: [],
})
