/**
 * The thread of the admin socket: takes requests, compares passwords, bounds both, and asks the main thread for what only
 * it can do. Passwords are compared here, one at a time, so that the signing thread does not bear the cost. The thread holds the data
 * key only as long as it takes to wrap it again.
 */
import { chmodSync } from "node:fs"
import type { Bytes } from "../../bytes.ts"
import { Malformed } from "../../codec.ts"
import { charactersOf, LEAST_CHARACTERS } from "../../config/keyFile.ts"
import { DEFAULT_KDF } from "../../crypto/passwordKey.ts"
import { CosignerError, errorText } from "../../errors.ts"
import { libc } from "../../hardening/libc.ts"
import { removeStale } from "../../panel/staleSocket.ts"
import { unwrapKey, wrapKey } from "../../store/header.ts"
import { TokenBucket } from "../../tokenBucket.ts"
import {
  type AdminLimits,
  type AdminQuestion,
  type AdminReply,
  type FromAdmin,
  NOTHING,
  type OpenAdmin,
  type ToAdmin,
} from "./messages.ts"
import { PasswordGate } from "./passwordGate.ts"
import { type AdminPeer, isUserOrRoot, peerOf } from "./place.ts"
import {
  type AdminAnswer,
  type AdminRequest,
  decodeOutcome,
  decodeRequest,
  encodeAnswer,
  FrameReader,
  isBrake,
  isGuarded,
  isPermitted,
  isTold,
  MAX_REQUEST,
  refusal,
} from "./protocol.ts"

declare const self: {
  postMessage(message: FromAdmin): void
  addEventListener(kind: "message", listener: (event: { readonly data: ToAdmin }) => void): void
}

const MAX_CONNECTIONS = 16
/** Time for a permitted command to report how it ended. */
const PERMITTED_MS = 60 * 60 * 1000
/** Lists cost the main thread time, so only a few are answered at once, and a few a second. */
const REQUESTS = { burst: 20, perSecond: 2 }

type AdminConnection = Bun.Socket<ConnectionState>

interface ConnectionState {
  readonly reader: FrameReader
  readonly peer: AdminPeer | undefined
  /** The command that was permitted on this connection. */
  permitted: AdminRequest["command"] | undefined
  isBusy: boolean
  isOver: boolean
  timer: ReturnType<typeof setTimeout> | undefined
  unsent: Uint8Array | undefined
}

const gate = new PasswordGate()
const bucket = new TokenBucket(REQUESTS, performance.now())
const asked = new Map<number, (reply: AdminReply | undefined) => void>()
let [connections, lastId] = [0, 0]
/** The main thread sets these. */
let limits: AdminLimits = { requestMs: 0, replyMs: 0 }
let turn: Promise<unknown> = Promise.resolve()

// ---- the main thread -------------------------------------------------------------------------------------------------

/** The main thread did not answer in time. It may still carry out the request, so nobody is told that it failed. */
class Unanswered extends Error {}

/** Throws Unanswered. */
async function ask(question: AdminQuestion): Promise<AdminReply> {
  const id = ++lastId
  const { promise, resolve } = Promise.withResolvers<AdminReply | undefined>()
  const timer = setTimeout(resolve, limits.replyMs, undefined)
  asked.set(id, resolve)
  self.postMessage({ kind: "ask", id, question })
  const reply = await promise
  clearTimeout(timer)
  asked.delete(id)
  if (reply === undefined) throw new Unanswered()
  return reply
}

async function answerOf(question: AdminQuestion): Promise<AdminAnswer> {
  const reply = await ask(question)
  if (reply.kind === "answer") return reply.answer
  throw new CosignerError("E-CLI-001", { what: "the main thread answered another question" })
}

/** Undefined if the main thread does not confirm in time that line and leaf are written. A command that was carried out is still answered. */
async function tell({ peer }: ConnectionState, { command }: AdminRequest["command"], outcome: string) {
  return await answerOf({ kind: "tell", told: { command, outcome, peer } }).catch(() => undefined)
}

/** The answer to a permitted command. It is sent only once the log for auditors has the leaf. */
async function permittedOnRecord(state: ConnectionState, command: AdminRequest["command"], answer: AdminAnswer) {
  const told = await tell(state, command, "permitted")
  if (told === undefined || "problem" in told) {
    await tell(state, command, told === undefined ? UNKNOWN : told.problem.code)
    return told
  }
  state.permitted = command
  return answer
}

// ---- commands --------------------------------------------------------------------------------------------------------

async function carriedOut(request: AdminRequest): Promise<AdminAnswer> {
  const { command } = request
  if (!isBrake(command) && !bucket.take(performance.now())) throw new CosignerError("E-ADM-005", {})
  if (!isGuarded(command)) return await answerOf({ kind: "carryOut", command })
  const mine = turn.then(() => guarded(request))
  turn = mine.catch(() => undefined)
  return await mine
}

async function guarded({ command, password, next }: AdminRequest): Promise<AdminAnswer> {
  const shut = gate.shut(performance.now())
  if (shut !== undefined) throw new CosignerError("E-ADM-004", shut)
  const reply = await ask({ kind: "header" })
  if (reply.kind === "answer") return reply.answer
  const { header: before, path } = reply
  const dataKey = unwrapKey(before, password)
  if (dataKey === "malformed") throw new CosignerError("E-STO-008", { path, where: "its header is not one of ours" })
  if (dataKey === undefined) {
    gate.wrong(performance.now())
    throw new CosignerError("E-STO-004", { path })
  }
  using key = dataKey
  if (command.command === "backup") return { shown: NOTHING }
  if (command.command !== "change-password") return await answerOf({ kind: "carryOut", command })
  if (charactersOf(next) < LEAST_CHARACTERS) throw new CosignerError("E-CLI-005", { least: LEAST_CHARACTERS })
  return await answerOf({ kind: "replaceHeader", before, header: wrapKey(key, next, DEFAULT_KDF) })
}

