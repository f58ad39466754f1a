/**
 * Freezes a node and its groups, and ends freezes. It carries out the requests of operators and approvers, tells the log and the
 * event servers, ends what runs under a freeze, and lifts the freezes whose time has passed.
 */
import { CosignerError, codeField, errorText } from "../errors.ts"
import { goTime } from "../keys/groupInfo.ts"
import type { Log } from "../log.ts"
import type { FreezeAsked } from "../store/freezes.ts"
import type { Store } from "../store/store.ts"
import type { Freeze } from "../tasks/freeze.ts"
import type { OutboxEvent } from "../tasks/ports.ts"
import type { Shown } from "./inventory/shown.ts"

type FreezeEvent = (type: "node.frozen" | "node.unfrozen", freeze: Freeze, atMs: number) => OutboxEvent

interface FreezingParts {
  readonly store: Pick<Store, "freezes" | "served" | "groups" | "policies">
  readonly log: Log
  readonly event: FreezeEvent
  /** A freeze is in force: everything that runs under it must end. */
  readonly onFrozen: () => void
}

export interface Freezing {
  /** Durable when it returns. Throws E-CLI-011 for an unknown group, E-FRZ-002. */
  freeze(asked: FreezeAsked): Shown
  /** Undefined: every freeze. Throws E-FRZ-003 if nothing of that name is frozen. */
  unfreeze(groupId: string | undefined, by?: string): Shown
  /** From now on looks for freezes whose time has passed. */
  begin(): void
  stop(): void
}

const LOOK_MS = 1_000
/** A crash forgets at most this much of the time in service, and a freeze lasts that much longer. */
const KEEP_MS = 5_000

export function freezingOf(parts: FreezingParts): Freezing {
  let timer: ReturnType<typeof setInterval> | undefined
  return {
    freeze: (asked) => freeze(parts, asked),
    unfreeze: (groupId, by = "host") => unfreeze(parts, groupId, by, Date.now()),
    begin() {
      const { store, log } = parts
      for (const frozen of store.freezes.list()) log.warn("frozen since before this start", fieldsOf(frozen))
      store.served.begin()
      let keptAt = performance.now()
      timer = setInterval(() => {
        try {
          if (endFreezes(parts, Date.now(), performance.now() - keptAt >= KEEP_MS)) keptAt = performance.now()
        } catch (error) {
          log.error("the end of a freeze could not be recorded; it goes on", {
            ...codeField(error),
            why: errorText(error),
          })
        }
      }, LOOK_MS)
    },
    stop: () => clearInterval(timer),
  }
}

function freeze(parts: FreezingParts, asked: FreezeAsked): Shown {
  const { store, log, event, onFrozen } = parts
  requireKnown(store, asked.groupId)
  const nowMs = Date.now()
  try {
    const frozen = store.freezes.freeze(asked, nowMs, (made) => [event("node.frozen", made, nowMs)])
    log.warn("frozen", fieldsOf(frozen))
    return { value: shownJson(frozen), lines: [`Frozen: ${wordsOf(frozen)}`] }
  } finally {
    // This also applies if the freeze could not be recorded, because it is in force.
    onFrozen()
  }
}

function requireKnown({ groups }: FreezingParts["store"], groupId: string): void {
  const known = [...new Set(groups.list().map((group) => group.groupId))]
  if (groupId !== "" && !known.includes(groupId)) {
    throw new CosignerError("E-CLI-011", { what: "such group (--group)", known })
  }
}

function unfreeze(
  { store, log, event }: Pick<FreezingParts, "store" | "log" | "event">,
  groupId: string | undefined,
  by: string,
  nowMs: number,
): Shown {
  const frozen = store.freezes.list().map((one) => one.groupId)
  const named = groupId === undefined ? frozen : frozen.filter((one) => one === groupId)
  if (named.length === 0) throw new CosignerError("E-FRZ-003", { groupId: groupId ?? "", frozen })
  const lifted = store.freezes.lift(named, by, nowMs, (all) => all.map((one) => event("node.unfrozen", one, nowMs)))
  for (const one of lifted) log.warn("unfrozen", fieldsOf(one))
  return { value: lifted.map(shownJson), lines: lifted.map((one) => `Unfrozen: ${wordsOf(one)}`) }
}

/** Lifts freezes that have ended, and records the time in service if something waits for it. True: it was recorded. */
export function endFreezes(
  { store, log, event }: Pick<FreezingParts, "store" | "log" | "event">,
  nowMs: number,
  isDue: boolean,
): boolean {
  const ended = store.freezes.ended(nowMs)
  store.freezes.lift(
    ended.map(({ groupId }) => groupId),
    "time",
    nowMs,
    (all) => all.map((one) => event("node.unfrozen", one, nowMs)),
  )
  for (const one of ended) log.warn("unfrozen: its time has passed", fieldsOf(one))
  const isPolicyWaiting = store.policies.followed?.waiting !== undefined
  const waits = isPolicyWaiting || store.freezes.list().some(({ end }) => end !== undefined)
  if (isDue && waits) store.served.keep()
  return isDue
}

const scopeOf = ({ groupId }: Freeze): string => (groupId === "" ? "the whole node" : `group ${groupId}`)

/** In one line, for people. */
export function wordsOf(freeze: Freeze): string {
  const until = freeze.end === undefined ? "until it is lifted" : `until ${goTime(freeze.end.atMs)} at the earliest`
  const why = freeze.reason === "" ? "" : `: ${freeze.reason}`
  return `${scopeOf(freeze)}, since ${goTime(freeze.sinceMs)}, ${until}, by ${freeze.by}${why}`
}

const fieldsOf = (freeze: Freeze) => ({
  scope: scopeOf(freeze),
  by: freeze.by,
  ...(freeze.end === undefined ? {} : { until: goTime(freeze.end.atMs) }),
  ...(freeze.reason === "" ? {} : { reason: freeze.reason }),
})

const shownJson = ({ groupId, sinceMs, end, reason, by }: Freeze): object => ({
  group_id: groupId === "" ? null : groupId,
  since_ms: sinceMs,
  until_ms: end?.atMs ?? null,
  reason,
  by,
})
