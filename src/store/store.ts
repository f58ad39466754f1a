/**
 * secrets.db: creates it, opens it, and wires its repositories. It holds everything that this node must not lose and must not disclose.
 */
import { randomBytes } from "node:crypto"
import type { AuditEntry } from "../audit/entry.ts"
import { type Bytes, copy, equal, toHex } from "../bytes.ts"
import { DEFAULT_KDF, type Kdf } from "../crypto/passwordKey.ts"
import { CosignerError } from "../errors.ts"
import type { GroupPublic, GroupSecret } from "../keys/group.ts"
import { Secret } from "../secret.ts"
import type { SessionRow } from "../tasks/ports.ts"
import { Approvals } from "./approvals.ts"
import { AuditLog } from "./auditLog.ts"
import { Bans } from "./bans.ts"
import { decodingAll } from "./check.ts"
import { CommitQueue } from "./commitQueue.ts"
import { asFault } from "./faults.ts"
import { SecretsFile } from "./file.ts"
import { Freezes } from "./freezes.ts"
import { Groups } from "./groups.ts"
import { wrapKey } from "./header.ts"
import { load } from "./loading.ts"
import { Outbox } from "./outbox.ts"
import { Policies } from "./policies.ts"
import { QueuedTasks } from "./queuedTasks.ts"
import {
  BOOTS,
  CALLBACK_KEY,
  CHECKUP,
  type Checkup,
  ENTROPY,
  EVENT_KEY,
  epochName,
  IDENTITY,
  INCARNATION,
  PROBE,
  type RecordKind,
  type UnprovenChecks,
} from "./records.ts"
import type { DatabaseAge } from "./rollbackGuard.ts"
import { NO_NAME, openHeader, readHeader } from "./rows.ts"
import { RecordSealer } from "./seal.ts"
import { ServiceTime } from "./serviceTime.ts"
import { Snapshot } from "./snapshot.ts"
import { SpentOrders } from "./spentOrders.ts"
import { Strikes } from "./strikes.ts"
import { Tasks } from "./tasks.ts"
import { type ObserveCommit, RecordVault } from "./vault.ts"
import { WaasTrust } from "./waasTrust.ts"
import { WitnessMemory } from "./witnessMemory.ts"

interface StoreInit {
  /** 32-byte Ed25519 seed of the node's identity. */
  readonly identitySeed: Secret
  /** PKCS#8 DER of an RSA key of 2048 bits or more. */
  readonly callbackKey: Secret
  /** PKCS#8 DER; can be set later by `setEventKey`. */
  readonly eventKey?: Secret
  /** Cost of the password's key derivation; DEFAULT_KDF if absent. */
  readonly kdf?: Kdf
}

/** What a crash of the last process left behind, and how it was settled (threshold.md 2.5 rule 9). */
interface Recovery {
  /** Sessions that were running then; closed now. */
  readonly sessions: readonly SessionRow[]
  /** The raised counts of unproven checks. */
  readonly checks: readonly UnprovenChecks[]
}

/** Creates a new file and opens it. Copies the secrets of `init`; the caller disposes them. Never overwrites a file: E-STO-001. */
export function createStore(path: string, password: Secret, init: StoreInit): Store {
  SecretsFile.create(path, (file) => {
    using dataKey = Secret.take(copy(randomBytes(32)))
    using entropy = Secret.take(copy(randomBytes(32)))
    using sealer = new RecordSealer(dataKey)
    const vault = new RecordVault(file, sealer)
    vault.initialise(wrapKey(dataKey, password, init.kdf ?? DEFAULT_KDF))
    vault.transaction((tx) => {
      tx.put(IDENTITY, NO_NAME, init.identitySeed)
      tx.put(ENTROPY, NO_NAME, entropy)
      tx.put(BOOTS, NO_NAME, 0)
      tx.put(CALLBACK_KEY, NO_NAME, init.callbackKey)
      if (init.eventKey !== undefined) tx.put(EVENT_KEY, NO_NAME, init.eventKey)
    })
  })
  return openStore(path, password, { readOnly: false })
}

/**
 * Opens and checks the whole file; uses nothing of it unless all of it is valid. With `readOnly` it works beside a running node and shows
 * the state of this moment. Otherwise this process becomes the only writer, and settles what a crash left behind.
 */
export function openStore(path: string, password: Secret, options: { readonly readOnly: boolean }): Store {
  const file = SecretsFile.open(path, options.readOnly)
  let dataKey: Secret | undefined
  let sealer: RecordSealer | undefined
  try {
    dataKey = openHeader(file, password)
    sealer = new RecordSealer(dataKey)
    return new Store(file, dataKey, sealer)
  } catch (error) {
    sealer?.[Symbol.dispose]()
    dataKey?.wipe()
    file[Symbol.dispose]()
    throw asFault(error, path, "open")
  }
}

