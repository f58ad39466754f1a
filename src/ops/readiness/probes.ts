/**
 * The items of readiness, each as a function with its inputs as parameters. Limits are parameters; LIMITS has the node's. Every
 * failure is noticed within 30 s.
 */
import { CosignerError, errorText } from "../../errors.ts"
import { clockOff } from "../../link/clockOff.ts"
import type { LinkState, ReplicaState } from "../../link/link.ts"
import type { PolicyRecord } from "../../store/policies.ts"
import type { Freeze } from "../../tasks/freeze.ts"
import type { GroupSignable } from "../../tasks/signable.ts"
import { wordsOf } from "../freezing.ts"
import type { SessionInProgress } from "./sessions.ts"
import type { Probe, ProbeFinding } from "./watch.ts"

export interface WatchLimits {
  /** The last durable write must not be older; a probe writes before it would be. */
  readonly storeMs: number
  /** The longest silence on a link that is up. Heartbeats come every 15 s. */
  readonly linkSilentMs: number
  /** How long the link may be down before this reaches the log; readiness does not wait. */
  readonly linkHoldMs: number
  /** Largest difference between this clock and WaaS's, in addition to the error of measurement. */
  readonly clockMs: number
  /** The last answer of every session worker must not be older. */
  readonly workersMs: number
  /** A worker that is silent for this long is given up and replaced. */
  readonly buryMs: number
  /** A session may outlive its own limit by this much. */
  readonly sessionGraceMs: number
  /** The main thread must run again within this time. */
  readonly stallMs: number
  /** After a stall, the node counts as ready again after this time. */
  readonly calmMs: number
}

export const WATCH_LIMITS: WatchLimits = {
  storeMs: 20_000,
  linkSilentMs: 20_000,
  linkHoldMs: 10_000,
  clockMs: 5_000,
  workersMs: 15_000,
  buryMs: 60_000,
  sessionGraceMs: 10_000,
  stallMs: 10_000,
  calmMs: 3_000,
}

const ok = (reason: string): ProbeFinding => ({ state: "ok", reason })
const waiting = (reason: string): ProbeFinding => ({ state: "waiting", reason })
const failed = (error: CosignerError): ProbeFinding => ({ state: "failed", error })
const ago = (ms: number): string => `${(Math.max(0, ms) / 1000).toFixed(1)} s ago`

// ---- store ------------------------------------------------------------------------------------------------------------

/** Makes a write of its own when no task has written for half the limit; after a failure it also writes no more often. */
export function storeProbe(parts: {
  readonly limits: WatchLimits
  /** Monotonic, ms. */
  readonly clock: () => number
  /** Time of the last durable commit, monotonic. */
  readonly writtenAt: () => number | undefined
  /** A real write; throws. */
  readonly write: () => void
}): Probe {
  const { storeMs } = parts.limits
  let triedAt = Number.NEGATIVE_INFINITY
  let failure: unknown
  const age = (): number => parts.clock() - (parts.writtenAt() ?? Number.NEGATIVE_INFINITY)
  return {
    name: "store",
    holdMs: 0,
    look() {
      if (Math.min(age(), parts.clock() - triedAt) >= storeMs / 2) {
        try {
          parts.write()
          failure = undefined
        } catch (error) {
          failure = error
        }
        triedAt = parts.clock()
      }
      if (failure !== undefined && age() > parts.clock() - triedAt) {
        return failed(new CosignerError("E-STA-010", { why: errorText(failure) }))
      }
      if (age() <= storeMs) return ok(`written ${ago(age())}`)
      return failed(new CosignerError("E-STA-010", { why: `the last write that stands was ${ago(age())}` }))
    },
  }
}

// ---- link and clock ---------------------------------------------------------------------------------------------------

interface LinkView {
  readonly phase: "connecting" | "online" | "waiting" | "stopped"
  readonly silentMs: number | undefined
  readonly measured: { readonly rttMs: number; readonly clockOffsetMs: number } | undefined
  readonly lastError: CosignerError | undefined
  readonly replicas: readonly Pick<ReplicaState, "url" | "phase" | "silentMs" | "awayMs" | "lastError">[]
}

export const linkProbe = (limits: WatchLimits, state: () => LinkView): Probe => ({
  name: "link",
  holdMs: limits.linkHoldMs,
  look() {
    const { phase, silentMs = 0, lastError, replicas } = state()
    const down = (why: string): ProbeFinding => failed(new CosignerError("E-STA-011", { why }))
    if (phase === "online") {
      const seconds = Math.round(silentMs / 1000)
      if (silentMs > limits.linkSilentMs) return down(`nothing was heard for ${seconds} s`)
      return linked(replicas, limits, `heard ${ago(silentMs)}`)
    }
    // This error's own code and next step say more than that the link is down.
    if (lastError !== undefined) return failed(lastError)
    return phase === "stopped" ? down("the node is stopping") : waiting("not yet up")
  },
})

