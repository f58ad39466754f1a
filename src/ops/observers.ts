/** The observers that are told what happens in the node. Each keeps its part of what is shown later. */
import type { Tried } from "../callback/ask.ts"
import type { Sent } from "../events/sender.ts"
import type { Log } from "../log.ts"
import type { SessionSpec } from "../mpc/session.ts"
import type { Store } from "../store/store.ts"
import { isFinal, type StartSession, type TaskPort, type TaskRecord } from "../tasks/ports.ts"
import { decodeRecordedTask, type TaskType } from "../wire/task.ts"
import type { EndedCounts } from "./documents.ts"
import type { Lists } from "./lists.ts"
import { measureCallback, measureEnd, measureEvent, measureVerdict } from "./measure.ts"
import type { Metrics } from "./metrics/catalogue.ts"
import { observedJournal } from "./observedJournal.ts"
import type { History } from "./port/history.ts"
import { type SessionInProgress, sessionBook } from "./readiness/sessions.ts"

export interface Observers {
  /** The store's journal, observed. */
  readonly journal: TaskPort
  /** Observed sessions; `limitMs` says how long one may take. */
  startSession(start: StartSession, limitMs: (spec: SessionSpec<unknown>) => number): StartSession
  callbackTried(tried: Tried): void
  eventSent(sent: Sent): void
  workerDied(): void
  taskUnrecorded(type: TaskType, code: string): void
  /** A check-up has proven a share. */
  proven(atMs: number): void
}

export interface Observed {
  readonly ended: Readonly<EndedCounts>
  readonly provenMs: () => number | undefined
  /** Time of the last durable commit, by `clock`. */
  readonly writtenAt: () => number | undefined
  readonly openSessions: () => Iterable<SessionInProgress>
}

interface ObserverParts {
  readonly store: Store
  readonly metrics: Metrics
  readonly history: History
  readonly lists: Pick<Lists, "taskChanged" | "written">
  readonly clock: () => number
  readonly log: Log
}

export function createObservers(parts: ObserverParts): { readonly observers: Observers; readonly seen: Observed } {
  const { store, metrics, history, lists, clock, log } = parts
  const ended: EndedCounts = { completed: 0, rejected: 0, failed: 0, cancelled: 0 }
  let provenMs = lastProof(store)
  let writtenAt: number | undefined
  let openSessions: () => Iterable<SessionInProgress> = () => []

  store.observeCommits((tookMs, isDone, kinds) => {
    log.trace("store commit", () => ({ records: [...kinds].join(", "), isDone, tookMs: rounded(tookMs) }))
    metrics.observe("cosigner_store_commit_seconds", { outcome: isDone ? "done" : "undone" }, tookMs / 1000)
    if (!isDone) return
    writtenAt = clock()
    lists.written(kinds)
  })

  function onEnd(record: TaskRecord): void {
    const { state, type, updatedMs, claimedMs } = record
    if (!isFinal(state)) return
    ended[state] += 1
    const isSigned = state === "completed" && type === "KeySign"
    if (isSigned) provenMs = updatedMs
    measureEnd(metrics, record, signatureTypeOf(record))
    history.ended(state === "cancelled" ? "failed" : state, isSigned ? updatedMs - claimedMs : undefined, updatedMs)
  }

  const journal = observedJournal(
    store.journal,
    { changed: lists.taskChanged, decided: (verdict) => measureVerdict(metrics, verdict), ended: onEnd },
    log,
  )
  return {
    observers: {
      journal,
      startSession(start, limitMs) {
        const book = sessionBook({
          start,
          clock,
          limitMs,
          onEnd: (protocol, ending, tookMs) => {
            log.trace("session ended", () => ({ protocol, ending, tookMs: rounded(tookMs) }))
            metrics.observe("cosigner_session_duration_seconds", { protocol, ending }, tookMs / 1000)
          },
        })
        openSessions = book.open
        return book.startSession
      },
      callbackTried(tried) {
        const { server, answer, tookMs } = tried
        log.trace("callback server asked", () => ({ server, answer: answer.kind, ...codeOf(answer), tookMs }))
        measureCallback(metrics, tried)
      },
      eventSent(sent) {
        log.trace("event sent", () => ({ ...sent }))
        measureEvent(metrics, sent)
      },
      taskUnrecorded: (type, code) => metrics.add("cosigner_tasks_unrecorded_total", { type, code }),
      workerDied: () => metrics.add("cosigner_worker_deaths_total", {}),
      proven(atMs) {
        provenMs = atMs
      },
    },
    seen: { ended, provenMs: () => provenMs, writtenAt: () => writtenAt, openSessions: () => openSessions() },
  }
}

const rounded = (ms: number): number => Math.round(ms * 100) / 100

const codeOf = (answer: Tried["answer"]) => (answer.kind === "failed" ? { code: answer.code } : {})

/** From earlier runs: the last signature, or the last check-up that every active share passed. */
function lastProof(store: Store): number | undefined {
  const signed = store.tasks.list({ state: "completed", type: "KeySign", limit: 1 })[0]?.updatedMs
  const checked = store.groups
    .list()
    .filter(({ status }) => status === "ACTIVE")
    .map(({ groupId, epochId }) => store.checkup(groupId, epochId))
    .map((checkup) => (checkup?.problem === "" ? checkup.atMs : 0))
  const last = Math.max(signed ?? 0, checked.length === 0 ? 0 : Math.min(...checked))
  return last === 0 ? undefined : last
}

function signatureTypeOf(record: TaskRecord): number | undefined {
  const task = decodeRecordedTask(record.document)
  return "problem" in task || task.type !== "KeySign" ? undefined : task.signature_type
}
