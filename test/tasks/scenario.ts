/** One node, a group of three, and a WaaS that asks it to sign: what the tests of tasks begin with. */
import { expect } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { toHex, utf8 } from "../../src/bytes.ts"
import { ED } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { CosignerError } from "../../src/errors.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import type { Ending } from "../../src/mpc/session.ts"
import { createTasks, type TaskRunner } from "../../src/tasks/runner.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { encodeCancel, encodeStart, signDocument, signerOf } from "../../src/wire/signed.ts"
import { encodeTask, type KeySignTask, type Task } from "../../src/wire/task.ts"
import { approved, type FakeSession, party, type World, world } from "./fakes.ts"

export const parties = [party(1), party(2), party(3)].sort()
export const [self, peer, third] = [parties[0]!, parties[1]!, parties[2]!]
export const waas = signerOf(generateKeyPairSync("ed25519").privateKey)
export const stranger = signerOf(generateKeyPairSync("ed25519").privateKey)

export const group: GroupPublic = {
  groupId: "AbcdefghijklmnopqrsT",
  epochId: sha256(utf8("epoch")),
  curve: "ed25519",
  mode: "keygen",
  status: "ACTIVE",
  threshold: 2,
  members: parties.map((id, index) => ({
    party: id,
    shareId: shareIdOf(id),
    sharePublicKey: ED.encodePoint(ED.multiplyBase(BigInt(index + 5))),
  })),
  commitments: [ED.encodePoint(ED.multiplyBase(3n)), ED.encodePoint(ED.multiplyBase(4n))],
  chainCode: new Uint8Array(32).fill(9),
  createdMs: 1,
  sid: sha256(utf8("sid")),
  ackView: sha256(utf8("view")),
  certificate: [],
}

export function keysign(w: World, change: Partial<KeySignTask> = {}): KeySignTask {
  return {
    version: 1,
    task_id: "task-1",
    biz_task_id: "biz-1",
    created_ms: w.ports.now(),
    deadline_ms: w.ports.now() + 60_000,
    extra_info: {},
    type: "KeySign",
    group_id: group.groupId,
    root_pub_key: rootExtendedPublicKey(group),
    used_node_ids: [nodeIdOf(self), nodeIdOf(peer)],
    signature_type: 2,
    messages: [{ bip32_path: "m/44/501/0", msg_hash: "0xdeadbeef", tweak: "" }],
    ...change,
  }
}

export const digestOf = (task: Task): string => toHex(sha256(encodeTask(task)))
export const ask = (tasks: TaskRunner, task: Task, by = waas): void =>
  tasks.onFrame({ kind: "task", task: signDocument(by, "waas/task", encodeTask(task)) })
export const start = (tasks: TaskRunner, task: Task, attempt: number, by = waas): void => {
  const document = encodeStart({ task_id: task.task_id, digest: digestOf(task), attempt })
  tasks.onFrame({ kind: "start", start: signDocument(by, "waas/start", document) })
}
export const cancel = (tasks: TaskRunner, task: Task): void => {
  const document = encodeCancel({ task_id: task.task_id, digest: digestOf(task), reason: "changed my mind" })
  tasks.onFrame({ kind: "cancel", cancel: signDocument(waas, "waas/cancel", document) })
}
export const signed: Ending = {
  kind: "done",
  result: {
    kind: "signatures",
    signatures: [{ publicKey: new Uint8Array(32), signature: new Uint8Array(64), recoveryId: undefined }],
  },
}

export function setUp(): { w: World; tasks: TaskRunner } {
  const w = world(self, { groups: [group] })
  return { w, tasks: createTasks(waas.publicKey, w.ports) }
}

/** Up to and including "approved". */
export async function approve(w: World, tasks: TaskRunner, task: Task): Promise<void> {
  ask(tasks, task)
  expect(await w.nextReport()).toMatchObject({ status: 130, approved: false })
  w.asked.at(-1)?.answer(approved)
  expect(await w.nextReport()).toMatchObject({ status: 130, approved: true, attempt: 0 })
}

export async function running(w: World, tasks: TaskRunner, task: Task, attempt = 1): Promise<FakeSession> {
  start(tasks, task, attempt)
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt, code: "" })
  const session = w.sessions.at(-1)
  if (session === undefined) throw new Error("no session began")
  return session
}

/** An approved task does not begin while `hold` holds it: it says `code`, stays open, and begins once `release` was called. */
export async function beginsOnceReleased(
  hold: (w: World) => void,
  release: (w: World) => void,
  code: string,
): Promise<void> {
  const { w, tasks } = setUp()
  const task = keysign(w)
  await approve(w, tasks, task)
  hold(w)
  start(tasks, task, 1)
  expect(await w.nextReport()).toMatchObject({ attempt: 1, code })
  await turn()
  expect(w.sessions).toHaveLength(0)
  expect(w.records.get(task.task_id)?.state).toBe("approved")
  release(w)
  await running(w, tasks, task, 2)
  expect(w.sessions).toHaveLength(1)
}

/** Everything that can go on has gone on. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What a store says whose disk is full. */
export const full = (): never => {
  throw new CosignerError("E-STO-013", { path: "secrets.db", action: "write to" })
}
