/**
 * A WaaS that lies. Real nodes (tasks and protocols, journals in memory) behind a relay that alters, swaps, replays,
 * withholds, reorders, and tells different nodes different things; it holds the key that signs tasks. Whatever it does,
 * a request ends with the right signature or without one, typed, and honest nodes blame nobody.
 */

import { expect, test } from "bun:test"
import { createPublicKey, generateKeyPairSync, randomBytes, verify } from "node:crypto"
import fc from "fast-check"
import { copy, fromHex, toHex, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { deriveTweak } from "../../src/keys/derive.ts"
import type { GroupPublic } from "../../src/keys/group.ts"
import { rootExtendedPublicKey } from "../../src/keys/group.ts"
import { parsePath } from "../../src/keys/path.ts"
import { identityOf } from "../../src/mpc/envelope.ts"
import { sessionHost } from "../../src/mpc/host.ts"
import { createTasks, type TaskRunner } from "../../src/tasks/runner.ts"
import type { FromNode } from "../../src/wire/frames.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { encodeStart, signDocument, signerOf } from "../../src/wire/signed.ts"
import { encodeTask, type KeyGenTask, type KeySignTask, type Task, taskDigest } from "../../src/wire/task.ts"
import { onThisThread } from "../support/encodedSpec.ts"
import { approved, type World, world } from "./fakes.ts"
import { full } from "./scenario.ts"

type Report = Extract<FromNode, { kind: "report" }>

interface Parcel {
  readonly from: number
  readonly to: number
  readonly taskId: string
  readonly envelope: Uint8Array<ArrayBuffer>
}

/** What the relay does with what it is given: any parcels, in any order, at any time after. */
type Relay = (parcel: Parcel, history: readonly Parcel[]) => readonly Parcel[]

interface Node {
  readonly world: World
  readonly tasks: TaskRunner
  readonly nodeId: string
}

const waas = signerOf(generateKeyPairSync("ed25519").privateKey)

class Scenario {
  readonly nodes: readonly Node[]
  relay: Relay = (parcel) => [parcel]
  readonly #queue: Parcel[] = []
  readonly #history: Parcel[] = []
  readonly #read: number[]
  lifo = false

  constructor(count: number) {
    const seeds = Array.from({ length: count }, (_, i) => sha256(utf8(`hostile ${i}`)))
    this.nodes = seeds.map((seed) => {
      const identity = identityOf(seed)
      let session = 0
      const start = sessionHost(identity, () => ({
        system: copy(randomBytes(64)),
        kernel: copy(randomBytes(32)),
        nodeSecret: sha256(seed),
        bootCounter: 1,
        sessionCounter: ++session,
      }))
      const w = world(identity.party, {}, onThisThread(start))
      return { world: w, tasks: createTasks(waas.publicKey, w.ports), nodeId: nodeIdOf(identity.party) }
    })
    this.#read = this.nodes.map(() => 0)
  }

  /** Each of `to` is told of the task that `taskFor` has for it. */
  async tell(to: readonly number[], taskFor: (node: number) => Task): Promise<void> {
    for (const at of to) {
      const document = encodeTask(taskFor(at))
      this.#node(at).tasks.onFrame({ kind: "task", task: signDocument(waas, "waas/task", document) })
    }
    await this.settle()
    for (const at of to) for (const { answer } of this.#node(at).world.asked.splice(0)) answer(approved)
    await this.settle()
  }

  async start(
    to: readonly number[],
    taskFor: (node: number) => Task,
    attemptFor: (node: number) => number,
  ): Promise<void> {
    for (const at of to) {
      const task = taskFor(at)
      const document = encodeStart({
        task_id: task.task_id,
        digest: taskDigest(encodeTask(task)),
        attempt: attemptFor(at),
      })
      this.#node(at).tasks.onFrame({ kind: "start", start: signDocument(waas, "waas/start", document) })
    }
    await this.settle()
  }

  /** Until nobody has anything more to say. Sessions run on this thread, in microtasks, so silence is an ending. */
  async settle(): Promise<void> {
    for (let silent = 0; silent < 4; ) {
      await new Promise((resolve) => setImmediate(resolve))
      this.#collect()
      const parcel = this.lifo ? this.#queue.pop() : this.#queue.shift()
      silent = parcel === undefined ? silent + 1 : 0
      if (parcel === undefined) continue
      this.#node(parcel.to).tasks.onFrame({ kind: "envelope", taskId: parcel.taskId, envelope: parcel.envelope })
    }
  }

  /** The latest report of a task by each node. */
  reports(taskId: string): readonly (Report | undefined)[] {
    return this.nodes.map(({ world: w }) =>
      w.sent.findLast((frame): frame is Report => frame.kind === "report" && frame.taskId === taskId),
    )
  }

  #collect(): void {
    for (const [from, { world: w }] of this.nodes.entries()) {
      for (const frame of w.sent.slice(this.#read[from])) {
        if (frame.kind !== "envelope") continue
        for (const [to, node] of this.nodes.entries()) {
          const isMeant = frame.receiver === undefined || node.world.ports.self === frame.receiver
          if (to === from || !isMeant) continue
          const parcel = { from, to, taskId: frame.taskId, envelope: copy(frame.envelope) }
          this.#queue.push(...this.relay(parcel, this.#history))
          this.#history.push(parcel)
        }
      }
      this.#read[from] = w.sent.length
    }
  }

  #node(at: number): Node {
    const node = this.nodes[at]
    if (node === undefined) throw new Error(`no node ${at}`)
    return node
  }
}

const ALL = [0, 1, 2]
const PAIR = [0, 1]

function keygenTask(scenario: Scenario, change: Partial<KeyGenTask> = {}): KeyGenTask {
  const nowMs = 1_795_000_000_000
  return {
    version: 1,
    task_id: "gen",
    biz_task_id: "biz",
    created_ms: nowMs,
    deadline_ms: nowMs + 3_600_000,
    extra_info: {},
    type: "KeyGen",
    group_id: "HostileHostileHostil",
    curve: "ed25519",
    threshold: 2,
    node_ids: scenario.nodes.map((node) => node.nodeId),
    ...change,
  }
}

async function withGroup(): Promise<{ scenario: Scenario; group: GroupPublic }> {
  const scenario = new Scenario(3)
  const task = keygenTask(scenario)
  await scenario.tell(ALL, () => task)
  await scenario.start(
    ALL,
    () => task,
    () => 1,
  )
  const group = scenario.nodes[0]?.world.groups[0]
  if (group === undefined || group.status !== "ACTIVE") throw new Error("the honest start must succeed")
  return { scenario, group }
}

let counter = 0
function signTask(scenario: Scenario, group: GroupPublic, change: Partial<KeySignTask> = {}): KeySignTask {
  const nowMs = 1_795_000_000_000
  return {
    version: 1,
    task_id: `sign-${++counter}`,
    biz_task_id: "biz",
    created_ms: nowMs,
    deadline_ms: nowMs + 3_600_000,
    extra_info: {},
    type: "KeySign",
    group_id: group.groupId,
    root_pub_key: rootExtendedPublicKey(group),
    used_node_ids: PAIR.map((at) => scenario.nodes[at]!.nodeId),
    signature_type: 2,
    messages: [{ bip32_path: "m/44/501/7", msg_hash: "0xc0ffee", tweak: "" }],
    ...change,
  }
}

function isRightSignature(report: Report | undefined, group: GroupPublic, task: KeySignTask): boolean {
  if (report?.outcome?.type !== "signatures") return false
  const [signature] = report.outcome.signatures
  const [message] = task.messages
  const child = deriveTweak("ed25519", group.commitments[0]!, group.chainCode, parsePath(message!.bip32_path))
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), child.publicKey])
  const key = createPublicKey({ key: der, format: "der", type: "spki" })
  return verify(null, fromHex(message!.msg_hash.slice(2))!, key, fromHex(signature!.signature)!)
}