/** Ready with any replica; a replica that is away for long is named in a notice. */
function linked(replicas: LinkView["replicas"], limits: WatchLimits, heard: string): ProbeFinding {
  const of = replicas.length
  if (of <= 1) return ok(heard)
  const isUp = ({ phase, silentMs = 0 }: LinkView["replicas"][number]) =>
    phase === "online" && silentMs <= limits.linkSilentMs
  const up = replicas.filter(isUp).length
  const reason = `${heard}; ${up} of ${of} replicas`
  const gone = replicas.filter((one) => !isUp(one) && (one.awayMs ?? limits.linkHoldMs) >= limits.linkHoldMs)
  if (gone.length === 0) return ok(reason)
  const away = gone.map(({ url, lastError }) => (lastError === undefined ? url : `${url} (${lastError.code})`))
  return { state: "ok", reason, notice: new CosignerError("E-LNK-027", { up, of, away: away.join(", ") }) }
}

export const clockProbe = (limits: WatchLimits, state: () => Pick<LinkView, "measured">): Probe => ({
  name: "clock",
  holdMs: 0,
  look() {
    const { measured } = state()
    if (measured === undefined) return waiting("not yet compared with the clock of WaaS")
    const off = clockOff(measured, limits.clockMs)
    if (off !== undefined) return failed(new CosignerError("E-STA-012", off))
    return ok(`${Math.round(measured.clockOffsetMs)} ms from the clock of WaaS`)
  },
})

/** The state of WaaS's own store: while it takes no writes, WaaS asks nothing new of this node. */
export const waasProbe = (state: () => Pick<LinkState, "phase" | "waasProblem">): Probe => ({
  name: "waas",
  holdMs: 0,
  look() {
    const { waasProblem, phase } = state()
    if (waasProblem === undefined)
      return ok(phase === "online" ? "it says nothing against it" : "nothing is heard of it")
    return failed(new CosignerError("E-STA-019", { why: `${waasProblem.code} ${waasProblem.reason}` }))
  },
})

// ---- groups -----------------------------------------------------------------------------------------------------------

/** Groups that a reason names; /groups lists them all. */
const NAMED = 4

/** A node without a group is ready to make one. A group that signs without some member is named in a notice. */
export const groupsProbe = (active: () => readonly GroupSignable[]): Probe => ({
  name: "groups",
  holdMs: 0,
  look() {
    const groups = active()
    const all = groups.flatMap(({ groupId, signable }) => signable.map((one) => ({ groupId, ...one })))
    const blocked = all.filter(({ ready }) => !ready)
    if (blocked.length > 0) {
      const named = blocked.slice(0, NAMED).map(({ groupId, algorithm, problem }) => {
        return `${algorithm} in group ${groupId}: ${problem?.code} ${problem?.message}`
      })
      const more = blocked.length > NAMED ? [`and ${blocked.length - NAMED} more`] : []
      const count = new Set(blocked.map(({ groupId }) => groupId)).size
      const why = [...named, ...more].join("; ")
      return failed(new CosignerError("E-STA-018", { blocked: count, groups: groups.length, why }))
    }
    if (groups.length === 0) return ok("none is here yet")
    const reason = `${groups.length} can sign with every algorithm of their keys`
    const due = groups.find(({ refresh }) => refresh !== undefined)?.refresh
    if (due !== undefined) return { state: "ok", reason: `${reason}; ${due.message}`, notice: due }
    const notice = all.find(({ problem }) => problem !== undefined)?.problem
    if (notice === undefined) return ok(reason)
    return { state: "ok", reason: `${reason}; not every member can take part: ${notice.message}`, notice }
  },
})

// ---- freeze -----------------------------------------------------------------------------------------------------------

/** The item `groups` fails for a frozen group; this item names it. */
export const freezeProbe = (freezes: () => readonly Freeze[]): Probe => ({
  name: "freeze",
  holdMs: 0,
  look() {
    const all = freezes()
    const [first] = all
    if (first === undefined) return ok("nothing is frozen")
    const reason = all.slice(0, NAMED).map(wordsOf).join("; ")
    if (first.groupId === "") return failed(new CosignerError("E-FRZ-004", { what: reason }))
    return { state: "ok", reason: `frozen: ${reason}`, notice: new CosignerError("E-FRZ-004", { what: reason }) }
  },
})

// ---- policy bundle ----------------------------------------------------------------------------------------------------

/** A version that waits does not prevent signing. It is named as long as it waits. */
export const policyProbe = (record: () => PolicyRecord | undefined): Probe => ({
  name: "policy",
  holdMs: 0,
  look() {
    const followed = record()
    if (followed === undefined) return ok("no bundle is followed")
    const { active, waiting } = followed
    const earlier = followed.history.filter(({ version }) => version !== active.version && version !== waiting?.version)
    const before = earlier.slice(-NAMED).map(({ version, fate }) => `${version} ${fate}`)
    const past = before.length === 0 ? "" : `; before: ${before.join(", ")}`
    const reason = `version ${active.version} of a bundle, signed by ${active.owners.join(", ")}${past}`
    if (waiting === undefined) return ok(reason)
    const notice = new CosignerError("E-POL-008", { version: waiting.version, atMs: waiting.end.atMs })
    return { state: "ok", reason: `${reason}; ${notice.message}`, notice }
  },
})

