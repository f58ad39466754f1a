/**
 * One attempt of a task: one session from its opened share to its end, with every record that must be durable on the way. The session row
 * is durable before the first byte leaves. Bans and strikes are durable before anything else is sent.
 */
import { type Bytes, toHex } from "../bytes.ts"
import { CosignerError, isCode } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import type { Blame } from "../mpc/blame.ts"
import { isAbort, receiverOf } from "../mpc/envelope.ts"
import type { SessionRecord } from "../mpc/exchange.ts"
import type { Ending, HostIo, SessionIo } from "../mpc/session.ts"
import { statementOf } from "../mpc/statement.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { Task } from "../wire/task.ts"
import { type CheckLocks, type OpenChecks, openChecks } from "./checks.ts"
import { isStoreFault, storeFault } from "./endings.ts"
import { releaseError, releaseRefusal } from "./hold.ts"
import { type AttemptStart, type Plan, type Refusal, refuse } from "./plan.ts"
import type { HostedSession, SessionRow, TaskPorts } from "./ports.ts"

export interface Attempt {
  readonly session: HostedSession
  /** Resolves when the session has ended and its row is closed, or when it has its result. */
  readonly ended: Promise<EndedAttempt>
}

export interface EndedAttempt {
  readonly ending: Ending
  /** Why the session was not begun or was stopped: rules that refuse now, a freeze, or a failure of the store. */
  readonly refused: Refusal | undefined
  /** The session that must be closed in the commit of the task's result; undefined if its row is closed or was never made. */
  readonly closing: Bytes | undefined
  /**
   * Closes the row after the store failed to. Call it before the task continues; otherwise the next start counts the session as crashed.
   */
  readonly unclosed?: () => Promise<void>
}

interface AttemptEvents {
  /** Called when the session's row is durable and its first message may leave. */
  readonly begun: () => void
  readonly ban: (groupId: string, peer: PartyId) => void
}

/** Starts the session of one attempt. Throws if the share does not open. */
export function beginAttempt(
  task: Task,
  start: AttemptStart,
  plan: Plan,
  ports: TaskPorts,
  locks: CheckLocks,
  on: AttemptEvents,
): Attempt {
  const { attempt } = start
  const checks = openChecks(locks)
  let sid: Bytes | undefined
  let beginning: Promise<void> | undefined
  let refused: Refusal | undefined
  const { record, ...others } = sessionIo(task, plan, ports, checks, on.ban)
  const io: HostIo = {
    ...others,
    record: async (what) => {
      try {
        await record(what)
      } catch (error) {
        // What is not durable must not leave. The session ends, and WaaS learns that this node's store failed.
        if (isStoreFault(error)) refused = storeFault(error)
        throw error
      }
    },
    begin: (begun) => {
      const row = rowOf(begun, task.task_id, attempt, plan, ports)
      beginning = begin(row, task, plan, start, ports).then((why) => {
        refused = why
        if (why !== undefined) throw new CosignerError("E-TSK-014", { attempt, reason: why.reason })
        sid = begun
        on.begun()
      })
      return beginning
    },
  }
  const session = ports.startSession(plan.open(start), io)
  const ended = session.ending
    .then(async (ending) => {
      // A worker can die while the row is being written. Only after the write is it known whether there is a row to close.
      await beginning?.catch(() => undefined)
      // Each check ends with a BAN or a "checked". Only a crash of the session's host leaves one without a verdict.
      const unproven = ending.kind === "crashed" ? checks.open() : []
      if (ending.kind === "done") return { ending, refused, closing: sid }
      const ofSession = sid
      if (ofSession === undefined) return { ending, refused, closing: undefined }
      const close = async (): Promise<void> => {
        await ports.journal.endSession(ofSession, ending.kind, ports.now(), unproven)
        for (const peer of unproven) {
          ports.log.warn("an unproven check was counted against a peer", { task: task.task_id, peer: nodeIdOf(peer) })
        }
      }
      try {
        await close()
        return { ending, refused, closing: undefined }
      } catch (error) {
        if (!isStoreFault(error)) throw error
        checks.lost()
        return { ending, refused: storeFault(error), closing: undefined, unclosed: close }
      }
    })
    .catch((error: unknown) => {
      checks.lost()
      throw error
    })
    .finally(() => checks.end())
  return { session, ended }
}

/** Makes the session's row durable, after a new check of deadline, freezes and rules. Returns why not. Throws E-TSK-004. */
async function begin(
  row: SessionRow,
  task: Task,
  plan: Plan,
  { intents, presented }: AttemptStart,
  ports: TaskPorts,
): Promise<Refusal | undefined> {
  const nowMs = ports.now()
  requireInTime(task, nowMs)
  const held = releaseRefusal(task, ports)
  if (held !== undefined) return held
  try {
    await ports.journal.startSession(row, nowMs, (usage) =>
      ports.risk.evaluate(task, plan.group, usage, nowMs, intents, presented),
    )
    return undefined
  } catch (error) {
    if (isCode(error, "E-TSK-030")) return refuse(error.code, error.data)
    if (isStoreFault(error)) return storeFault(error)
    throw error
  }
}

