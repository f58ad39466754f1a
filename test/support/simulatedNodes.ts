/**
 * Simulated nodes over an in-memory relay: they claim, approve and "run" tasks as real ones report them, with the group's
 * whole key in one place instead of a protocol. What a test wants wrong, it says per node.
 */
import { createHash, randomBytes } from "node:crypto"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { beToBig, bigToBe, copy, fromHex, leToBig, toHex } from "../../src/bytes.ts"
import { curveNamed } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { deriveTweak } from "../../src/keys/derive.ts"
import { decodeExtendedPublicKey, encodeExtendedPublicKey, rootPublicKey } from "../../src/keys/extendedKey.ts"
import { partyOf } from "../../src/keys/party.ts"
import { parsePath } from "../../src/keys/path.ts"
import { Secret } from "../../src/secret.ts"
import { ed25519Signer } from "../../src/waas/apiKey.ts"
import { taprootOutputKey } from "../../src/waas/engine/outcome.ts"
import type { RelayPort } from "../../src/waas/engine/ports.ts"
import type { FromNode, ReportStatus, SignedDocument, TaskOutcome, ToNode } from "../../src/wire/frames.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { decodeCancel, decodeStart, verifyDocument } from "../../src/wire/signed.ts"
import {
  decodeTask,
  type KeyGenTask,
  type KeyShareSignTask,
  type KeySignTask,
  type Task,
  taskDigest,
} from "../../src/wire/task.ts"

export type Report = Extract<FromNode, { kind: "report" }>
export type Signed = Extract<TaskOutcome, { type: "signatures" }>["signatures"][number]

/** What a node does at each step; the default is a node that does its work. */
export interface Behaviour {
  /** To a task: approve, reject, say nothing, put it off (in the words of before, if full; claimed, if undecided), or be unable to carry it out. */
  decide?: (task: Task) => "approve" | "reject" | "silent" | "later" | "full" | "undecided" | "unable"
  /** To a start: do the work, end the attempt without a result, give up, or say nothing. */
  attempt?: (task: Task, attempt: number) => "work" | "abort" | "fail" | "silent"
  /** To its outcome before it is reported. */
  distort?: (outcome: TaskOutcome) => TaskOutcome
}

export function newNodeId(): string {
  const party = partyOf(ed25519Signer(Secret.take(copy(randomBytes(32)))).publicKey)
  if (party === undefined) throw new Error("a key has 32 bytes")
  return nodeIdOf(party)
}

/** All keys that the simulated groups ever made, by root public key. */
export class Vaults {
  readonly #made = new Map<string, TaskOutcome>()
  readonly #scalars = new Map<string, bigint>()

  group(task: KeyGenTask): TaskOutcome {
    const known = this.#made.get(task.group_id)
    if (known !== undefined) return known
    const curve = curveNamed(task.curve)
    const scalar = curve.mod(beToBig(copy(randomBytes(48))))
    const publicKey = curve.encodePoint(curve.multiplyBase(scalar))
    const root = encodeExtendedPublicKey(rootPublicKey(task.curve, publicKey, copy(randomBytes(32))))
    this.#scalars.set(root, scalar)
    const outcome: TaskOutcome = {
      type: "group",
      group_id: task.group_id,
      epoch_id: toHex(randomBytes(32)),
      curve: task.curve,
      root_extended_public_key: root,
      threshold: task.threshold,
      participants: task.node_ids.map((node_id, i) => ({
        node_id,
        share_id: String(i + 1),
        share_public_key: toHex(curve.encodePoint(curve.multiplyBase(BigInt(i + 2)))),
      })),
      certificate: task.node_ids.map(() => toHex(randomBytes(64))),
    }
    this.#made.set(task.group_id, outcome)
    return outcome
  }

  /** Node i of a group has the share i + 2. */
  shareSignatures(task: KeyShareSignTask): TaskOutcome {
    const signatures = task.details.map(({ group_id, message }) => {
      const group = this.#made.get(group_id)
      if (group?.type !== "group") throw new Error("no such group")
      const index = group.participants.findIndex((of) => of.node_id === task.node_id)
      const digest = sha256(fromHex(message.slice(2)) ?? new Uint8Array())
      const share = BigInt(index + 2)
      const signature =
        group.curve === "ed25519"
          ? ed25519WithScalar(share, digest)
          : secp256k1.sign(digest, bigToBe(share, 32), { prehash: false, lowS: true })
      return { group_id, signed_msg: message, msg_hash: `0x${toHex(digest)}`, signature: `0x${toHex(signature)}` }
    })
    return { type: "shareSignatures", signatures }
  }

  signatures(task: KeySignTask): TaskOutcome {
    const root = decodeExtendedPublicKey(task.root_pub_key)
    const scalar = this.#scalars.get(task.root_pub_key)
    if (scalar === undefined) throw new Error("no such key")
    const signatures = task.messages.map((asked): Signed => {
      const child = deriveTweak(root.curve, root.publicKey, root.chainCode, parsePath(asked.bip32_path))
      const key = curveNamed(root.curve).mod(scalar + child.tweak)
      const message = fromHex(asked.msg_hash.slice(2)) ?? new Uint8Array()
      const made = signWith(task.signature_type, key, child.publicKey, message, asked.tweak)
      return { ...asked, ...made }
    })
    return { type: "signatures", signatures }
  }
}