/** Never rejects. */
async function serve(connection: AdminConnection, body: Uint8Array): Promise<void> {
  const state = connection.data
  state.isBusy = true
  let request: AdminRequest | undefined
  /** Undefined: the result is not known, and the caller sees the connection end (E-ADM-002). */
  let answer: AdminAnswer | undefined
  try {
    request = decodeRequest(body)
    state.reader.clear()
    answer = await carriedOut(request)
  } catch (error) {
    if (!(error instanceof Unanswered)) answer = refusal(asOurs(error))
  }
  state.reader.clear()
  request?.password.wipe()
  request?.next.wipe()
  const command = request?.command
  if (command !== undefined && isTold(command)) {
    const how = outcomeOf(command, answer)
    if (how === "permitted" && answer !== undefined) answer = await permittedOnRecord(state, command, answer)
    else await tell(state, command, how)
  }
  state.isBusy = false
  if (state.isOver) return wentAway(state)
  if (answer === undefined) return void connection.terminate()
  patience(connection, state.permitted === undefined ? limits.requestMs : PERMITTED_MS)
  send(connection, encodeAnswer(answer))
}

const UNKNOWN = "unknown: the main thread did not answer in time"

function outcomeOf(command: AdminRequest["command"], answer: AdminAnswer | undefined): string {
  if (answer === undefined) return UNKNOWN
  return "problem" in answer ? answer.problem.code : isPermitted(command) ? "permitted" : "done"
}

function asOurs(error: unknown): CosignerError {
  if (error instanceof CosignerError) return error
  if (error instanceof Malformed) return new CosignerError("E-ADM-006", { problem: error.message })
  return new CosignerError("E-CLI-001", { what: `an admin command failed: ${errorText(error)}` })
}

/** How a permitted command ended. */
async function ended(connection: AdminConnection, body: Uint8Array): Promise<void> {
  const state = connection.data
  const { permitted } = state
  state.permitted = undefined
  if (permitted === undefined) return
  let outcome = "unknown: its last word cannot be read"
  try {
    outcome = decodeOutcome(body)
  } catch (error) {
    if (!(error instanceof Malformed)) throw error
  }
  await tell(state, permitted, outcome)
  connection.end()
}

/** A permitted command gets an end in the log, even if its connection ends first. */
function wentAway(state: ConnectionState): void {
  const { permitted } = state
  state.permitted = undefined
  if (permitted !== undefined) void tell(state, permitted, "unknown: the command went away")
}

// ---- connections -----------------------------------------------------------------------------------------------------

function patience(connection: AdminConnection, ms: number): void {
  clearTimeout(connection.data.timer)
  connection.data.timer = setTimeout(() => connection.terminate(), ms)
}

function send(connection: AdminConnection, bytes: Bytes): void {
  connection.data.unsent = bytes
  flush(connection)
}

function flush(connection: AdminConnection): void {
  const state = connection.data
  if (state.unsent === undefined) return
  const written = connection.write(state.unsent)
  state.unsent = written < 0 ? undefined : state.unsent.subarray(written)
  if (state.unsent !== undefined && state.unsent.length > 0) return
  state.unsent = undefined
  if (state.permitted === undefined) connection.end()
}

function listen(address: string, uid: number): void {
  Bun.listen<ConnectionState>({
    unix: address,
    socket: {
      open(connection) {
        connections++
        const peer = peerOf(connection)
        connection.data = {
          reader: new FrameReader(MAX_REQUEST),
          peer,
          permitted: undefined,
          isBusy: false,
          isOver: false,
          timer: undefined,
          unsent: undefined,
        }
        patience(connection, limits.requestMs)
        if (connections > MAX_CONNECTIONS || !isUserOrRoot(peer, uid)) connection.terminate()
      },
      data(connection, piece) {
        const { reader, isBusy, permitted } = connection.data
        if (isBusy || !reader.add(piece)) {
          piece.fill(0)
          return void connection.terminate()
        }
        const body = reader.whole()
        if (body === undefined) return
        // The request came in time. Everything that it waits for from here on has bounds of its own.
        clearTimeout(connection.data.timer)
        if (permitted === undefined) void serve(connection, body)
        else void ended(connection, body)
      },
      drain: flush,
      close(connection) {
        connections--
        const { reader, timer } = connection.data
        connection.data.isOver = true
        clearTimeout(timer)
        reader.clear()
        wentAway(connection.data)
      },
      error() {},
    },
  })
}

async function open({ path, address, uid, limits: stated }: OpenAdmin): Promise<void> {
  limits = stated
  try {
    // Opens the C library now: after the node has sealed its code, nothing can be loaded.
    if (process.platform === "linux") libc()
    await removeStale(path)
    listen(address, uid)
    chmodSync(path, 0o600)
    self.postMessage({ kind: "opened" })
  } catch (error) {
    self.postMessage({ kind: "refused", why: errorText(error) })
  }
}

self.addEventListener("message", ({ data }) => {
  if (data.kind === "open") void open(data)
  else asked.get(data.id)?.(data.reply)
})