/** Reads the clock, because an alarm can be late (for example after the machine slept). Throws E-TSK-004. */
function requireInTime({ deadline_ms: deadlineMs }: Task, nowMs: number): void {
  if (nowMs >= deadlineMs) throw new CosignerError("E-TSK-004", { deadlineMs })
}

/** The last check before a share leaves. Throws E-FRZ-001 and E-AUD-008. */
function requireReleased(task: Task, ports: TaskPorts): void {
  const held = releaseError(task, ports)
  if (held !== undefined) throw held
}

const rowOf = (sid: Bytes, taskId: string, attempt: number, plan: Plan, ports: TaskPorts): SessionRow => ({
  sid,
  taskId,
  attempt,
  groupId: plan.groupId,
  epochId: plan.group?.epochId ?? new Uint8Array(0),
  peers: plan.participants.filter((party) => party !== ports.self),
  ecdsa: plan.ecdsa,
})

function sessionIo(
  task: Task,
  plan: Plan,
  ports: TaskPorts,
  checks: OpenChecks,
  onBan: (groupId: string, peer: PartyId) => void,
): SessionIo {
  const { group } = plan
  const { task_id: taskId } = task
  const mayRelease = (): boolean => {
    if (group === undefined || !plan.ecdsa) return true
    const unusable = ports.bans.unusable(group.groupId, group.epochId)
    return !plan.participants.some((party) => unusable.includes(party))
  }
  const isThawed = (): boolean => releaseRefusal(task, ports) === undefined
  return {
    send: (envelope) => {
      // Checked again here, synchronously with the send: the worker may have posted the message before a ban or freeze took effect.
      if (!isAbort(envelope) && !(mayRelease() && isThawed())) return
      ports.send({ kind: "envelope", taskId, receiver: receiverOf(envelope), envelope })
    },
    record: async (what: SessionRecord) => {
      switch (what.kind) {
        case "prepared":
          return ports.groups.prepare(what.group, what.secret)
        case "acknowledged":
          return ports.groups.acknowledge(what.group)
        case "emitted":
          requireInTime(task, ports.now())
          requireReleased(task, ports)
          return ports.journal.emitted(taskId, what.digest, ports.now())
        case "checking":
          if (group === undefined) return
          await checks.begin(toHex(group.epochId), what.peer)
          // While this check waited for its turn, the peer may have been banned, or disabled by a crash (threshold.md 5.4).
          if (mayRelease()) return
          checks.passed(what.peer)
          throw new CosignerError("E-TSK-013", { peers: [nodeIdOf(what.peer)] })
        case "checked":
          checks.passed(what.peer)
      }
    },
    mayRelease: async () => mayRelease(),
    blamed: async (blame: Blame, sid: Bytes) => {
      ports.log[blame.kind === "SESSION" ? "warn" : "error"](`session stopped: ${blame.kind}`, {
        task: taskId,
        session: toHex(sid),
        parties: blame.parties.map(nodeIdOf),
        reason: blame.reason,
      })
      if (blame.kind === "FAULT" || blame.kind === "EQUIV") strike(taskId, sid, blame, blame.kind, ports)
      if (blame.kind !== "BAN" || group === undefined) return
      const { groupId, epochId } = group
      for (const peer of blame.parties) {
        try {
          ports.bans.add({ groupId, epochId, peer, reason: blame.reason, sid, bannedMs: ports.now() })
        } catch (error) {
          checks.lost()
          throw error
        }
        onBan(groupId, peer)
      }
    },
  }
}

/** Records a strike against each blamed peer. This node itself never gets one, whatever a clone of it may have signed. */
function strike(taskId: string, sid: Bytes, blame: Blame, kind: "FAULT" | "EQUIV", ports: TaskPorts): void {
  const evidence = blame.evidence.flatMap((envelope) => statementOf(envelope) ?? []).slice(0, 2)
  const peers = blame.parties.filter((party) => party !== ports.self)
  ports.strikes.add(
    peers.map((peer) => ({ peer, kind, reason: blame.reason, sid, taskId, atMs: ports.now(), evidence })),
  )
  const refused = ports.strikes.refused().filter((party) => peers.includes(party))
  if (refused.length === 0) return
  ports.log.error("tasks that name this party are refused from now on", {
    task: taskId,
    parties: refused.map(nodeIdOf),
  })
}
