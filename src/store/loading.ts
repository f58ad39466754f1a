/**
 * Fills the repositories of a store at the start, while the scan checks the whole file: which records each repository gets, and in which
 * form. The secret parts are only authenticated, not decoded.
 */
import { leafHash } from "../audit/merkle.ts"
import { APPROVALS, type Approvals } from "./approvals.ts"
import type { AuditLog, FoundLog } from "./auditLog.ts"
import { AUDIT_LEAF, AUDIT_TILE, LOG_DOUBT } from "./auditRecords.ts"
import type { Bans } from "./bans.ts"
import { FREEZE, type Freezes } from "./freezes.ts"
import type { Groups } from "./groups.ts"
import type { Outbox } from "./outbox.ts"
import { POLICY, type Policies } from "./policies.ts"
import {
  AWAITS_REFRESH,
  BAN,
  CHECKS,
  EVENT,
  GROUP,
  type Queued,
  type RecordKind,
  SESSION,
  STRIKES,
  type StoredSession,
  TASK,
} from "./records.ts"
import { parseBody } from "./rows.ts"
import type { Visit } from "./scan.ts"
import { SERVED, type ServiceTime } from "./serviceTime.ts"
import { SPENT_ORDERS, type SpentOrders } from "./spentOrders.ts"
import type { Strikes } from "./strikes.ts"
import { type Restored, summaryOf, type Tasks } from "./tasks.ts"
import type { RecordVault } from "./vault.ts"
import type { WitnessMemory } from "./witnessMemory.ts"

interface Repositories {
  readonly tasks: Tasks
  readonly approvals: Approvals
  readonly groups: Groups
  readonly bans: Bans
  readonly strikes: Strikes
  readonly outbox: Outbox
  readonly freezes: Freezes
  readonly served: ServiceTime
  readonly policies: Policies
  readonly spentOrders: SpentOrders
  readonly audit: AuditLog
  readonly witnessing: WitnessMemory
}

/** Checks the file and fills the repositories. Returns the sessions without an end: a crash cut them off. Throws what the scan throws. */
export function load(vault: RecordVault, into: Repositories): readonly StoredSession[] {
  const { tasks, approvals, groups, bans, strikes, outbox, freezes, served, policies, spentOrders, audit, witnessing } =
    into
  const journal: Restored[] = []
  const events: Pick<Queued, "seq" | "deliveries">[] = []
  const cutOff: StoredSession[] = []
  const tiles: FoundLog["tiles"][number][] = []
  const leaves: FoundLog["leaves"][number][] = []
  const on = <T>(kind: RecordKind<T>, take: (value: T) => void): [number, Visit] => [
    kind.byte,
    (version, plain) => take(parseBody(vault.path, kind, version, plain)),
  ]
  const visitors: ReadonlyMap<number, Visit> = new Map([
    on(GROUP, (group) => groups.restore(group)),
    on(BAN, (ban) => bans.restoreBan(ban)),
    on(CHECKS, (checks) => bans.restoreChecks(checks)),
    on(STRIKES, (record) => strikes.restore(record)),
    on(FREEZE, (freeze) => freezes.restore(freeze)),
    on(SPENT_ORDERS, (spent) => spentOrders.restore(spent)),
    on(POLICY, (record) => policies.restore(record)),
    on(SERVED, (servedMs) => served.restore(servedMs)),
    on(AWAITS_REFRESH, (mark) => bans.restoreAwaiting(mark)),
    on(TASK, ({ record, seq, debits, debitedMs }) => {
      journal.push({ task: summaryOf(record), seq, debits, debitedMs })
    }),
    on(APPROVALS, (consumed) => approvals.restore(consumed)),
    on(SESSION, (session) => {
      if (session.ended === undefined) cutOff.push(session)
    }),
    on(EVENT, ({ seq, deliveries }) => events.push({ seq, deliveries })),
    on(LOG_DOUBT, (doubt) => witnessing.restore(doubt)),
    on(AUDIT_TILE, ({ index, root }) => tiles.push({ index, root })),
    on(AUDIT_LEAF, ({ seq, leaf }) => leaves.push({ seq, hash: leafHash(leaf) })),
  ])
  vault.load((kind) => visitors.get(kind))
  tasks.restore(journal)
  outbox.restore(events)
  audit.restore({ tiles, leaves })
  return cutOff
}
