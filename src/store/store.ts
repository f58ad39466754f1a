/**
 * Secrets.db: makes it, opens it, and puts its repositories together. Whoever holds a Store holds everything that this node
 * must not lose and must not show; what is done with it is decided elsewhere.
 */
import { randomBytes } from "node:crypto"
import type { AuditEntry } from "../audit/entry.ts"
import { leafHash } from "../audit/merkle.ts"
import { type Bytes, copy, equal, toHex } from "../bytes.ts"
import { DEFAULT_KDF, type Kdf } from "../crypto/passwordKey.ts"
import { CosignerError } from "../errors.ts"
import type { GroupPublic, GroupSecret } from "../keys/group.ts"
import { Secret } from "../secret.ts"
import type { SessionRow } from "../tasks/ports.ts"
import { APPROVALS, Approvals } from "./approvals.ts"
import { AuditLog, type FoundLog } from "./auditLog.ts"
import { AUDIT_LEAF, AUDIT_TILE, LOG_DOUBT } from "./auditRecords.ts"
import { Bans } from "./bans.ts"
import { decodingAll } from "./check.ts"
import { CommitQueue } from "./commitQueue.ts"
import { asFault } from "./faults.ts"
import { SecretsFile } from "./file.ts"
import { FREEZE, Freezes } from "./freezes.ts"
import { Groups } from "./groups.ts"
import { wrapKey } from "./header.ts"
import { Outbox } from "./outbox.ts"
import { POLICY, Policies } from "./policies.ts"
import { QueuedTasks } from "./queuedTasks.ts"
import {
  AWAITS_REFRESH,
  BAN,
  BOOTS,
  CALLBACK_KEY,
  CHECKS,
  CHECKUP,
  type Checkup,
  ENTROPY,
  EVENT,
  EVENT_KEY,
  epochName,
  GROUP,
  IDENTITY,
  INCARNATION,
  PROBE,
  type Queued,
  type RecordKind,
  SESSION,
  STRIKES,
  type StoredSession,
  TASK,
  type UnprovenChecks,
} from "./records.ts"
import type { DatabaseAge } from "./rollbackGuard.ts"
import { NO_NAME, openHeader, parseBody, readHeader } from "./rows.ts"
import type { Visit } from "./scan.ts"
import { RecordSealer } from "./seal.ts"
import { SERVED, ServiceTime } from "./serviceTime.ts"
import { Snapshot } from "./snapshot.ts"
import { SPENT_ORDERS, SpentOrders } from "./spentOrders.ts"
import { Strikes } from "./strikes.ts"
import { type Restored, summaryOf, Tasks } from "./tasks.ts"
import { type ObserveCommit, RecordVault } from "./vault.ts"
import { WaasTrust } from "./waasTrust.ts"
import { WitnessMemory } from "./witnessMemory.ts"

interface StoreInit {
  /** 32-byte Ed25519 seed: who this node is. */
  readonly identitySeed: Secret
  /** PKCS#8 DER of an RSA key of 2048 bits or more. */
  readonly callbackKey: Secret
  /** PKCS#8 DER; may come later through `setEventKey`. */
  readonly eventKey?: Secret
  /** Cost of the password; DEFAULT_KDF unless given. */
  readonly kdf?: Kdf
}

/** What the last process left behind, and what was made of it (threshold.md 2.5 rule 9). */
interface Recovery {
  /** Sessions that were running when it died; closed now. */
  readonly sessions: readonly SessionRow[]
  /** Counts of unproven checks that this raised. */
  readonly checks: readonly UnprovenChecks[]
}

/** Makes a new file and opens it. Copies the secrets of `init`; the caller disposes them. Never overwrites: E-STO-001. */
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
 * Opens and checks the whole file; nothing of it is used unless all of it is right. With `readOnly` it works beside a running
 * node and shows the state of this moment; otherwise this process becomes the only writer, and what a crash left is settled.
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
 * A consistent copy of the file under another name, opened to be read record by record; a node may be at work on the
 * original. The copy is removed when the snapshot is disposed.
 */
export function snapshotOf(path: string, password: Secret, to: string): Snapshot {
  return Snapshot.of(path, to, password)
}