/** Nobody named anybody: neither a ban nor a final failure with a culprit, at any node, ever. */
function nobodyBlamed(scenario: Scenario): void {
  for (const { world: w } of scenario.nodes) {
    expect(w.bans).toEqual([])
    const blames = w.sent.filter((frame) => frame.kind === "report" && frame.code === "E-TSK-015")
    expect(blames).toEqual([])
  }
}

/** Runs the task against the relay; then time passes. Every node ends typed: signed, or "attempt ended". */
async function runTo(
  scenario: Scenario,
  group: GroupPublic,
  relay: Relay,
  lifo = false,
): Promise<"signed" | "unsigned"> {
  const task = signTask(scenario, group)
  scenario.relay = relay
  scenario.lifo = lifo
  await scenario.tell(PAIR, () => task)
  await scenario.start(
    PAIR,
    () => task,
    () => 1,
  )
  for (const at of PAIR) scenario.nodes[at]!.world.advance(10_000)
  await scenario.settle()
  const reports = PAIR.map((at) => scenario.reports(task.task_id)[at])
  nobodyBlamed(scenario)
  const signed = reports.filter((report) => report?.status === 190)
  for (const report of signed) expect(isRightSignature(report, group, task)).toBe(true)
  for (const report of reports) {
    if (report?.status !== 190) expect(report).toMatchObject({ status: 140, code: "E-TSK-014", outcome: undefined })
  }
  return signed.length === PAIR.length ? "signed" : "unsigned"
}