type Made = Pick<Signed, "public_key" | "signature" | "signature_recovery">

function signWith(type: 1 | 2 | 3, key: bigint, publicKey: Uint8Array, message: Uint8Array, tweak: string): Made {
  if (type === 2) {
    return { public_key: toHex(publicKey), signature: toHex(ed25519WithScalar(key, message)), signature_recovery: "" }
  }
  if (type === 1) {
    const raw = secp256k1.sign(message, bigToBe(key, 32), { prehash: false, lowS: true, format: "recovered" })
    return {
      public_key: toHex(publicKey),
      signature: toHex(raw.subarray(1)),
      signature_recovery: `0${raw[0]}`,
    }
  }
  if (tweak === "") {
    return {
      public_key: toHex(publicKey.subarray(1)),
      signature: toHex(schnorr.sign(message, bigToBe(key, 32))),
      signature_recovery: "",
    }
  }
  const merkle = fromHex(tweak.slice(2)) ?? new Uint8Array()
  const order = curveNamed("secp256k1").order
  const even = publicKey[0] === 2 ? key : order - key
  const t = beToBig(schnorr.utils.taggedHash("TapTweak", publicKey.subarray(1), merkle))
  return {
    public_key: toHex(taprootOutputKey(publicKey.subarray(1), merkle)),
    signature: toHex(schnorr.sign(message, bigToBe((even + t) % order, 32))),
    signature_recovery: "",
  }
}

/** RFC 8032 with a scalar in place of a seed. */
export function ed25519WithScalar(scalar: bigint, message: Uint8Array): Uint8Array {
  const ed = curveNamed("ed25519")
  const r = ed.mod(leToBig(copy(randomBytes(64))))
  const R = ed.encodePoint(ed.multiplyBase(r))
  const A = ed.encodePoint(ed.multiplyBase(scalar))
  const h = ed.mod(leToBig(copy(createHash("sha512").update(R).update(A).update(message).digest())))
  return Buffer.concat([R, ed.encodeScalar(r + h * scalar)])
}

interface Journal {
  readonly task: Task
  readonly digest: string
  latest: Report
}

export class SimulatedNode {
  readonly #undecided = new Set<string>()
  readonly journal = new Map<string, Journal>()
  readonly received: ToNode[] = []
  readonly cancelled: string[] = []
  readonly stored: string[] = []
  behaviour: Behaviour = {}
  online = true
  /** Stopped, with its connection open; what it is sent it reads when it goes on. */
  isHung = false
  readonly unread: ToNode[] = []

  constructor(
    readonly id: string,
    private readonly waasKey: Uint8Array,
    private readonly vaults: Vaults,
    private readonly say: (frame: FromNode) => void,
  ) {}

  receive(frame: ToNode): void {
    this.received.push(frame)
    if (frame.kind === "task") return this.#task(frame.task)
    if (frame.kind === "start") return this.#start(frame.start)
    if (frame.kind === "cancel") return this.#cancel(frame.cancel)
    if (frame.kind === "outcomeStored") this.stored.push(frame.taskId)
    if (frame.kind === "certificate") this.#certificate(frame.taskId)
  }

  /** As after a crash: no session lives, and what was running has ended without a result. */
  restart(): void {
    for (const entry of this.journal.values()) {
      const { latest } = entry
      if (latest.status === 140 && latest.code === "")
        entry.latest = { ...latest, code: "E-TSK-999", reason: "restarted" }
    }
  }

  report(taskId: string, partial: Partial<Report>): void {
    const entry = this.journal.get(taskId)
    if (entry === undefined) throw new Error("no such task")
    entry.latest = { ...entry.latest, ...partial }
    this.say(entry.latest)
  }

  /** The last report on the only task, or on the one given. */
  outcomeOf(task: Task): TaskOutcome | undefined {
    if (task.type === "KeyGen") return this.vaults.group(task)
    if (task.type === "KeyShareSign") return this.vaults.shareSignatures(task)
    return task.type === "KeySign" ? this.vaults.signatures(task) : undefined
  }

