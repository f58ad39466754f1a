/**
 * A log line as text, and the plain log of commands that do not run for long: to stderr, one line per record. stderr is
 * the only stream that any log uses, so that lines of one run stay in order.
 */
import { inspect } from "node:util"
import { errorText } from "./errors.ts"
import { LEVELS, type Level, type Log, type LogFields } from "./log.ts"
import { REDACTED, Secret } from "./secret.ts"

export interface LogLine {
  readonly time: Date
  readonly level: Level
  readonly message: string
  readonly fields: LogFields
}

export type LineFormat = "terminal" | "logfmt" | "json"

const WORDS: Readonly<Record<Level, { readonly short: string; readonly full: string }>> = {
  error: { short: "ERRO", full: "error" },
  warn: { short: "WARN", full: "warning" },
  info: { short: "INFO", full: "info" },
  debug: { short: "DEBU", full: "debug" },
  trace: { short: "TRAC", full: "trace" },
}

/**
 * terminal: `INFO[2026-01-13T05:12:04Z] message key=value`. logfmt: `time="..." level=info msg="message" key=value`.
 * json: one object, with time, level, msg and the fields.
 */
export const formatLine = (line: LogLine, format: LineFormat): string => visible(lineOf(line, format))

function lineOf(line: LogLine, format: LineFormat): string {
  const time = `${line.time.toISOString().slice(0, 19)}Z`
  if (format === "json") {
    return JSON.stringify({
      time: line.time.toISOString(),
      level: WORDS[line.level].full,
      msg: line.message,
      ...plain(line.fields),
    })
  }
  const fields = Object.entries(line.fields).map(([key, value]) => ` ${key}=${quoted(text(value))}`)
  return format === "terminal"
    ? `${WORDS[line.level].short}[${time}] ${line.message}${fields.join("")}`
    : `time="${time}" level=${WORDS[line.level].full} msg=${JSON.stringify(line.message)}${fields.join("")}`
}

/** Whether a record of `level` passes a log set to `least`. */
export const passes = (level: Level, least: Level): boolean => LEVELS.indexOf(level) <= LEVELS.indexOf(least)

/** A log that adds the time to what `passing` lets through, and passes it to `write`. */
export function logOf(passing: (level: Level) => boolean, write: (line: LogLine) => void): Log {
  const say = (level: Level, message: string, fields: LogFields) => write({ time: new Date(), level, message, fields })
  const at =
    (level: Level) =>
    (message: string, fields: LogFields = {}) => {
      if (passing(level)) say(level, message, fields)
    }
  return {
    error: at("error"),
    warn: at("warn"),
    info: at("info"),
    debug: at("debug"),
    trace: (message, fields) => {
      if (passing("trace")) say("trace", message, fields())
    },
  }
}

export function textLog(least: Level, format: LineFormat, write: (line: string) => void): Log {
  const passing = (level: Level): boolean => passes(level, least)
  return logOf(passing, (line) => write(`${formatLine(line, format)}\n`))
}

/** Text of one field. */
function text(value: unknown): string {
  const told = tellable(value, DEPTH)
  if (typeof told === "string") return told
  return inspect(told, {
    depth: DEPTH,
    compact: true,
    breakLength: Number.POSITIVE_INFINITY,
    maxStringLength: 1000,
    maxArrayLength: ITEMS,
  })
}

const DEPTH = 3
const ITEMS = 32

/**
 * The parts of a value that a log may show: scalars, and plain objects and lists of them. Bytes may be a key, whatever their name,
 * and an object of a class may hold anything. Both are named and not shown. A Secret names itself.
 */
function tellable(whole: unknown, depth: number): unknown {
  if (typeof whole !== "object" || whole === null) return whole
  if (whole instanceof Error) return errorText(whole)
  if (whole instanceof Secret) return REDACTED
  if (ArrayBuffer.isView(whole) || whole instanceof ArrayBuffer) return `[${whole.byteLength} bytes]`
  const isList = Array.isArray(whole)
  if (!isList && Object.getPrototypeOf(whole) !== Object.prototype) return `[${whole.constructor?.name ?? "object"}]`
  if (depth === 0) return isList ? "[list]" : "[object]"
  if (isList) return whole.slice(0, ITEMS + 1).map((item) => tellable(item, depth - 1))
  return Object.fromEntries(Object.entries(whole).map(([key, value]) => [key, tellable(value, depth - 1)]))
}

const quoted = (text: string): string => (/^[\w.:/@+-]+$/.test(text) ? text : JSON.stringify(text))

/**
 * Writes characters that could forge lines, control the terminal or change the order of text as JSON's escapes: the controls C0 and C1,
 * invisible and bidirectional marks (Unicode TR9), line and paragraph separators. In JSON and in quoted text, where
 * JSON.stringify leaves C1 and the marks as they are, the escapes mean the same characters.
 */
const visible = (line: string): string =>
  line.replace(UNSEEN, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** The same for text that has lines and tabs of its own, as commands print it. */
export const visibleLines = (text: string): string => text.replace(/[^\n\t]+/g, (part) => visible(part))

const UNSEEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** Fields in a form that JSON can hold; a log line never fails because of its contents. */
const plain = (fields: LogFields): LogFields =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, isScalar(value) ? value : text(value)]))

const isScalar = (value: unknown): boolean => value === null || ["string", "number", "boolean"].includes(typeof value)
