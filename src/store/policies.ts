/**
 * The policy bundle that this node has adopted (bundle.md 2.3): the version in force, the version that waits and until when, and the
 * history. Records the highest version ever taken and when a wait ends. The caller verifies the owners' signatures and that the version
 * rises.
 */
import * as c from "../codec.ts"
import { hasEnded, type WaitEnd } from "../tasks/freeze.ts"
import type { AuditLog } from "./auditLog.ts"
import { kind, type RecordKind } from "./records.ts"
import { NO_NAME } from "./rows.ts"
import type { ServiceTime } from "./serviceTime.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

export interface AdoptedBundle {
  readonly version: number
  /** SHA-256 of the document, hex. */
  readonly digest: string
  readonly document: string
  /** The owners who signed it. */
  readonly owners: readonly string[]
}

interface WaitingBundle extends AdoptedBundle {
  readonly sinceMs: number
  readonly end: WaitEnd
  /** The host alone proposed it, because owners have lost their keys. */
  readonly isRecovery: boolean
}

const FATES = ["in force", "waiting", "replaced", "vetoed", "left"] as const

/** One line of the history. */
export interface PolicyStep {
  readonly version: number
  readonly digest: string
  readonly fate: (typeof FATES)[number]
  readonly atMs: number
  /** Who decided it: owners, or `host`. */
  readonly by: readonly string[]
}

export interface PolicyRecord {
  readonly active: AdoptedBundle
  readonly waiting: WaitingBundle | undefined
  /** The highest version ever taken, vetoed ones included. The next version must be above it. */
  readonly highest: number
  /** The node does not follow bundles any more; `active` was the last. */
  readonly hasLeft: boolean
  /** The newest KEPT_STEPS steps, oldest first. */
  readonly history: readonly PolicyStep[]
}

const bundle = { version: c.u32, digest: c.text, document: c.text, owners: c.list(c.text) }

export const POLICY: RecordKind<PolicyRecord> = kind<PolicyRecord>(
  52,
  "policy",
  c.struct<PolicyRecord>({
    active: c.struct<AdoptedBundle>(bundle),
    waiting: c.optional(
      c.struct<WaitingBundle>({
        ...bundle,
        sinceMs: c.u64,
        end: c.struct<WaitEnd>({ atMs: c.u64, servedMs: c.u64 }),
        isRecovery: c.bool,
      }),
    ),
    highest: c.u32,
    hasLeft: c.bool,
    history: c.list(
      c.struct<PolicyStep>({
        version: c.u32,
        digest: c.text,
        fate: c.oneOf(...FATES),
        atMs: c.u64,
        by: c.list(c.text),
      }),
    ),
  }),
)

const KEPT_STEPS = 256

export class Policies {
  readonly #vault: RecordVault
  readonly #served: ServiceTime
  readonly #audit: AuditLog
  #record: PolicyRecord | undefined

  constructor(vault: RecordVault, served: ServiceTime, audit: AuditLog) {
    this.#vault = vault
    this.#served = served
    this.#audit = audit
  }

  /** Takes the record found at the start. */
  restore(record: PolicyRecord): void {
    this.#record = record
  }

  /** Undefined if no bundle was ever adopted. */
  get record(): PolicyRecord | undefined {
    return this.#record
  }

  /** The record of the bundle that this node follows; undefined if it follows none. */
  get followed(): PolicyRecord | undefined {
    return this.record?.hasLeft === false ? this.record : undefined
  }

  /** Puts a bundle in force at once. A bundle that waited is dropped. */
  adopt(next: AdoptedBundle, nowMs: number): void {
    this.#put(nowMs, next, "in force", next.owners, (before) => ({
      active: next,
      waiting: undefined,
      highest: Math.max(before?.highest ?? 0, next.version),
      hasLeft: false,
    }))
  }

  /** Lets a bundle wait; `ripen` puts it in force once both clocks have passed the delay. A bundle that waited before is dropped. */
  wait(next: AdoptedBundle, delayMs: number, isRecovery: boolean, nowMs: number): WaitingBundle {
    const end = { atMs: nowMs + delayMs, servedMs: this.#served.ms + delayMs }
    const waiting: WaitingBundle = { ...next, sinceMs: nowMs, end, isRecovery }
    this.#put(nowMs, next, "waiting", isRecovery ? ["host"] : next.owners, (before) => ({
      ...before,
      waiting,
      highest: Math.max(before.highest, next.version),
    }))
    return waiting
  }

  /** Drops the bundle that waits. Its version cannot come again. Returns it; undefined if none waited. */
  veto(owner: string, nowMs: number): WaitingBundle | undefined {
    const waiting = this.followed?.waiting
    if (waiting === undefined) return undefined
    this.#put(nowMs, waiting, "vetoed", [owner], (before) => ({ ...before, waiting: undefined }))
    return waiting
  }

  /** Puts the waiting bundle in force if its wait has ended; true if it did. `leaves`: whether the node stops following bundles then. */
  ripen(nowMs: number, leaves: (waiting: WaitingBundle) => boolean): boolean {
    const waiting = this.followed?.waiting
    if (waiting === undefined || !hasEnded(waiting.end, nowMs, this.#served.ms)) return false
    const { sinceMs: _, end: __, isRecovery: ___, ...next } = waiting
    const hasLeft = leaves(waiting)
    this.#put(nowMs, next, hasLeft ? "left" : "in force", next.owners, (before) => ({
      ...before,
      active: next,
      waiting: undefined,
      hasLeft,
    }))
    return true
  }

  #put(
    nowMs: number,
    { version, digest }: AdoptedBundle,
    fate: PolicyStep["fate"],
    by: readonly string[],
    change: (before: PolicyRecord) => Omit<PolicyRecord, "history">,
  ): void {
    this.#vault.transaction((tx) => this.#change(tx, nowMs, { version, digest, fate, atMs: nowMs, by }, change))
  }

  #change(
    tx: StoreTransaction,
    nowMs: number,
    step: PolicyStep,
    change: (before: PolicyRecord) => Omit<PolicyRecord, "history">,
  ): void {
    const before = this.record
    const made = change(before ?? NOTHING)
    const replaced = before !== undefined && made.active.version !== before.active.version ? [before.active] : []
    const steps = replaced.map(({ version, digest, owners }): PolicyStep => {
      return { version, digest, fate: "replaced", atMs: nowMs, by: owners }
    })
    const history = [...(before?.history ?? []), ...steps, step].slice(-KEPT_STEPS)
    const record: PolicyRecord = { ...made, history }
    tx.put(POLICY, NO_NAME, record)
    this.#served.put(tx)
    const { version, digest, fate, by } = step
    const until = fate === "waiting" ? record.waiting?.end.atMs : undefined
    const facts = { version, document: digest, fate, by, until, recovery: record.waiting?.isRecovery === true }
    this.#audit.append(tx, nowMs, { kind: "policy", facts })
    tx.remember(
      () => this.restore(record),
      () => {
        this.#record = before
      },
    )
  }
}

/** The record before the first bundle. Whoever changes it sets every field but the history. */
const NOTHING: PolicyRecord = {
  active: { version: 0, digest: "", document: "", owners: [] },
  waiting: undefined,
  highest: 0,
  hasLeft: true,
  history: [],
}