  #task(signed: SignedDocument): void {
    if (!verifyDocument(this.waasKey, "waas/task", signed)) throw new Error("the task's signature does not verify")
    const task = decodeTask(signed.document)
    if ("problem" in task) throw new Error(task.problem)
    const known = this.journal.get(task.task_id)
    if (known !== undefined) this.say(known.latest)
    if (known !== undefined && !this.#undecided.has(task.task_id)) return
    const decision = this.behaviour.decide?.(task) ?? "approve"
    if (decision === "silent") return
    const digest = taskDigest(signed.document)
    if (decision === "later") {
      return this.say({ kind: "later", taskId: task.task_id, digest, type: task.type, code: "E-TSK-048", reason: "" })
    }
    if (decision === "full") return this.say({ ...blank(task, digest), status: 160, code: "E-TSK-017", reason: "full" })
    this.journal.set(task.task_id, { task, digest, latest: blank(task, digest) })
    this.report(task.task_id, { status: 130 })
    if (decision === "undecided") {
      this.#undecided.add(task.task_id)
      return this.say({ kind: "later", taskId: task.task_id, digest, type: task.type, code: "E-TSK-045", reason: "" })
    }
    this.#undecided.delete(task.task_id)
    if (decision === "approve") this.report(task.task_id, { approved: true })
    else if (decision === "unable") this.report(task.task_id, { status: 160, code: "E-TSK-040", reason: "no refresh" })
    else this.report(task.task_id, { status: 160, code: "E-RSK-001", reason: "not today" })
  }

  #start(signed: SignedDocument): void {
    if (!verifyDocument(this.waasKey, "waas/start", signed)) throw new Error("the start's signature does not verify")
    const start = decodeStart(signed.document)
    if ("problem" in start) throw new Error(start.problem)
    const entry = this.journal.get(start.task_id)
    if (entry === undefined || entry.digest !== start.digest) return
    if (start.attempt <= entry.latest.attempt || entry.latest.status >= 160) return this.say(entry.latest)
    const { attempt } = start
    this.report(start.task_id, { status: 140, attempt, code: "", reason: "" })
    const what = this.behaviour.attempt?.(entry.task, attempt) ?? "work"
    if (what === "work") this.finish(start.task_id)
    if (what === "abort") this.report(start.task_id, { status: 140, code: "E-TSK-998", reason: "a peer was silent" })
    if (what === "fail") this.report(start.task_id, { status: 170, code: "E-TSK-997", reason: "a peer cheated" })
  }

  finish(taskId: string): void {
    const entry = this.journal.get(taskId)
    const outcome = entry === undefined ? undefined : this.outcomeOf(entry.task)
    if (outcome === undefined) throw new Error("nothing to finish")
    this.report(taskId, { status: 190, code: "", reason: "", outcome: this.behaviour.distort?.(outcome) ?? outcome })
  }

  #certificate(taskId: string): void {
    if (this.journal.has(taskId)) this.finish(taskId)
  }

  #cancel(signed: SignedDocument): void {
    if (!verifyDocument(this.waasKey, "waas/cancel", signed)) throw new Error("the cancel's signature does not verify")
    const cancel = decodeCancel(signed.document)
    if ("problem" in cancel) throw new Error(cancel.problem)
    this.cancelled.push(cancel.task_id)
    const entry = this.journal.get(cancel.task_id)
    if (entry === undefined || entry.latest.status >= 160) return
    this.report(cancel.task_id, { status: 180, code: "E-TSK-996", reason: cancel.reason })
  }
}

const blank = (task: Task, digest: string): Report => ({
  kind: "report",
  taskId: task.task_id,
  digest,
  type: task.type,
  status: 130 satisfies ReportStatus,
  attempt: 0,
  approved: false,
  code: "",
  reason: "",
  outcome: undefined,
})

/** Delivers later, in order, and only to those who are online; the rest is lost. */
export class MemoryRelay implements RelayPort {
  readonly nodes = new Map<string, SimulatedNode>()
  /** Frames on the way, in both directions. */
  readonly #queue: (() => unknown)[] = []
  /** Envelopes that were delivered. */
  readonly envelopes: { readonly to: string; readonly frame: ToNode }[] = []
  toEngine: (nodeId: string, frame: FromNode) => Promise<void> = async () => {}

  add(waasKey: Uint8Array, vaults: Vaults, id = newNodeId()): SimulatedNode {
    const node = new SimulatedNode(id, waasKey, vaults, (frame) => this.#queue.push(() => this.toEngine(id, frame)))
    this.nodes.set(id, node)
    return node
  }

  send(nodeId: string, frame: ToNode): void {
    this.#queue.push(() => {
      const node = this.nodes.get(nodeId)
      if (node?.online !== true) return
      if (node.isHung) return void node.unread.push(frame)
      if (frame.kind === "envelope") this.envelopes.push({ to: nodeId, frame })
      node.receive(frame)
    })
  }

  online(nodeId: string): boolean {
    return this.nodes.get(nodeId)?.online === true
  }

  /** Drops what is on the way, as a crash does. */
  lose(): void {
    this.#queue.length = 0
  }

  silentMs(nodeId: string): number | undefined {
    const node = this.nodes.get(nodeId)
    return node?.online === true ? (node.isHung ? 3_600_000 : 0) : undefined
  }

  /** Delivers until nothing moves, or `steps` frames. Throws if that takes too many: a ping-pong. */
  async settle(steps = 5_000): Promise<void> {
    for (let left = steps; left > 0; left--) {
      const next = this.#queue.shift()
      if (next === undefined) return
      await next()
    }
    if (steps === 5_000) throw new Error("frames without end")
  }
}