test("reordered and replayed envelopes, also those of other sessions: the right signature", async () => {
  const { scenario, group } = await withGroup()
  expect(await runTo(scenario, group, (parcel) => [parcel], true)).toBe("signed")
  expect(await runTo(scenario, group, (parcel) => [parcel, parcel, parcel])).toBe("signed")
  const readdressed: Relay = (parcel, history) => [
    ...history.slice(-40).map((old) => ({ ...old, taskId: parcel.taskId, to: parcel.to })),
    parcel,
  ]
  expect(await runTo(scenario, group, readdressed)).toBe("signed")
})

test("withheld envelopes, all or the nth: no signature, a typed end, and the next attempt signs", async () => {
  const { scenario, group } = await withGroup()
  expect(await runTo(scenario, group, () => [])).toBe("unsigned")
  for (let n = 0; n < 4; n++) {
    let seen = 0
    await runTo(scenario, group, (parcel) => (seen++ === n ? [] : [parcel]))
  }
  expect(await runTo(scenario, group, (parcel) => [parcel])).toBe("signed")
})

test("any bit of any envelope flipped, or an envelope swapped for another: never a wrong signature, never blame", async () => {
  const { scenario, group } = await withGroup()
  await fc.assert(
    fc.asyncProperty(fc.nat(3), fc.nat(4000), fc.boolean(), async (which, bit, swap) => {
      let seen = 0
      const relay: Relay = (parcel, history) => {
        if (seen++ !== which) return [parcel]
        if (swap) return [{ ...parcel, envelope: history.at(-1 - (bit % history.length))!.envelope }]
        const envelope = copy(parcel.envelope)
        const at = bit % (8 * envelope.length)
        envelope[at >> 3] = (envelope[at >> 3] ?? 0) ^ (1 << (at & 7))
        return [{ ...parcel, envelope }]
      }
      await runTo(scenario, group, relay)
    }),
    { seed: 7, numRuns: 40 },
  )
})

const lies: readonly (readonly [string, (task: KeySignTask, scenario: Scenario) => KeySignTask])[] = [
  ["another message", (task) => ({ ...task, messages: [{ ...task.messages[0]!, msg_hash: "0xbad0" }] })],
  ["another path", (task) => ({ ...task, messages: [{ ...task.messages[0]!, bip32_path: "m/44/501/8" }] })],
  ["one message more", (task) => ({ ...task, messages: [task.messages[0]!, task.messages[0]!] })],
  [
    "another signer",
    (task, scenario) => ({ ...task, used_node_ids: [scenario.nodes[1]!.nodeId, scenario.nodes[2]!.nodeId] }),
  ],
]

for (const [what, lie] of lies) {
  test(`one node is told of ${what}: the two never meet, nobody is blamed`, async () => {
    const { scenario, group } = await withGroup()
    const task = signTask(scenario, group)
    const taskFor = (at: number) => (at === 1 ? lie(task, scenario) : task)
    await scenario.tell(PAIR, taskFor)
    await scenario.start(PAIR, taskFor, () => 1)
    for (const at of PAIR) scenario.nodes[at]!.world.advance(10_000)
    await scenario.settle()
    nobodyBlamed(scenario)
    for (const at of PAIR) expect(scenario.reports(task.task_id)[at]).toMatchObject({ status: 140, code: "E-TSK-014" })
  })
}

test("different attempt numbers never meet; the same number later does", async () => {
  const { scenario, group } = await withGroup()
  const task = signTask(scenario, group)
  await scenario.tell(PAIR, () => task)
  await scenario.start(
    PAIR,
    () => task,
    (at) => 1 + at,
  )
  for (const at of PAIR) scenario.nodes[at]!.world.advance(10_000)
  await scenario.settle()
  nobodyBlamed(scenario)
  await scenario.start(
    PAIR,
    () => task,
    () => 5,
  )
  for (const at of PAIR) expect(isRightSignature(scenario.reports(task.task_id)[at], group, task)).toBe(true)
})