/**
 * Copies the file to `to` and opens the copy to read it record by record. A node may be writing to the original. Disposing the snapshot
 * removes the copy.
 */
export function snapshotOf(path: string, password: Secret, to: string): Snapshot {
  return Snapshot.of(path, to, password)
}

export class Store implements Disposable {
  readonly tasks: Tasks
  /** The same journal for running tasks, whose steps share commits. */
  readonly journal: QueuedTasks
  readonly groups: Groups
  readonly bans: Bans
  readonly strikes: Strikes
  readonly outbox: Outbox
  readonly waas: WaasTrust
  readonly freezes: Freezes
  readonly served: ServiceTime
  readonly policies: Policies
  readonly spentOrders: SpentOrders
  /** The log for auditors. Every decision is appended to it in the transaction that it records. */
  readonly audit: AuditLog
  readonly witnessing: WitnessMemory
  /** Empty if the store is read-only. */
  readonly recovery: Recovery
  readonly #file: SecretsFile
  readonly #dataKey: Secret
  readonly #sealer: RecordSealer
  readonly #vault: RecordVault
  readonly #queue: CommitQueue

  /** Takes over file, key and sealer. Use openStore. */
  constructor(file: SecretsFile, dataKey: Secret, sealer: RecordSealer) {
    this.#file = file
    this.#dataKey = dataKey
    this.#sealer = sealer
    this.#vault = new RecordVault(file, this.#sealer)
    this.audit = new AuditLog(this.#vault)
    this.witnessing = new WitnessMemory(this.#vault, this.audit)
    this.groups = new Groups(this.#vault)
    this.bans = new Bans(this.#vault, this.groups)
    this.strikes = new Strikes(this.#vault, this.audit)
    this.outbox = new Outbox(this.#vault)
    this.waas = new WaasTrust(this.#vault)
    this.served = new ServiceTime(this.#vault)
    this.freezes = new Freezes(this.#vault, this.outbox, this.served, this.audit)
    this.spentOrders = new SpentOrders(this.#vault)
    this.policies = new Policies(this.#vault, this.served, this.audit)
    const approvals = new Approvals(this.#vault)
    this.tasks = new Tasks(this.#vault, this.outbox, this.bans, this.audit, approvals)
    this.#queue = new CommitQueue(
      (parts) => this.#vault.group(parts),
      () => this.journal.atWork,
    )
    this.journal = new QueuedTasks(this.tasks, this.#queue)
    const found = load(this.#vault, { ...this, approvals })
    // A reader settles nothing: the sessions may be those of a node that is running.
    const cutOff = this.readOnly ? [] : found
    this.recovery = {
      sessions: cutOff.map(({ row }) => row),
      checks: cutOff.length > 0 ? this.tasks.recover(cutOff, Date.now()) : [],
    }
  }

  get path(): string {
    return this.#file.path
  }

  get readOnly(): boolean {
    return this.#file.readOnly
  }

  /** Number of commits since the file was made. */
  get generation(): number {
    return this.#vault.generation
  }

  /** The Ed25519 seed of the node's identity. The caller disposes this Secret and every other that this class returns. */
  identity(): Secret {
    return this.#own(IDENTITY)
  }

  /** 32 secret bytes of this node, an input to the randomness of sessions (threshold.md 1.5). */
  entropy(): Secret {
    return this.#own(ENTROPY)
  }

  /** The key that signs tokens for callback servers, PKCS#8 DER. */
  callbackKey(): Secret {
    return this.#own(CALLBACK_KEY)
  }

  /** The key that signs for event servers, PKCS#8 DER; undefined until it is set. */
  eventKey(): Secret | undefined {
    return this.#vault.read(EVENT_KEY, NO_NAME)
  }

  setEventKey(key: Secret): void {
    this.#vault.transaction((tx) => tx.put(EVENT_KEY, NO_NAME, key))
  }

  /** Counts this start of the node, durably, so no number comes twice (threshold.md 1.5). The first is 1. `started` is for auditors. */
  nextBoot(started?: { readonly nowMs: number; readonly facts: AuditEntry["facts"] }): number {
    return this.#vault.transaction((tx) => {
      const boot = this.#own(BOOTS) + 1
      tx.put(BOOTS, NO_NAME, boot)
      if (started !== undefined) {
        const { nowMs, facts } = started
        this.audit.append(tx, nowMs, { kind: "start", facts: { ...facts, boot, incarnation: this.incarnation } })
      }
      return boot
    })
  }

  /** Rises with each decision to continue from an older copy; 0 before the first. */
  get incarnation(): number {
    return this.#vault.read(INCARNATION, NO_NAME) ?? 0
  }

  /** The position of this database in its history, to compare copies. */
  get fencingToken(): DatabaseAge {
    return { incarnation: this.incarnation, boot: this.boot, generation: this.generation }
  }

  /** Number of starts of the node so far. */
  get boot(): number {
    return this.#own(BOOTS)
  }

  /**
   * Records the operator's decision that this copy is the node from now on, although a newer copy may have run. ECDSA is stopped in every
   * existing epoch until a refresh (threshold.md 2.5 rule 11). Returns the new incarnation.
   */
  acceptRollback(nowMs: number): number {
    return this.#vault.transaction((tx) => {
      const before = this.incarnation
      const incarnation = Math.max(before + 1, nowMs)
      tx.put(INCARNATION, NO_NAME, incarnation)
      const { size, root } = this.audit
      const facts = { incarnation, before, size, root: toHex(root) }
      this.audit.append(tx, nowMs, { kind: "rollback", facts })
      this.witnessing.settle(tx)
      for (const { groupId, epochId, curve, status } of this.groups.list()) {
        if (curve !== "secp256k1" || status === "ERASED") continue
        this.bans.awaitRefresh(tx, { groupId, epochId, why: "rollback", sinceMs: nowMs })
      }
      return incarnation
    })
  }

  /** Stores an imported epoch and its share in one commit. ECDSA waits for the reshare that makes its OT state. Throws E-STO-022. */
  importGroup(group: GroupPublic, secret: GroupSecret, nowMs: number): void {
    const { groupId, epochId, curve } = group
    this.#vault.transaction((tx) => {
      this.groups.import(tx, group, secret)
      if (curve === "secp256k1") this.bans.awaitRefresh(tx, { groupId, epochId, why: "import", sinceMs: nowMs })
      this.audit.append(tx, nowMs, { kind: "import", facts: { group: groupId, epoch: toHex(epochId), curve } })
    })
  }

  /** Records the results of check-ups, the last one of each epoch, in one commit. */
  recordCheckups(results: readonly Checkup[]): void {
    this.#vault.transaction((tx) => {
      for (const result of results) tx.put(CHECKUP, epochName(result.groupId, result.epochId), result)
    })
  }

  /** The result of the last check-up of that epoch's share; undefined before the first. */
  checkup(groupId: string, epochId: Uint8Array): Checkup | undefined {
    return this.#vault.read(CHECKUP, epochName(groupId, epochId))
  }

  /** A copy of this moment in a file of its own, which can be read while this store is in use. Disposing it removes the file. */
  snapshot(to: string): Snapshot {
    return Snapshot.take(this.#file, to, this.#dataKey)
  }

  /** Wraps the data key under another password in one commit; rewrites no other record. Earlier copies still open with the old password. */
  changePassword(next: Secret, kdf: Kdf = DEFAULT_KDF): void {
    const header = wrapKey(this.#dataKey, next, kdf)
    this.#vault.transaction((tx) => {
      tx.replaceHeader(header)
      this.audit.append(tx, Date.now(), { kind: "password", facts: { by: "command" } })
    })
  }

  /** The header, which is not secret. Another thread derives keys and checks passwords with it, so that this thread is not blocked. */
  header(): Bytes {
    return copy(readHeader(this.#file))
  }

  /** Replaces the header by one that another thread made from `before`. Throws E-STO-019 if the password was changed meanwhile. */
  replaceHeader(before: Uint8Array, header: Bytes): void {
    this.#vault.transaction((tx) => {
      if (!equal(before, readHeader(this.#file))) {
        throw new CosignerError("E-STO-019", { path: this.path, why: "its password was changed meanwhile" })
      }
      tx.replaceHeader(header)
      this.audit.append(tx, Date.now(), { kind: "password", facts: { by: "socket" } })
    })
  }

  /** Writes a record to test whether writing works. Throws what the write of a task's record would throw. */
  probe(nowMs: number): void {
    this.#vault.transaction((tx) => tx.put(PROBE, NO_NAME, nowMs))
  }

  /** Number of records decrypted since the start. */
  get recordsOpened(): number {
    return this.#vault.opened
  }

  observeCommits(observe: ObserveCommit): void {
    this.#vault.observe(observe)
  }

  /** Checks the whole file as at the start, and decodes every record. Returns their number. Throws the first problem. */
  verify(): number {
    return this.#vault.verify(decodingAll(this.path))
  }

  /** Commits the waiting steps at once. Never throws: a failure rejects the promise of the step. */
  flush(): void {
    this.#queue.flush()
  }

  /** Wipes the keys and releases the lock. Steps that wait for a commit are dropped, as in a crash. A later use throws E-STO-019. */
  close(): void {
    this.#queue.close()
    this.#vault.close()
    this.#sealer[Symbol.dispose]()
    this.#dataKey.wipe()
    this.#file[Symbol.dispose]()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #own<T>(kind: RecordKind<T>): T {
    const value = this.#vault.read(kind, NO_NAME)
    if (value === undefined)
      throw new CosignerError("E-STO-010", { path: this.path, what: "one of the node's own keys" })
    return value
  }
}
