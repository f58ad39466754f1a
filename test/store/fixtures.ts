/** What every test of the store needs: a folder of its own, a cheap password hash, and plausible things to store. */

import { cpSync, rmSync } from "node:fs"
import { join } from "node:path"
import { type Bytes, copy, toHex } from "../../src/bytes.ts"
import { CosignerError } from "../../src/errors.ts"
import type { GroupPublic, GroupSecret } from "../../src/keys/group.ts"
import { type PartyId, partyOf } from "../../src/keys/party.ts"
import { Secret } from "../../src/secret.ts"
import { createStore, openStore, type Store } from "../../src/store/store.ts"
import type { SessionRow } from "../../src/tasks/ports.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

export const KDF = { memoryKiB: 64, passes: 1, parallelism: 1 }
export const password = (): Secret => Secret.from(Buffer.from("correct horse battery"))

export class Folder implements Disposable {
  readonly path = temporaryFolder("store").path
  readonly db = join(this.path, "secrets.db")

  create(): Store {
    using seed = fill(1, 32)
    using callbackKey = fill(2, 1200)
    return createStore(this.db, password(), { identitySeed: seed, callbackKey, kdf: KDF })
  }
  open(readOnly = false): Store {
    return openStore(this.db, password(), { readOnly })
  }
  /** A copy as `cp` makes it: of that one file. */
  copyTo(name: string): string {
    const to = join(this.path, name)
    cpSync(this.db, to)
    return to
  }
  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

const fill = (byte: number, length: number): Secret => Secret.take(new Uint8Array(length).fill(byte))

export const bytesOf = (seed: number, length = 32): Bytes => {
  const out = new Uint8Array(length)
  for (let i = 0; i < length; i++) out[i] = (seed * 31 + i * 7) & 255
  return out
}

export function partyNo(n: number): PartyId {
  const party = partyOf(bytesOf(n + 1))
  if (party === undefined) throw new Error("32 bytes are a party")
  return party
}

export const epochNo = (n: number): Bytes => bytesOf(100 + n)

export function groupNo(groupId: string, epoch: number, over: Partial<GroupPublic> = {}): GroupPublic {
  return {
    groupId,
    epochId: epochNo(epoch),
    curve: "secp256k1",
    mode: epoch === 0 ? "keygen" : "replace",
    status: "PREPARED",
    threshold: 2,
    members: [0, 1, 2].map((n) => ({ party: partyNo(n), shareId: BigInt(n + 1), sharePublicKey: bytesOf(n, 33) })),
    commitments: [bytesOf(7, 33), bytesOf(8, 33)],
    chainCode: bytesOf(9),
    createdMs: 1000 + epoch,
    sid: bytesOf(10 + epoch),
    ackView: bytesOf(11),
    ...over,
  }
}

export function groupSecret(epoch: number, otBytes = 300): GroupSecret {
  return {
    share: Secret.take(bytesOf(50 + epoch)),
    pairs: [1, 2].map((n) => ({
      peer: partyNo(n),
      pairId: bytesOf(60 + n),
      zeroSeed: Secret.take(bytesOf(70 + n)),
      otAlice: Secret.take(bytesOf(80 + n, otBytes)),
      otBob: Secret.take(bytesOf(90 + n, otBytes)),
    })),
  }
}

/** A secret group as plain data, for comparison; wipes it. */
export function reveal(secret: GroupSecret): unknown {
  const plain = (of: Secret | undefined): string | undefined => of && toHex(of.expose())
  const out = {
    share: plain(secret.share),
    pairs: secret.pairs.map((pair) => ({
      peer: pair.peer,
      pairId: toHex(pair.pairId),
      zeroSeed: plain(pair.zeroSeed),
      otAlice: plain(pair.otAlice),
      otBob: plain(pair.otBob),
    })),
  }
  secret.share.wipe()
  return out
}

export const claimOf = (taskId: string, over: { readonly digest?: string; readonly deadlineMs?: number } = {}) => ({
  taskId,
  digest: over.digest ?? toHex(bytesOf(taskId.length)),
  type: "KeySign" as const,
  document: copy(Buffer.from(`{"task_id":"${taskId}"}`)),
  deadlineMs: over.deadlineMs ?? 10_000,
  nowMs: 5,
  events: [],
})

export const APPROVE = { action: "approve", code: "", reason: "", rules: [] } as const
export const REJECT = {
  action: "reject",
  code: "E-RSK-001",
  reason: "not allowed",
  rules: [{ rule: "key_sign.allowed_paths", outcome: "deny", reason: "not allowed" }],
} as const

/** The rules as they ask at the start of a session: nothing has changed. */
export const still = () => ({ verdict: APPROVE, debits: [] })

/** A task that is approved, so that sessions may start. */
export function approved(store: Store, taskId: string): void {
  store.tasks.claim(claimOf(taskId))
  store.tasks.approve(
    taskId,
    6,
    () => ({ verdict: APPROVE, debits: [] }),
    () => [],
  )
}

export const sessionOf = (taskId: string, attempt: number, over: Partial<SessionRow> = {}): SessionRow => ({
  sid: copy(Buffer.from(new Bun.CryptoHasher("sha256").update(`${taskId}/${attempt}`).digest())),
  taskId,
  attempt,
  groupId: "g",
  epochId: epochNo(0),
  peers: [partyNo(1), partyNo(2)],
  ecdsa: true,
  ...over,
})

/** The code of what `action` throws; "none" if it does not, and the error itself if it is no code of ours. */
export function codeOf(action: () => unknown): unknown {
  try {
    action()
    return "none"
  } catch (error) {
    return error instanceof CosignerError ? error.code : error
  }
}
