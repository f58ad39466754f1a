/**
 * The protocol between a command and the admin socket of a node. There is one frame each way: a u32 length and the body. The body of a
 * request has the document, the password and a new password, each after its own length. Passwords are not part of the JSON, because
 * its text could not be wiped. Documents are closed: one form, every key known, every value bounded.
 *
 * The command itself carries out `export-share` and `backup`, on the file. The node compares the password and permits the command, and
 * the command reports in a second frame on the same connection how it ended.
 */

import { MAX_OPERATION_ORDER, MAX_OPERATION_ORDERS, MAX_SIGNED_ORDER } from "../../approvals/orderLimits.ts"
import { type Bytes, concat, u32be, utf8 } from "../../bytes.ts"
import * as c from "../../codec.ts"
import { CosignerError } from "../../errors.ts"
import { Secret } from "../../secret.ts"
import { closed, integer, list, oneOf, parseJson, type Read, text, textUpTo } from "../../wire/json.ts"
import type { Shown } from "../inventory/shown.ts"

/** Length of a request; the longest holds a message of 4096 bytes, as hex or with each byte escaped. */
export const MAX_REQUEST = 64 * 1024
/** Length of an answer; it has room for thousands of groups. */
export const MAX_ANSWER = 8 * 1024 * 1024
const MAX_PASSWORD = 1024
const MAX_LISTED = 1000
const MAX_FREEZE_MS = 366 * 86_400_000
const LENGTH = 4

const id = text(/^[\x21-\x7e]{1,128}$/, "an id")
const ids = list(id, 0, 256)
const none = {}

/** Anybody who can open the socket may send these: they show nothing that a log or the status port would hide. */
const OPEN = {
  info: closed(none),
  groups: closed(none, { group_id: id }),
  address: closed({ group_id: id, path: textUpTo(512), chain: id }, { encoding: id }),
  tasks: closed({ limit: integer(1, MAX_LISTED) }, { task_id: id }),
  events: closed({ limit: integer(1, MAX_LISTED) }),
  strikes: closed(none),
  "policy status": closed(none),
}
/** Anybody who can open the socket may stop the node, because they could also kill it. */
const BRAKE = {
  freeze: closed({ reason: textUpTo(200) }, { group_id: id, for_ms: integer(1, MAX_FREEZE_MS) }),
  /** An order carries its own authority: a person's signature. */
  order: closed({ order: textUpTo(MAX_SIGNED_ORDER) }),
}
/** These need the password, each time. */
const GUARDED = {
  "strikes pardon": closed({ node_id: id }),
  "share-sign": closed({ group_id: id, message: textUpTo(8194) }),
  "change-password": closed(none),
  "trust-waas": closed({ public_key: text(/^[0-9a-f]{64}$/, "an Ed25519 public key in hex") }),
  /** With the orders of people, if the configuration demands them. */
  "export-share": closed({ group_ids: ids }, { orders: list(textUpTo(MAX_OPERATION_ORDER), 0, MAX_OPERATION_ORDERS) }),
  backup: closed({ group_ids: ids }),
  unfreeze: closed(none, { group_id: id }),
}
const COMMANDS = { ...OPEN, ...BRAKE, ...GUARDED }

type ReadBy<R> = R extends Read<infer T> ? T : never
type CommandName = keyof typeof COMMANDS
export type AdminCommand = {
  readonly [N in CommandName]: { readonly command: N } & ReadBy<(typeof COMMANDS)[N]>
}[CommandName]

export const isGuarded = ({ command }: AdminCommand): boolean => Object.hasOwn(GUARDED, command)

/** No rate limit applies to it: it must not be refused because of other requests. */
export const isBrake = ({ command }: AdminCommand): boolean => Object.hasOwn(BRAKE, command)

/** The log names who asked for it, and how it ended. */
export const isTold = (asked: AdminCommand): boolean => isGuarded(asked) || isBrake(asked)

/** The node only permits it; the command carries it out. */
export const isPermitted = ({ command }: AdminCommand): boolean => command === "export-share" || command === "backup"

/** How a permitted command ended: `done`, or the code of the error that ended it. */
const OUTCOME = text(/^(?:done|E-[A-Z]{3}-\d{3})$/, "an outcome")

// ---- requests --------------------------------------------------------------------------------------------------------