test("a key generation told differently to one node makes no key anywhere", async () => {
  for (const lie of [
    { threshold: 3 },
    { group_id: "HostilfHostilfHostil" },
    { curve: "secp256k1" as const },
    { created_ms: 5 },
  ]) {
    const scenario = new Scenario(3)
    const taskFor = (at: number) => keygenTask(scenario, at === 2 ? lie : {})
    await scenario.tell(ALL, taskFor)
    await scenario.start(ALL, taskFor, () => 1)
    for (const { world: w } of scenario.nodes) w.advance(60_000)
    await scenario.settle()
    nobodyBlamed(scenario)
    for (const { world: w } of scenario.nodes) expect(w.groups.filter((group) => group.status === "ACTIVE")).toEqual([])
    for (const report of scenario.reports("gen")) expect(report).toMatchObject({ status: 140, code: "E-TSK-014" })
  }
})

test("acks withheld from one node: it holds the key prepared and does not sign; the certificate of another proves it", async () => {
  const scenario = new Scenario(3)
  const task = keygenTask(scenario)
  const isAck = (envelope: Uint8Array) => envelope[7] === 4
  scenario.relay = (parcel) => (parcel.to === 2 && isAck(parcel.envelope) ? [] : [parcel])
  await scenario.tell(ALL, () => task)
  await scenario.start(
    ALL,
    () => task,
    () => 1,
  )
  const [first, , third] = scenario.nodes
  expect(first!.world.groups[0]?.status).toBe("ACTIVE")
  expect(third!.world.groups[0]?.status).toBe("PREPARED")

  const acks = first!.world.groups[0]!.certificate!
  const spoilt = acks.map((ack, i) => (i === 0 ? copy(ack).fill(1, 150, 160) : ack))
  third!.tasks.onFrame({ kind: "certificate", taskId: task.task_id, acks: spoilt })
  third!.tasks.onFrame({ kind: "certificate", taskId: task.task_id, acks: acks.slice(1) })
  await scenario.settle()
  expect(third!.world.groups[0]?.status).toBe("PREPARED")

  // Its disk is full as the certificate comes: it is tried again, and said once.
  const { groups } = third!.world.ports
  const { activate } = groups
  Object.assign(groups, { activate: full })
  third!.tasks.onFrame({ kind: "certificate", taskId: task.task_id, acks })
  await scenario.settle()
  expect(third!.world.groups[0]?.status).toBe("PREPARED")
  Object.assign(groups, { activate })
  third!.world.advance(5_000)
  await scenario.settle()
  expect(third!.world.groups[0]?.status).toBe("ACTIVE")
  expect(scenario.reports(task.task_id)[2]).toMatchObject({ status: 190, outcome: { certificate: acks.map(toHex) } })
  nobodyBlamed(scenario)
})

test("the certificate of an abandoned key generation does not depose the key that the next one made", async () => {
  const scenario = new Scenario(3)
  const task = keygenTask(scenario)
  const acks: Uint8Array<ArrayBuffer>[] = []
  // WaaS keeps every ack of the first attempt for itself: all nodes have promised that key, and none holds the proof.
  scenario.relay = (parcel) => {
    if (parcel.envelope[7] !== 4) return [parcel]
    if (!acks.some((ack) => toHex(ack) === toHex(parcel.envelope))) acks.push(copy(parcel.envelope))
    return []
  }
  await scenario.tell(ALL, () => task)
  const start = (attempt: number) =>
    scenario.start(
      ALL,
      () => task,
      () => attempt,
    )
  await start(1)
  scenario.relay = (parcel) => [parcel]
  await start(2)
  const statuses = () => scenario.nodes.map(({ world: w }) => w.groups.map(({ status }) => status).join(" "))
  expect(statuses()).toEqual(ALL.map(() => "PREPARED ACTIVE"))
  for (const at of ALL) scenario.nodes[at]!.tasks.onFrame({ kind: "certificate", taskId: task.task_id, acks })
  await scenario.settle()
  expect(acks.length).toBe(3)
  expect(statuses()).toEqual(ALL.map(() => "PREPARED ACTIVE"))
  nobodyBlamed(scenario)
})
