/**
 * The main thread's side of the admin socket: starts the thread, does what only the owner of the store can do, writes the log,
 * and starts the thread again if it dies. If the socket cannot be opened, the log says so and the node still signs.
 */

import { rmSync } from "node:fs"
import type { AuditEntry } from "../../audit/entry.ts"
import { build } from "../../build.ts"
import { CosignerError, describe, errorText, placeIn } from "../../errors.ts"
import type { Log } from "../../log.ts"
import type { Store } from "../../store/store.ts"
import type { Shown } from "../inventory/shown.ts"
import {
  type AdminLimits,
  type AdminQuestion,
  type AdminReply,
  type AdminTold,
  type FromAdmin,
  NOTHING,
  type OpenAdmin,
} from "./messages.ts"
import { addressOf, prepareFolder, socketOf } from "./place.ts"
import { type AdminCommand, refusal } from "./protocol.ts"

// In the binary this module is in the bundle's root, and the thread's program in the folder of its own entry point.
const PROGRAM = new URL(build.mode === "compiled" ? "./ops/admin/worker.ts" : "./worker.ts", import.meta.url)

const LIMITS: AdminLimits = { requestMs: 5_000, replyMs: 10_000 }
const OPEN_MS = 10_000
/** Pause between a death and the next start. */
const RESTART_MS = 5_000

interface AdminSocketOptions {
  readonly store: Pick<Store, "path" | "header" | "replaceHeader" | "audit">
  /** Throws the error of the command. */
  readonly carryOut: (command: AdminCommand) => Shown
  readonly log: Log
  readonly limits?: AdminLimits
}

interface AdminSocket {
  /** Path of the open socket; undefined if it could not be opened. */
  readonly path: string | undefined
  stop(): void
}

/** Resolves when the socket is open, or when it is certain that it will not open. Never rejects. */
export async function startAdmin(options: AdminSocketOptions): Promise<AdminSocket> {
  const { store, log, limits = LIMITS } = options
  const path = socketOf(store.path)
  const uid = process.getuid?.() ?? -1
  const closed = (why: string): AdminSocket => {
    log.warn(describe(new CosignerError("E-ADM-001", { path, why })))
    return { path: undefined, stop: () => {} }
  }
  const address = addressOf(path)
  if (address === undefined) return closed("its path is too long for a socket")
  try {
    const why = prepareFolder(path, uid)
    if (why !== undefined) return closed(why)
  } catch (error) {
    return closed(errorText(error))
  }
  const thread = new AdminThread({ kind: "open", path, address, uid, limits }, options)
  const why = await thread.opened
  if (why === undefined) return { path, stop: () => thread.stop(path) }
  thread.stop(undefined)
  return closed(why)
}

class AdminThread {
  /** Why it did not open, or undefined. */
  readonly opened: Promise<string | undefined>
  readonly #open: OpenAdmin
  readonly #options: AdminSocketOptions
  readonly #tellOpened: (why: string | undefined) => void
  #worker: Worker | undefined
  #restart: ReturnType<typeof setTimeout> | undefined
  #wasOpen = false
  #isStopped = false

  constructor(open: OpenAdmin, options: AdminSocketOptions) {
    this.#open = open
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<string | undefined>()
    this.#tellOpened = resolve
    const patience = setTimeout(resolve, OPEN_MS, "it did not open in time")
    this.opened = promise.finally(() => clearTimeout(patience))
    this.#start()
  }

  /** `path`: the socket to remove, if it is ours. */
  stop(path: string | undefined): void {
    this.#isStopped = true
    clearTimeout(this.#restart)
    this.#worker?.terminate()
    if (path !== undefined) rmSync(path, { force: true })
  }

  #start(): void {
    const worker = new Worker(PROGRAM, { smol: true })
    this.#worker = worker
    const died = (reason: string): void => this.#died(worker, reason)
    worker.addEventListener("message", (event: MessageEvent<FromAdmin>) => this.#onMessage(worker, event.data))
    worker.addEventListener("error", (event) => died(`it threw at ${placeIn(event.message)}`))
    worker.addEventListener("close", () => died("it was closed"))
    worker.postMessage(this.#open)
  }

  #died(worker: Worker, reason: string): void {
    if (this.#worker !== worker || this.#isStopped) return
    this.#worker = undefined
    worker.terminate()
    if (!this.#wasOpen) return this.#tellOpened(reason)
    this.#options.log.error(describe(new CosignerError("E-ADM-007", { reason })))
    this.#restart = setTimeout(() => this.#start(), RESTART_MS)
  }

  #onMessage(worker: Worker, message: FromAdmin): void {
    switch (message.kind) {
      case "opened":
        this.#wasOpen = true
        return this.#tellOpened(undefined)
      case "refused":
        return this.#died(worker, message.why)
      case "ask":
        return worker.postMessage({ kind: "reply", id: message.id, reply: this.#reply(message.question) })
    }
  }

  #reply(question: AdminQuestion): AdminReply {
    const { store, carryOut, log } = this.#options
    try {
      switch (question.kind) {
        case "tell":
          tell(log, question.told)
          // A wrong password is only in the node's own log: anybody who reaches the socket could fill a log that only grows.
          if (isDone(question.told)) store.audit.record(Date.now(), commandEntry(question.told))
          return { kind: "answer", answer: { shown: NOTHING } }
        case "header":
          return { kind: "header", header: store.header(), path: store.path }
        case "replaceHeader":
          store.replaceHeader(question.before, question.header)
          return { kind: "answer", answer: { shown: NOTHING } }
        case "carryOut":
          return { kind: "answer", answer: { shown: carryOut(question.command) } }
      }
    } catch (error) {
      const ours =
        error instanceof CosignerError
          ? error
          : new CosignerError("E-CLI-001", { what: errorText(error) }, { cause: error })
      return { kind: "answer", answer: refusal(ours) }
    }
  }
}

const isDone = ({ outcome }: Pick<AdminTold, "outcome">): boolean => outcome === "done" || outcome === "permitted"

function commandEntry({ command, outcome, peer }: AdminTold): AuditEntry {
  return { kind: "command", facts: { command, outcome, uid: peer?.uid, by: "socket" } }
}

/** Writes who did what, for auditors: every guarded command, but never its contents. */
function tell(log: Log, { command, outcome, peer }: AdminTold): void {
  const fields = { command, outcome, ...(peer === undefined ? {} : { pid: peer.pid, uid: peer.uid }) }
  if (isDone({ outcome })) log.info("admin command", fields)
  else log.warn("admin command", fields)
}