export interface AdminRequest {
  readonly command: AdminCommand
  /** Empty if none is needed. */
  readonly password: Secret
  /** Empty except for change-password. */
  readonly next: Secret
}

interface Frame {
  readonly document: Bytes
  readonly password: Secret
  readonly next: Secret
}

const password: c.Codec<Secret> = {
  write: (out, value) => c.secret.write(out, value),
  read: (from) => Secret.from(from.window(4, 0, MAX_PASSWORD)),
}
const frame = c.struct<Frame>({ document: c.bytes, password, next: password })

const framed = (body: Bytes): Bytes => {
  const whole = concat(u32be(body.length), body)
  body.fill(0)
  return whole
}

/** The caller wipes the result. */
export function encodeRequest({ command, password, next }: AdminRequest): Bytes {
  const { command: name, ...fields } = command
  return framed(c.encode(frame, { document: utf8(JSON.stringify({ command: name, ...fields })), password, next }))
}

/** Decodes a whole body. The caller disposes the passwords; if the request is refused here, they are wiped here. Throws Malformed. */
export function decodeRequest(body: Uint8Array): AdminRequest {
  const { document, password, next } = c.decode(frame, body)
  try {
    return { command: readCommand(parseJson(document, MAX_REQUEST)), password, next }
  } catch (error) {
    password.wipe()
    next.wipe()
    throw error
  }
}

function readCommand(value: unknown): AdminCommand {
  const { command, ...fields } = closedName(value)
  const read: Read<unknown> | undefined = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined
  if (read === undefined) throw new c.Malformed("$.command: not one that is known")
  // One row of the table read both name and fields; only here are they joined into one record.
  return { command, ...(read(fields, "$") as object) } as AdminCommand
}

function closedName(value: unknown): { readonly command: CommandName } & Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new c.Malformed("$: not an object")
  const fields: Readonly<Record<string, unknown>> = { ...value }
  const command = oneOf(...(Object.keys(COMMANDS) as CommandName[]))(fields["command"], "$.command")
  return { ...fields, command }
}

export const encodeOutcome = (outcome: string): Bytes => framed(utf8(JSON.stringify({ outcome })))

/** Throws Malformed. */
export const decodeOutcome = (body: Uint8Array): string =>
  closed({ outcome: OUTCOME })(parseJson(body, MAX_REQUEST), "$").outcome

// ---- answers ---------------------------------------------------------------------------------------------------------

/** An error of the node. For errors that are common in commands, the data travel too, so that the command fails as it would without a node. */
interface AdminProblem {
  readonly code: string
  readonly message: string
  readonly next: string
  readonly data: unknown
}

export type AdminAnswer = { readonly shown: Shown } | { readonly problem: AdminProblem }

const bigints = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value)

export function encodeAnswer(answer: AdminAnswer): Bytes {
  const document =
    "shown" in answer
      ? { done: true, value: answer.shown.value ?? null, lines: answer.shown.lines }
      : { done: false, ...answer.problem }
  return framed(utf8(JSON.stringify(document, bigints)))
}

export const refusal = ({ code, message, next, data }: CosignerError): AdminAnswer => ({
  problem: { code, message, next, data },
})

const line = textUpTo(65_536)
const known = closed({ what: line, known: list(line, 0, 100_000) })
const ofGroup = { group: line }
const count = integer(0, Number.MAX_SAFE_INTEGER)

const RELAYED: ReadonlyMap<string, (data: unknown) => CosignerError> = new Map<
  string,
  (data: unknown) => CosignerError
