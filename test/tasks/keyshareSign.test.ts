/** KeyShareSign and what a restore leaves waiting, through the ordinary execution of a task. */
import { expect, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { fromHex, toHex, utf8 } from "../../src/bytes.ts"
import { curveNamed } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { verifyCheckup } from "../../src/keys/checkupSign.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { Secret } from "../../src/secret.ts"
import { messageBytes } from "../../src/tasks/keyshareSign.ts"
import { createTasks, type TaskRunner } from "../../src/tasks/runner.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { encodeStart, signDocument, signerOf } from "../../src/wire/signed.ts"
import { encodeTask, type KeyShareSignTask, type KeySignTask, type Task } from "../../src/wire/task.ts"
import { approved, party, rejected, type World, world } from "./fakes.ts"

const parties = [party(1), party(2), party(3)].sort()
const [self = party(1), peer = party(2)] = parties
const waas = signerOf(generateKeyPairSync("ed25519").privateKey)

/** Node n has the share n + 5. */
function groupOf(groupId: string, name: "secp256k1" | "ed25519"): GroupPublic {
  const curve = curveNamed(name)
  return {
    groupId,
    epochId: sha256(utf8(groupId)),
    curve: name,
    mode: "keygen",
    status: "ACTIVE",
    threshold: 2,
    members: parties.map((id, index) => ({
      party: id,
      shareId: BigInt(index + 1),
      sharePublicKey: curve.encodePoint(curve.multiplyBase(BigInt(index + 5))),
    })),
    commitments: [curve.encodePoint(curve.multiplyBase(4n)), curve.encodePoint(curve.multiplyBase(1n))],
    chainCode: new Uint8Array(32).fill(9),
    createdMs: 1,
    sid: sha256(utf8("sid")),
    ackView: sha256(utf8("view")),
    certificate: [],
  }
}

const K = groupOf("AbcdefghijklmnopqrsK", "secp256k1")
const E = groupOf("AbcdefghijklmnopqrsE", "ed25519")

function setUp(): { readonly w: World; readonly tasks: TaskRunner } {
  const w = world(self, { groups: [K, E] })
  const opened = (groupId: string, epochId: Uint8Array) => {
    const group = [K, E].find((one) => one.groupId === groupId && toHex(one.epochId) === toHex(epochId))
    if (group === undefined) throw new Error("no such epoch")
    return { share: Secret.take(curveNamed(group.curve).encodeScalar(5n)), pairs: [] }
  }
  const ports = { ...w.ports, groups: { ...w.ports.groups, open: opened } }
  return { w, tasks: createTasks(waas.publicKey, ports) }
}

const common = (w: World) => ({
  version: 1 as const,
  task_id: "task-1",
  biz_task_id: "biz-1",
  created_ms: w.ports.now(),
  deadline_ms: w.ports.now() + 60_000,
  extra_info: {},
})
const checkup = (w: World, change: Partial<KeyShareSignTask> = {}): KeyShareSignTask => ({
  ...common(w),
  type: "KeyShareSign",
  node_id: nodeIdOf(self),
  details: [K, E].map(({ groupId }) => ({ group_id: groupId, message: "0xABcd" })),
  ...change,
})

const ask = (tasks: TaskRunner, task: Task): void =>
  tasks.onFrame({ kind: "task", task: signDocument(waas, "waas/task", encodeTask(task)) })
function start(tasks: TaskRunner, task: Task): void {
  const document = encodeStart({ task_id: task.task_id, digest: toHex(sha256(encodeTask(task))), attempt: 1 })
  tasks.onFrame({ kind: "start", start: signDocument(waas, "waas/start", document) })
}

async function ended(w: World): Promise<Awaited<ReturnType<World["nextReport"]>>> {
  for (;;) {
    const report = await w.nextReport()
    if (report.status >= 160) return report
  }
}

test("an approved check-up signs with the share of each group, journalled before it is reported, without a session", async () => {
  const { w, tasks } = setUp()
  const task = checkup(w)
  ask(tasks, task)
  await w.nextReport()
  w.asked[0]?.answer(approved)
  expect(await w.nextReport()).toMatchObject({ status: 130, approved: true })
  start(tasks, task)
  const { outcome } = await ended(w)
  if (outcome?.type !== "shareSignatures") throw new Error("no signatures")
  expect(w.sessions).toHaveLength(0)
  expect(w.trace.indexOf("journal completed")).toBeLessThan(w.trace.indexOf("report 190"))
  for (const [i, group] of [K, E].entries()) {
    const given = outcome.signatures[i]
    expect(given).toMatchObject({ group_id: group.groupId, signed_msg: "0xABcd" })
    const signature = fromHex(given?.signature.slice(2) ?? "") ?? new Uint8Array()
    const own = group.members[0]?.sharePublicKey ?? new Uint8Array()
    expect(verifyCheckup(group.curve, own, Uint8Array.of(0xab, 0xcd), signature)).toBe(true)
    expect(
      verifyCheckup(group.curve, group.members[1]?.sharePublicKey ?? own, Uint8Array.of(0xab, 0xcd), signature),
    ).toBe(false)
  }
})

test("a rejected one signs nothing", async () => {
  const { w, tasks } = setUp()
  ask(tasks, checkup(w))
  await w.nextReport()
  w.asked[0]?.answer(rejected)
  expect(await ended(w)).toMatchObject({ status: 160, outcome: undefined })
})

for (const [what, change, code] of [
  ["another node", { node_id: nodeIdOf(peer) }, "E-TSK-008"],
  ["a group that is not here", { details: [{ group_id: "x".repeat(20), message: "00" }] }, "E-TSK-006"],
  ["a message that is no hex", { details: [{ group_id: K.groupId, message: "hello" }] }, "E-TSK-011"],
  ["an empty message", { details: [{ group_id: K.groupId, message: "0x" }] }, "E-TSK-011"],
] as const) {
  test(`a check-up of ${what} fails before anybody is asked`, async () => {
    const { w, tasks } = setUp()
    ask(tasks, checkup(w, change))
    expect(await ended(w)).toMatchObject({ status: 170, code })
    expect(w.asked).toHaveLength(0)
  })
}

test("a message is 1 to 4096 bytes of hex, with or without 0x", () => {
  expect(messageBytes("0xABcd")).toEqual(Uint8Array.of(0xab, 0xcd))
  expect(messageBytes("abCD")).toEqual(Uint8Array.of(0xab, 0xcd))
  expect(messageBytes("00".repeat(4096))).toHaveLength(4096)
  for (const bad of ["", "0x", "0", "zz", " 00", "00".repeat(4097)]) expect(messageBytes(bad)).toBeUndefined()
})

test("after a restore ECDSA waits for a refresh, Schnorr on the same key does not", async () => {
  const sign = (w: World, signatureType: 1 | 3): KeySignTask => ({
    ...common(w),
    type: "KeySign",
    group_id: K.groupId,
    root_pub_key: rootExtendedPublicKey(K),
    used_node_ids: [nodeIdOf(self), nodeIdOf(peer)],
    signature_type: signatureType,
    messages: [{ bip32_path: signatureType === 1 ? "m/44/60" : "m/86/0", msg_hash: `0x${"11".repeat(32)}`, tweak: "" }],
  })
  for (const [type, waits] of [
    [1, true],
    [3, false],
  ] as const) {
    const { w, tasks } = setUp()
    w.awaiting.add(K.groupId)
    ask(tasks, sign(w, type))
    const first = await w.nextReport()
    if (waits) expect(await ended(w)).toMatchObject({ status: 170, code: "E-TSK-040" })
    else expect(first).toMatchObject({ status: 130 })
    expect(w.asked).toHaveLength(waits ? 0 : 1)
  }
})

test("rules that were tightened after the approval hold at the start: nothing is signed until they allow it again", async () => {
  const { w, tasks } = setUp()
  const task = checkup(w)
  ask(tasks, task)
  await w.nextReport()
  w.asked[0]?.answer(approved)
  await w.nextReport()
  const { evaluate } = w
  w.evaluate = () => ({ verdict: rejected, debits: [] })
  start(tasks, task)
  expect(await w.nextReport()).toMatchObject({ status: 140, attempt: 1, code: "E-TSK-030", outcome: undefined })
  w.evaluate = evaluate
  start(tasks, task)
  expect((await ended(w)).status).toBe(190)
})
