/**
 * What a person signs to ask for a task, to approve it or to reject it (approvals.md 1): a text that people can read, in one form.
 * Bytes that the writer would not write exactly so are not a statement, so two readers never see two things in one signature.
 *
 * Each line of the reading begins with two spaces and holds no line end and no invisible character, so that no text of a stranger
 * can look like a field.
 */
import { type Bytes, equal, utf8 } from "../bytes.ts"
import { decodeUtf8, Malformed } from "../codec.ts"
import { boundedLines } from "../intent/json.ts"
import { isPrintable, printable } from "../intent/problem.ts"

const DECISIONS = ["request", "approve", "reject"] as const
/** `request` is the initiator's statement that the task is wanted. */
export type ApprovalDecision = (typeof DECISIONS)[number]

/** What a statement is about. Each field makes it worthless for anything else. */
export interface StatementSubject {
  readonly task: string
  /** SHA-256 of the task's document, hex. */
  readonly document: string
  /** Hash of everything that the task's payloads do (intents.md 6.1), `0x` hex; undefined if no payload was read. */
  readonly intent: string | undefined
  readonly group: string | undefined
  /** Epoch of the share that signs, hex. */
  readonly epoch: string | undefined
  /** What the task does, without annotations; made by `readingLines`. */
  readonly reading: readonly string[]
}

export interface ApprovalStatement extends StatementSubject {
  readonly decision: ApprovalDecision
  /** A name of [[approvers]]. */
  readonly approver: string
  /** Unix seconds; from then on the statement counts no more. */
  readonly notAfter: number
  /** 32 hex digits that were drawn for this statement alone. */
  readonly nonce: string
}

/** Why a text is not a valid statement. */
export interface Unfit {
  readonly problem: string
}

export const isUnfit = (value: object): value is Unfit => "problem" in value

const FIRST_LINE = "cosigner approval v1"
export const MAX_STATEMENT_BYTES = 160 * 1024
const MAX_LINES = 200
const MAX_LINE = 1000
const MAX_READING = 32 * 1024

export const APPROVER_NAME = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/
const NONCE = /^[0-9a-f]{32}$/
/** The last second that RFC 3339 can write. */
const MAX_SECONDS = 253_402_300_799

const FIELDS: readonly (readonly [name: string, form: RegExp])[] = [
  ["decision", /^(?:request|approve|reject)$/],
  ["task", /^[A-Za-z0-9-]{1,64}$/],
  ["document", /^[0-9a-f]{64}$/],
  ["intent", /^(?:none|0x[0-9a-f]{64})$/],
  ["group", /^(?:none|[A-Za-z0-9]{1,64})$/],
  ["epoch", /^(?:none|(?:[0-9a-f]{2}){1,64})$/],
  ["approver", APPROVER_NAME],
  ["not-after", /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/],
  ["nonce", NONCE],
]

/** Lines in the form that a statement has: invisible characters are escaped, and text that is too long is cut and says how much is missing. */
export function readingLines(lines: readonly string[]): readonly string[] {
  const shown = lines.map((line) => {
    const visible = printable(line)
    return visible.length <= MAX_LINE
      ? visible
      : `${visible.slice(0, MAX_LINE).toWellFormed()}… (${visible.length} characters)`
  })
  return boundedLines(shown, MAX_READING, MAX_LINES - 1)
}

/** Throws RangeError for a value that no statement can express. */
export function writeStatement(statement: ApprovalStatement): Bytes {
  const values = valuesOf(statement)
  for (const [i, [name, form]] of FIELDS.entries()) {
    if (!form.test(values[i] ?? "")) throw new RangeError(`no statement has such a ${name}`)
  }
  if (!isReading(statement.reading)) throw new RangeError("no statement has such a reading")
  const fields = FIELDS.map(([name], i) => `${name}: ${values[i]}\n`)
  const reading = statement.reading.map((line) => `  ${line}\n`)
  return utf8([`${FIRST_LINE}\n`, ...fields, "reading:\n", ...reading].join(""))
}

const valuesOf = ({ decision, task, document, intent, group, epoch, approver, notAfter, nonce }: ApprovalStatement) => [
  decision,
  task,
  document,
  intent ?? "none",
  group ?? "none",
  epoch ?? "none",
  approver,
  secondsText(notAfter),
  nonce,
]

