/** A secp256k1 group at one node, and transactions of its child keys as another library writes them: for tasks with payloads. */
import { keccak256, serializeTransaction } from "viem"
import { fromHex, toHex, utf8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { type GroupPublic, rootExtendedPublicKey } from "../../src/keys/group.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { DEFAULT_INTENT_SETTINGS } from "../../src/tasks/intents.ts"
import { createTasks, type TaskRunner } from "../../src/tasks/runner.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { encodeStart, type StartTerms, signDocument } from "../../src/wire/signed.ts"
import type { KeySignTask, TaskPayload } from "../../src/wire/task.ts"
import { type World, world } from "./fakes.ts"
import { digestOf, parties, peer, self, waas } from "./scenario.ts"

export const PATH = "m/44/60/0/0/0"
export const EXCHANGE = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"

export const k1Group: GroupPublic = {
  groupId: "ZbcdefghijklmnopqrsK",
  epochId: sha256(utf8("k1 epoch")),
  curve: "secp256k1",
  mode: "keygen",
  status: "ACTIVE",
  threshold: 2,
  members: parties.map((id, index) => ({
    party: id,
    shareId: shareIdOf(id),
    sharePublicKey: K1.encodePoint(K1.multiplyBase(BigInt(index + 5))),
  })),
  commitments: [K1.encodePoint(K1.multiplyBase(3n)), K1.encodePoint(K1.multiplyBase(4n))],
  chainCode: new Uint8Array(32).fill(8),
  createdMs: 1,
  sid: sha256(utf8("k1 sid")),
  ackView: sha256(utf8("k1 view")),
  certificate: [],
}

export interface Transfer {
  readonly payload: TaskPayload
  readonly hash: string
  /** The unsigned transaction, `0x` hex. */
  readonly raw: string
}

/** An EIP-1559 transfer. */
export function transfer(
  more: { readonly chainId?: number; readonly to?: string; readonly value?: bigint; readonly nonce?: number } = {},
): Transfer {
  const raw = serializeTransaction({
    type: "eip1559",
    chainId: more.chainId ?? 1,
    nonce: more.nonce ?? 7,
    to: `0x${(more.to ?? EXCHANGE).slice(2).toLowerCase()}`,
    value: more.value ?? 10n ** 16n,
    gas: 21_000n,
    maxFeePerGas: 30_000_000_000n,
    maxPriorityFeePerGas: 1_000_000_000n,
  })
  return { raw, hash: keccak256(raw), payload: { format: "evm/transaction", data: base64(raw) } }
}

export const base64 = (hex: string): string => Buffer.from(hex.slice(2), "hex").toString("base64")

/** A task of version 2 for one transfer; what a test wants otherwise, it says. */
export function withPayloads(w: World, change: Partial<KeySignTask> = {}): KeySignTask {
  const { payload, hash } = transfer()
  return {
    version: 2,
    task_id: "task-2",
    biz_task_id: "biz-2",
    created_ms: w.ports.now(),
    deadline_ms: w.ports.now() + 60_000,
    extra_info: {},
    type: "KeySign",
    group_id: k1Group.groupId,
    root_pub_key: rootExtendedPublicKey(k1Group),
    used_node_ids: [nodeIdOf(self), nodeIdOf(peer)],
    signature_type: 1,
    messages: [{ bip32_path: PATH, msg_hash: hash, tweak: "", payload: 0 }],
    payloads: [payload],
    ...change,
  }
}

/** The same without payloads: version 1. */
export function withoutPayload(task: KeySignTask): KeySignTask {
  const { payloads: _, ...rest } = task
  const messages = task.messages.map(({ bip32_path, msg_hash, tweak }) => ({ bip32_path, msg_hash, tweak }))
  return { ...rest, version: 1, messages }
}

export const TERMS: StartTerms = { suite: 2, nonce: "00112233445566778899aabbccddeeff", reader: 1 }

export function startWith(tasks: TaskRunner, task: KeySignTask, attempt: number, terms: StartTerms | undefined): void {
  const document = encodeStart({ task_id: task.task_id, digest: digestOf(task), attempt, ...(terms && { terms }) })
  tasks.onFrame({ kind: "start", start: signDocument(waas, "waas/start", document) })
}

/** A node that reads payloads as one does by default. */
export function readingNode(groups: readonly GroupPublic[] = [k1Group]): {
  readonly w: World
  readonly tasks: TaskRunner
} {
  const w = world(self, { groups: [...groups] })
  const ports = { ...w.ports, intents: DEFAULT_INTENT_SETTINGS }
  return { w, tasks: createTasks(waas.publicKey, ports) }
}

export const hexOf = (bytes: Uint8Array): string => `0x${toHex(bytes)}`
export const bytesOf = (hex: string): Uint8Array => fromHex(hex.slice(2)) ?? new Uint8Array(0)