>([
  ["E-CLI-005", (data) => new CosignerError("E-CLI-005", closed({ least: count })(data, "$"))],
  ["E-CLI-011", (data) => new CosignerError("E-CLI-011", known(data, "$"))],
  ["E-STO-004", (data) => new CosignerError("E-STO-004", closed({ path: line })(data, "$"))],
  ["E-BAK-014", (data) => new CosignerError("E-BAK-014", closed({ ...ofGroup, status: line })(data, "$"))],
  ["E-BAK-023", (data) => new CosignerError("E-BAK-023", closed({ ...ofGroup, why: line })(data, "$"))],
  ["E-ADM-004", (data) => new CosignerError("E-ADM-004", closed({ wrong: count, seconds: count })(data, "$"))],
  ["E-ADM-005", () => new CosignerError("E-ADM-005", {})],
  [
    "E-FRZ-003",
    (data) =>
      new CosignerError(
        "E-FRZ-003",
        closed({ groupId: textUpTo(128), frozen: list(textUpTo(128), 0, 100_000) })(data, "$"),
      ),
  ],
  [
    "E-APR-005",
    (data) =>
      new CosignerError(
        "E-APR-005",
        closed({ operation: line, group: line, min: count, agreed: list(line, 0, MAX_OPERATION_ORDERS) })(data, "$"),
      ),
  ],
  ["E-APR-006", (data) => new CosignerError("E-APR-006", closed({ problem: line })(data, "$"))],
  ["E-POL-007", (data) => new CosignerError("E-POL-007", closed({ problem: line })(data, "$"))],
  ["E-POL-009", () => new CosignerError("E-POL-009", {})],
  ["E-POL-010", (data) => new CosignerError("E-POL-010", closed({ min: count })(data, "$"))],
  ["E-POL-012", (data) => new CosignerError("E-POL-012", closed({ named: line })(data, "$"))],
  ["E-ADM-006", (data) => new CosignerError("E-ADM-006", closed({ problem: line })(data, "$"))],
])

/** The node's error, to be thrown by the command. Throws Malformed. */
export function relayed({ code, message, next, data }: AdminProblem): CosignerError {
  return RELAYED.get(code)?.(data) ?? new CosignerError("E-ADM-008", { said: `${code} ${message}; ${next}` })
}

const anything: Read<unknown> = (value) => value
const shownForm = closed({ done: oneOfTrue, value: anything, lines: list(line, 0, 100_000) })
const problemForm = closed({
  done: oneOfFalse,
  code: text(/^E-[A-Z]{3}-\d{3}$/, "a code"),
  message: line,
  next: line,
  data: anything,
})

function oneOfTrue(value: unknown, at: string): true {
  return value === true ? true : notThat(at)
}
function oneOfFalse(value: unknown, at: string): false {
  return value === false ? false : notThat(at)
}
function notThat(at: string): never {
  throw new c.Malformed(`${at}: not what belongs here`)
}

/** Throws Malformed. */
export function decodeAnswer(body: Uint8Array): AdminAnswer {
  const value = parseJson(body, MAX_ANSWER)
  const isDone = typeof value === "object" && value !== null && "done" in value && value.done === true
  if (isDone) {
    const { value: result, lines } = shownForm(value, "$")
    return { shown: { value: result, lines } }
  }
  const { code, message, next, data } = problemForm(value, "$")
  return { problem: { code, message, next, data } }
}

// ---- frames ----------------------------------------------------------------------------------------------------------

/** Joins the pieces of one connection. Holds at most one frame of `most` bytes, and wipes what it gave out. */
export class FrameReader {
  readonly #most: number
  // Larger than the arrays that the engine stores inline, where a fill does not reach every copy (runtime.md 3).
  #bytes = new Uint8Array(2048)
  #length = 0

  constructor(most: number) {
    this.#most = most
  }

  /** Takes a piece and wipes it. False: longer than any frame, or more than one frame; the connection must end. */
  add(piece: Uint8Array): boolean {
    try {
      const length = this.#length + piece.length
      if (length > this.#most + LENGTH) return false
      if (length > this.#bytes.length) this.#grow(length)
      this.#bytes.set(piece, this.#length)
      this.#length = length
      const wanted = this.#wanted()
      return wanted === undefined || (wanted <= this.#most && length <= LENGTH + wanted)
    } finally {
      piece.fill(0)
    }
  }

  /** The body of the frame once it is whole, a window that `clear` wipes. */
  whole(): Uint8Array | undefined {
    const wanted = this.#wanted()
    return wanted !== undefined && this.#length === LENGTH + wanted
      ? this.#bytes.subarray(LENGTH, this.#length)
      : undefined
  }

  clear(): void {
    this.#bytes.fill(0)
    this.#length = 0
  }

  #wanted(): number | undefined {
    return this.#length < LENGTH ? undefined : new DataView(this.#bytes.buffer).getUint32(0)
  }

  #grow(length: number): void {
    const grown = new Uint8Array(Math.min(this.#most + LENGTH, Math.max(length, 2 * this.#bytes.length)))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes.fill(0)
    this.#bytes = grown
  }
}