const isReading = (lines: readonly string[]): boolean =>
  lines.length >= 1 &&
  lines.length <= MAX_LINES &&
  lines.reduce((sum, line) => sum + line.length, 0) <= MAX_READING + MAX_LINE &&
  lines.every((line) => line !== "" && isPrintable(line) && !/[\r\n\t]/.test(line))

/** The statement that is encoded by exactly these bytes. */
export function readStatement(bytes: Uint8Array): ApprovalStatement | Unfit {
  if (bytes.length > MAX_STATEMENT_BYTES) return { problem: `longer than ${MAX_STATEMENT_BYTES} bytes` }
  const text = textOf(bytes)
  if (text === undefined) return { problem: "not UTF-8" }
  const lines = text.split("\n")
  // Drops the part after the last line end. If it was not empty, the statement written again would differ.
  lines.pop()
  if (lines[0] !== FIRST_LINE) return { problem: `its first line is not \`${FIRST_LINE}\`` }
  const values: string[] = []
  for (const [i, [name, form]] of FIELDS.entries()) {
    const line = lines[i + 1] ?? ""
    const value = line.slice(name.length + 2)
    if (!line.startsWith(`${name}: `) || !form.test(value)) return { problem: `line ${i + 2} is no \`${name}\`` }
    values.push(value)
  }
  if (lines[FIELDS.length + 1] !== "reading:") return { problem: `line ${FIELDS.length + 2} is not \`reading:\`` }
  const reading = lines.slice(FIELDS.length + 2)
  if (reading.some((line) => !line.startsWith("  "))) return { problem: "a line of its reading has no two spaces" }
  const statement = statementOf(
    values,
    reading.map((line) => line.slice(2)),
  )
  if (statement === undefined) return { problem: "its reading or its not-after is none" }
  return equal(writeStatement(statement), bytes) ? statement : { problem: "not in the one form of a statement" }
}

function statementOf(values: readonly string[], reading: readonly string[]): ApprovalStatement | undefined {
  const [decided, task = "", document = "", intent, group, epoch, approver = "", until = "", nonce = ""] = values
  const decision = DECISIONS.find((name) => name === decided)
  const notAfter = secondsOf(until)
  if (decision === undefined || notAfter === undefined || !isReading(reading)) return undefined
  const [hash, id, share] = [intent, group, epoch].map((value) => (value === "none" ? undefined : value))
  return { decision, task, document, intent: hash, group: id, epoch: share, approver, notAfter, nonce, reading }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decodeUtf8(bytes, "statement")
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

const DAYS_BEFORE_1970 = 719_468

/** RFC 3339 in UTC. A pure folder has no Date, and Date's lenient parsing must not be used here. */
export function secondsText(seconds: number): string {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > MAX_SECONDS) throw new RangeError("no such moment")
  const days = Math.floor(seconds / 86_400)
  const rest = seconds % 86_400
  // Civil date of a day number, in years that begin with March, so that the leap day comes last.
  const z = days + DAYS_BEFORE_1970
  const era = Math.floor(z / 146_097)
  const ofEra = z - era * 146_097
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100))
  const month = Math.floor((5 * ofYear + 2) / 153)
  const day = ofYear - Math.floor((153 * month + 2) / 5) + 1
  const civilMonth = month < 10 ? month + 3 : month - 9
  const civilYear = year + era * 400 + (civilMonth <= 2 ? 1 : 0)
  const two = (value: number): string => value.toString().padStart(2, "0")
  const time = [Math.floor(rest / 3600), Math.floor((rest % 3600) / 60), rest % 60].map(two).join(":")
  return `${civilYear.toString().padStart(4, "0")}-${two(civilMonth)}-${two(day)}T${time}Z`
}

/** Unix seconds of a text that `secondsText` wrote; undefined for any other text. */
export function secondsOf(text: string): number | undefined {
  const found = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})Z$/.exec(text)
  if (found === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map(Number)
  const ofMarch = month > 2 ? year : year - 1
  const era = Math.floor(ofMarch / 400)
  const ofEra = ofMarch - era * 400
  const ofYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const days = era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - DAYS_BEFORE_1970
  const seconds = days * 86_400 + hour * 3600 + minute * 60 + second
  const isMoment = seconds >= 0 && seconds <= MAX_SECONDS
  return isMoment && secondsText(seconds) === text ? seconds : undefined
}
