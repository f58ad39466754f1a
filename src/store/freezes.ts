/**
 * The freezes of this node and of its groups (tasks/freeze.ts). A freeze is in force before it is durable; it is lifted only once the
 * lifting is durable. A second freeze never shortens the first: the right to freeze is not the right to unfreeze.
 */
import { utf8 } from "../bytes.ts"
import * as c from "../codec.ts"
import { CosignerError, errorText } from "../errors.ts"
import { type Freeze, type FreezePort, hasEnded, type WaitEnd } from "../tasks/freeze.ts"
import type { OutboxEvent } from "../tasks/ports.ts"
import type { AuditLog } from "./auditLog.ts"
import type { Outbox } from "./outbox.ts"
import { kind, type RecordKind } from "./records.ts"
import type { ServiceTime } from "./serviceTime.ts"
import { putBack } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

/** A freeze of one group, or of the whole node if its group id is empty. */
export const FREEZE: RecordKind<Freeze> = kind<Freeze>(
  50,
  "freeze",
  c.struct<Freeze>({
    groupId: c.text,
    sinceMs: c.u64,
    end: c.optional(c.struct<WaitEnd>({ atMs: c.u64, servedMs: c.u64 })),
    reason: c.text,
    by: c.text,
  }),
)

export interface FreezeAsked {
  /** Empty: the whole node. */
  readonly groupId: string
  /** Undefined: until somebody lifts it. */
  readonly forMs: number | undefined
  readonly reason: string
  readonly by: string
}

export class Freezes implements FreezePort {
  readonly #vault: RecordVault
  readonly #outbox: Outbox
  readonly #served: ServiceTime
  readonly #audit: AuditLog
  readonly #byGroup: Map<string, Freeze> = new Map()
  /** Groups whose freeze is in force but could not be written yet. */
  readonly #unrecorded: Set<string> = new Set()

  constructor(vault: RecordVault, outbox: Outbox, served: ServiceTime, audit: AuditLog) {
    this.#vault = vault
    this.#audit = audit
    this.#outbox = outbox
    this.#served = served
  }

  /** Takes a record found at the start. */
  restore(freeze: Freeze): void {
    this.#byGroup.set(freeze.groupId, freeze)
  }

  over(groupIds: readonly string[]): Freeze | undefined {
    if (this.#byGroup.size === 0) return undefined
    const frozen = ["", ...groupIds].find((groupId) => this.#byGroup.has(groupId))
    return frozen === undefined ? undefined : this.#byGroup.get(frozen)
  }

  /** The node's own freeze first, then by group id. */
  list(): readonly Freeze[] {
    return [...this.#byGroup.values()].sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
  }

  /**
   * Freezes; in force and durable when this returns. Throws E-FRZ-002 if it could not be recorded: it is in force all the same, until
   * this process ends. `events` is called only if the freeze changes anything.
   */
  freeze(asked: FreezeAsked, nowMs: number, events: (freeze: Freeze) => readonly OutboxEvent[] = () => []): Freeze {
    const before = this.#byGroup.get(asked.groupId)
    const end = later(before, this.#endOf(asked.forMs, nowMs))
    const { groupId, reason, by } = asked
    const freeze: Freeze = before === undefined ? { groupId, sinceMs: nowMs, end, reason, by } : { ...before, end }
    if (before !== undefined && isSame(before.end, end) && !this.#unrecorded.has(groupId)) return before
    this.#byGroup.set(groupId, freeze)
    this.#unrecorded.add(groupId)
    try {
      this.#vault.transaction((tx) => {
        tx.put(FREEZE, utf8(groupId), freeze)
        this.#served.put(tx)
        this.#outbox.enqueue(tx, events(freeze))
        const { by: first } = freeze
        const until = { until: end?.atMs, reason: asked.reason }
        this.#audit.append(tx, nowMs, { kind: "freeze", facts: { group: groupId, by: asked.by, first, ...until } })
      })
    } catch (error) {
      throw new CosignerError("E-FRZ-002", { why: errorText(error) }, { cause: error })
    }
    this.#unrecorded.delete(groupId)
    return freeze
  }

  /** Lifts the freezes of these groups; durable when it returns. `by` is who lifts them, or `time` when they have ended. */
  lift(
    groupIds: readonly string[],
    by: string,
    nowMs: number,
    events: (lifted: readonly Freeze[]) => readonly OutboxEvent[] = () => [],
  ): readonly Freeze[] {
    const lifted = groupIds.flatMap((groupId) => this.#byGroup.get(groupId) ?? [])
    if (lifted.length === 0) return []
    this.#vault.transaction((tx) => {
      for (const freeze of lifted) {
        tx.remove(FREEZE, utf8(freeze.groupId))
        const facts = { group: freeze.groupId, by, frozen_by: freeze.by, since: freeze.sinceMs }
        this.#audit.append(tx, nowMs, { kind: "unfreeze", facts })
        tx.remember(
          () => void this.#byGroup.delete(freeze.groupId),
          () => putBack(this.#byGroup, freeze.groupId, freeze),
        )
      }
      this.#outbox.enqueue(tx, events(lifted))
    })
    return lifted
  }

  /** The freezes that have ended by both clocks: the wall clock and the time in service. */
  ended(nowMs: number): readonly Freeze[] {
    return this.list().filter(({ end }) => end !== undefined && hasEnded(end, nowMs, this.#served.ms))
  }

  #endOf(forMs: number | undefined, nowMs: number): WaitEnd | undefined {
    return forMs === undefined ? undefined : { atMs: nowMs + forMs, servedMs: this.#served.ms + forMs }
  }
}

/** The later of two ends, by each clock separately. No end (undefined) is later than any. */
function later(before: Freeze | undefined, next: WaitEnd | undefined): WaitEnd | undefined {
  if (before === undefined) return next
  if (before.end === undefined || next === undefined) return undefined
  return {
    atMs: Math.max(before.end.atMs, next.atMs),
    servedMs: Math.max(before.end.servedMs, next.servedMs),
  }
}

const isSame = (a: WaitEnd | undefined, b: WaitEnd | undefined): boolean =>
  a?.atMs === b?.atMs && a?.servedMs === b?.servedMs
