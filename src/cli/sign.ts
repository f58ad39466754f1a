/** `cosigner sign`: the share check-up signature, offline (formats.md 4.1, 8). Goes through the rules and into the journal. */
import { randomUUID } from "node:crypto"
import { systemRng } from "../crypto/random.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { requireNewest } from "../jobs/rollbackGuard.ts"
import { memberOf } from "../keys/group.ts"
import { sharePublicKeyText } from "../keys/groupInfo.ts"
import { openStore } from "../store/store.ts"
import { messageBytes, planShareSign, signShares } from "../tasks/keyshareSign.ts"
import { isRefusal } from "../tasks/plan.ts"
import { judge } from "../tasks/policyRequest.ts"
import { encodeTask, type KeyShareSignTask, taskDigest } from "../wire/task.ts"
import { command, value } from "./command.ts"
import { selfOf } from "./nodeKeys.ts"

const DAY_MS = 24 * 60 * 60 * 1000

export const sign = command({
  summary: "Sign a message with this node's own share, to show that it holds it",
  details: [
    "No network, and no other node: the signature verifies under this node's share public key, never under the group's key.",
    "What is signed is SHA-256 of the message's bytes. The node must not be running, because the signature is journalled;",
    "a running one is asked through WaaS.",
  ].join("\n"),
  options: {
    groupId: value("--group-id <id>", "the group"),
    message: value("--message <hex>", "1 to 4096 bytes as hex"),
  },
  examples: [["cosigner sign --group-id OoQGkknsPdPjLCmSuuSf --message 68656c6c6f", "as a check-up script does"]],
  run: async ({ config, options, out, passwords }) => {
    const { db, embedded_risk_control_rules: rules } = await config()
    const { groupId, message } = options
    if (message === undefined) throw new CosignerError("E-BAK-022", { message: "is missing" })
    if (messageBytes(message) === undefined)
      throw new CosignerError("E-BAK-022", { message: "is not what can be signed" })
    using password = await passwords.existing(db)
    using store = openStore(db.path, password, { readOnly: false })
    requireNewest(store)
    using seed = store.identity()
    const { party, nodeId } = selfOf(seed)
    const group = groupId === undefined ? undefined : store.groups.active(groupId)
    if (group === undefined) throw unknownGroup(groupId, store.groups.list())
    const signer = { self: party, groups: store.groups, rng: systemRng }
    const nowMs = Date.now()
    const task = taskOf(nodeId, group.groupId, message, nowMs)
    const wanted = planShareSign(task, signer)
    if (isRefusal(wanted)) throw new CosignerError("E-BAK-023", { group: group.groupId, why: wanted.reason })
    const document = encodeTask(task)
    const { task_id: taskId, deadline_ms: deadlineMs } = task
    store.tasks.claim({
      taskId,
      digest: taskDigest(document),
      type: task.type,
      document,
      deadlineMs,
      nowMs,
      events: [],
    })
    const { verdict } = store.tasks.approve(
      taskId,
      nowMs,
      (usage) => judge(rules, task, undefined, usage, nowMs),
      () => [],
    )
    // nobody waits for the outcome of a task that no WaaS asked for
    if (verdict?.action !== "approve") {
      store.tasks.delivered(taskId)
      throw new CosignerError("E-BAK-023", { group: group.groupId, why: `${verdict?.code} ${verdict?.reason}` })
    }
    const outcome = signShares(wanted, signer)
    store.tasks.finish(taskId, { state: "completed", outcome }, Date.now(), [])
    store.tasks.delivered(taskId)
    const signed = outcome.type === "shareSignatures" ? outcome.signatures[0] : undefined
    if (signed === undefined) throw new CosignerError("E-CLI-001", { what: "a check-up gave no signature" })
    const sharePublicKey = sharePublicKeyText(group.curve, memberOf(group, party)?.sharePublicKey ?? new Uint8Array(0))
    const { signature, msg_hash } = signed
    out.result(
      {
        group_id: group.groupId,
        node_id: nodeId,
        curve: group.curve,
        share_public_key: sharePublicKey,
        message,
        msg_hash,
        signature,
      },
      [
        `TSS Node ID: ${nodeId}`,
        `Group: ${group.groupId}`,
        `Curve: ${group.curve}`,
        `Share Public Key: ${sharePublicKey}`,
        `Message: ${message}`,
        `Message Hash: ${msg_hash}`,
        `Signature: ${signature}`,
      ],
    )
    return EXIT.ok
  },
})

function unknownGroup(
  groupId: string | undefined,
  groups: readonly { groupId: string; status: string }[],
): CosignerError {
  const found = groups.find((group) => group.groupId === groupId)
  if (found !== undefined) return new CosignerError("E-BAK-014", { group: found.groupId, status: found.status })
  const known = groups.filter(({ status }) => status === "ACTIVE").map((group) => group.groupId)
  return new CosignerError("E-CLI-011", { what: "such group (--group-id)", known })
}

const taskOf = (nodeId: string, groupId: string, message: string, nowMs: number): KeyShareSignTask => ({
  version: 1,
  type: "KeyShareSign",
  task_id: `local-${randomUUID()}`,
  biz_task_id: "local",
  created_ms: nowMs,
  deadline_ms: nowMs + DAY_MS,
  extra_info: {},
  node_id: nodeId,
  details: [{ group_id: groupId, message }],
})