export class Store implements Disposable {
  readonly tasks: Tasks
  /** The same journal for tasks at work: their steps share commits. */
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
  /** What auditors are shown; whoever changes anything here appends to it in the same transaction. */
  readonly audit: AuditLog
  readonly witnessing: WitnessMemory
  /** Empty for a reader. */
  readonly recovery: Recovery
  readonly #file: SecretsFile
  readonly #dataKey: Secret
  readonly #sealer: RecordSealer
  readonly #vault: RecordVault
  readonly #approvals: Approvals
  readonly #queue: CommitQueue

  /** Takes all three over. Use openStore. */
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
    this.#approvals = new Approvals(this.#vault)
    this.tasks = new Tasks(this.#vault, this.outbox, this.bans, this.audit, this.#approvals)
    this.#queue = new CommitQueue(
      (parts) => this.#vault.group(parts),
      () => this.journal.atWork,
    )
    this.journal = new QueuedTasks(this.tasks, this.#queue)
    const cutOff = this.#load()
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

  /** Commits since the file was made: only ever grows, except in a copy from before. */
  get generation(): number {
    return this.#vault.generation
  }

  /** The Ed25519 seed. As with every Secret handed out here, the caller disposes it. */
  identity(): Secret {
    return this.#own(IDENTITY)
  }

  /** 32 bytes that only this node knows, for the randomness of sessions (threshold.md 1.5). */
  entropy(): Secret {
    return this.#own(ENTROPY)
  }

  /** PKCS#8 DER. */
  callbackKey(): Secret {
    return this.#own(CALLBACK_KEY)
  }

  /** PKCS#8 DER; undefined until there is one. */
  eventKey(): Secret | undefined {
    return this.#vault.read(EVENT_KEY, NO_NAME)
  }

  setEventKey(key: Secret): void {
    this.#vault.transaction((tx) => tx.put(EVENT_KEY, NO_NAME, key))
  }

  /** Counts this start of the node; durable, so that no number comes twice (threshold.md 1.5). The first is 1. `started`: for auditors. */
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

  /** Which decision to go on from an older copy this file stems from; 0 before the first. */
  get incarnation(): number {
    return this.#vault.read(INCARNATION, NO_NAME) ?? 0
  }

  /** How far it has come, for whoever compares copies. */
  get fencingToken(): DatabaseAge {
    return { incarnation: this.incarnation, boot: this.boot, generation: this.generation }
  }

  /** Starts of the node so far. */
  get boot(): number {
    return this.#own(BOOTS)
  }

  /**
   * The operator's decision that this copy is the node from now on, although a newer one may have run. ECDSA waits for a
   * refresh in every epoch of today (threshold.md 2.5 rule 11). Returns the new incarnation.
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

  /** An imported epoch: the record, its share, and that ECDSA waits for the reshare that brings its one-time material, in one commit. */
  importGroup(group: GroupPublic, secret: GroupSecret, nowMs: number): void {
    const { groupId, epochId, curve } = group
    this.#vault.transaction((tx) => {
      this.groups.import(tx, group, secret)
      if (curve === "secp256k1") this.bans.awaitRefresh(tx, { groupId, epochId, why: "import", sinceMs: nowMs })
      this.audit.append(tx, nowMs, { kind: "import", facts: { group: groupId, epoch: toHex(epochId), curve } })
    })
  }

  /** Keeps how check-ups went, one per epoch, in one commit. */
  recordCheckups(results: readonly Checkup[]): void {
    this.#vault.transaction((tx) => {
      for (const result of results) tx.put(CHECKUP, epochName(result.groupId, result.epochId), result)
    })
  }

  /** How the last check-up of that epoch's share went. */
  checkup(groupId: string, epochId: Uint8Array): Checkup | undefined {
    return this.#vault.read(CHECKUP, epochName(groupId, epochId))
  }

  /** A copy of this moment in a file of its own, to be read while this store works on. Disposing it removes the file. */
  snapshot(to: string): Snapshot {
    return Snapshot.take(this.#file, to, this.#dataKey)
  }

  /** Wraps the data key under another password; one commit, and no record is rewritten. Copies made before keep the old one. */
  changePassword(next: Secret, kdf: Kdf = DEFAULT_KDF): void {
    const header = wrapKey(this.#dataKey, next, kdf)
    this.#vault.transaction((tx) => {
      tx.replaceHeader(header)
      this.audit.append(tx, Date.now(), { kind: "password", facts: { by: "command" } })
    })
  }

  /** The clear header: what a password is compared with, elsewhere than on the thread that signs. */
  header(): Bytes {
    return copy(readHeader(this.#file))
  }

  /** The same data key under another password, wrapped elsewhere from the header `before`, which must still be the one. */
  replaceHeader(before: Uint8Array, header: Bytes): void {
    this.#vault.transaction((tx) => {
      if (!equal(before, readHeader(this.#file))) {
        throw new CosignerError("E-STO-019", { path: this.path, why: "its password was changed meanwhile" })
      }
      tx.replaceHeader(header)
      this.audit.append(tx, Date.now(), { kind: "password", facts: { by: "socket" } })
    })
  }

  /** Writes for no other purpose than to see whether writing works: throws what a task's record would meet. */
  probe(nowMs: number): void {
    this.#vault.transaction((tx) => tx.put(PROBE, NO_NAME, nowMs))
  }

  /** Records that were decrypted since the start. */
  get recordsOpened(): number {
    return this.#vault.opened
  }

  observeCommits(observe: ObserveCommit): void {
    this.#vault.observe(observe)
  }

  /** Checks the whole file as at the start, and decodes every record. Returns their number; throws what it finds. */
  verify(): number {
    return this.#vault.verify(decodingAll(this.path))
  }

  /** Commits at once what could wait for another commit. Throws nothing: what fails is told to whoever waits for it. */
  flush(): void {
    this.#queue.flush()
  }

  /** Wipes the keys and lets the lock go; what waits for a commit is forgotten, as in a crash. A later use is a bug and throws. */
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

  /** Fills the repositories; returns the sessions that were cut off and are this process's to settle. */
  #load(): readonly StoredSession[] {
    const journal: Restored[] = []
    const events: Pick<Queued, "seq" | "deliveries">[] = []
    const cutOff: StoredSession[] = []
    const tiles: FoundLog["tiles"][number][] = []
    const leaves: FoundLog["leaves"][number][] = []
    const on = <T>(kind: RecordKind<T>, take: (value: T) => void): [number, Visit] => [
      kind.byte,
      (version, plain) => take(parseBody(this.path, kind, version, plain)),
    ]
    const visitors: ReadonlyMap<number, Visit> = new Map([
      on(GROUP, (group) => this.groups.restore(group)),
      on(BAN, (ban) => this.bans.restoreBan(ban)),
      on(CHECKS, (checks) => this.bans.restoreChecks(checks)),
      on(STRIKES, (record) => this.strikes.restore(record)),
      on(FREEZE, (freeze) => this.freezes.restore(freeze)),
      on(SPENT_ORDERS, (spent) => this.spentOrders.restore(spent)),
      on(POLICY, (record) => this.policies.restore(record)),
      on(SERVED, (servedMs) => this.served.restore(servedMs)),
      on(AWAITS_REFRESH, (mark) => this.bans.restoreAwaiting(mark)),
      on(TASK, ({ record, seq, debits, debitedMs }) => {
        journal.push({ task: summaryOf(record), seq, debits, debitedMs })
      }),
      on(APPROVALS, (approvals) => this.#approvals.restore(approvals)),
      on(SESSION, (session) => {
        if (session.ended === undefined) cutOff.push(session)
      }),
      on(EVENT, ({ seq, deliveries }) => events.push({ seq, deliveries })),
      on(LOG_DOUBT, (doubt) => this.witnessing.restore(doubt)),
      on(AUDIT_TILE, ({ index, root }) => tiles.push({ index, root })),
      on(AUDIT_LEAF, ({ seq, leaf }) => leaves.push({ seq, hash: leafHash(leaf) })),
    ])
    this.#vault.load((kind) => visitors.get(kind))
    this.tasks.restore(journal)
    this.outbox.restore(events)
    this.audit.restore({ tiles, leaves })
    return this.readOnly ? [] : cutOff
  }
}