// ---- configuration ----------------------------------------------------------------------------------------------------

/** Keys of the file that wait for a restart do not prevent signing. They are named as long as they wait. */
export const configProbe = (waiting: () => readonly string[]): Probe => ({
  name: "configuration",
  holdMs: 0,
  look() {
    const keys = waiting()
    if (keys.length === 0) return ok("in force as read")
    const notice = new CosignerError("E-CFG-012", { keys })
    return { state: "ok", reason: notice.message, notice }
  },
})

// ---- session workers --------------------------------------------------------------------------------------------------

interface PoolView {
  ping(): Promise<number>
  alive(): number
  reap(silentMs: number): void
}

/** Keeps one ping under way to each worker; a worker that does not answer for long is replaced. */
export function workersProbe(parts: {
  readonly limits: WatchLimits
  readonly clock: () => number
  readonly pool: PoolView
  readonly size: number
  readonly onAnswer: (tookMs: number) => void
}): Probe {
  const { limits, clock, pool, size } = parts
  let askedAt = clock()
  let answeredAt: number | undefined
  let tookMs = 0
  let isUnderWay = false

  function ask(): void {
    isUnderWay = true
    askedAt = clock()
    pool.ping().then((took) => {
      isUnderWay = false
      answeredAt = clock()
      tookMs = took
      parts.onAnswer(took)
    })
  }

  return {
    name: "workers",
    holdMs: 0,
    look() {
      if (isUnderWay) pool.reap(limits.buryMs)
      else if (clock() - askedAt >= limits.workersMs / 3 || answeredAt === undefined) ask()
      const dead = (why: string): ProbeFinding => failed(new CosignerError("E-STA-013", { why }))
      if (pool.alive() < size) return dead(`${pool.alive()} of ${size} are alive`)
      if (isUnderWay && clock() - askedAt > limits.workersMs)
        return dead(`one has not answered since ${ago(clock() - askedAt)}`)
      if (answeredAt === undefined) return waiting("not yet asked")
      return ok(`${size} answered within ${Math.ceil(tookMs)} ms, ${ago(clock() - answeredAt)}`)
    },
  }
}

export const sessionsProbe = (
  limits: WatchLimits,
  clock: () => number,
  open: () => Iterable<SessionInProgress>,
): Probe => ({
  name: "sessions",
  holdMs: 0,
  look() {
    const all = [...open()]
    const over = all.map(({ endsAt }) => clock() - endsAt - limits.sessionGraceMs).filter((ms) => ms > 0)
    if (over.length === 0) return ok(all.length === 0 ? "none is open" : `${all.length} open, none overdue`)
    const overMs = Math.round(Math.max(...over) + limits.sessionGraceMs)
    return failed(new CosignerError("E-STA-014", { sessions: over.length, overMs }))
  },
})

// ---- main thread ------------------------------------------------------------------------------------------------------

/**
 * Sees stalls from inside and afterwards, by the time between two looks. During a stall only another thread can report it
 * (port/worker.ts), which also logs it. This probe keeps the node from being ready right afterwards.
 */
export function loopProbe(limits: WatchLimits, clock: () => number, onStall: (ms: number) => void): Probe {
  let lookedAt = clock()
  let stalled: { readonly ms: number; readonly endedAt: number } | undefined
  return {
    name: "loop",
    holdMs: Number.POSITIVE_INFINITY,
    look() {
      const ms = clock() - lookedAt
      lookedAt = clock()
      if (ms > limits.stallMs) {
        stalled = { ms, endedAt: clock() }
        onStall(ms)
      }
      if (stalled !== undefined && clock() - stalled.endedAt < limits.calmMs) {
        return failed(new CosignerError("E-STA-015", { stalledMs: Math.round(stalled.ms) }))
      }
      return ok(stalled === undefined ? "never stalled" : `last stalled ${ago(clock() - stalled.endedAt)}`)
    },
  }
}

// ---- proof ------------------------------------------------------------------------------------------------------------

/** `limitMs` undefined: no schedule promises a proof, so only its age is reported. */
export const proofProbe = (parts: {
  readonly now: () => number
  /** When a share of this node last signed, ms since 1970. */
  readonly provenMs: () => number | undefined
  /** Age of the oldest key share that could sign. */
  readonly heldMs: () => number | undefined
  readonly limitMs: number | undefined
}): Probe => ({
  name: "proof",
  holdMs: 0,
  look() {
    const heldMs = parts.heldMs()
    if (heldMs === undefined) return ok("nothing to prove yet: no key share is here")
    const provenMs = parts.provenMs()
    const ageMs = parts.now() - (provenMs ?? heldMs)
    if (parts.limitMs !== undefined && ageMs > parts.limitMs)
      return failed(new CosignerError("E-STA-016", { ageMs, limitMs: parts.limitMs }))
    if (provenMs === undefined) return ok("nothing proven yet")
    return ok(`a share signed ${ago(ageMs)}`)
  },
})
