/**
 * A log line as text, and the plain log of commands that do not run for long: to stderr, one line per record. stderr is
 * the only stream any log uses, so that lines of one run never overtake one another.
 */
import { inspect } from "node:util"
import { errorText } from "./errors.ts"
import { LEVELS, type Level, type Log, type LogFields } from "./log.ts"
import { REDACTED, Secret } from "./secret.ts"

export interface Line {
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
export function formatLine(line: Line, format: LineFormat): string {
  const time = `${line.time.toISOString().slice(0, 19)}Z`
  if (format === "json") {
    return JSON.stringify({
      time: line.time.toISOString(),
      level: WORDS[line.level].full,
      msg: line.message,
      ...plain(line.fields),
    })
  }
  const fields = Object.entries(line.fields).map(([key, of]) => ` ${key}=${quoted(text(of))}`)
  return format === "terminal"
    ? `${WORDS[line.level].short}[${time}] ${oneLine(line.message)}${fields.join("")}`
    : `time="${time}" level=${WORDS[line.level].full} msg=${JSON.stringify(line.message)}${fields.join("")}`
}

/** Whether a record of `level` passes a log set to `least`. */
export const passes = (level: Level, least: Level): boolean => LEVELS.indexOf(level) <= LEVELS.indexOf(least)

/** A log that stamps what `passing` lets through and hands it to `write`. */
export function logOf(passing: (level: Level) => boolean, write: (line: Line) => void): Log {
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
function text(of: unknown): string {
  const told = tellable(of, DEPTH)
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
 * What of a value a log may hold: scalars, and plain objects and lists of them. Bytes may be a key, whatever they are called,
 * and an object of a class holds what nobody here knows: both are named and not shown. A Secret names itself.
 */
function tellable(of: unknown, depth: number): unknown {
  if (typeof of !== "object" || of === null) return of
  if (of instanceof Error) return errorText(of)
  if (of instanceof Secret) return REDACTED
  if (ArrayBuffer.isView(of) || of instanceof ArrayBuffer) return `[${of.byteLength} bytes]`
  const isList = Array.isArray(of)
  if (!isList && Object.getPrototypeOf(of) !== Object.prototype) return `[${of.constructor?.name ?? "object"}]`
  if (depth === 0) return isList ? "[list]" : "[object]"
  if (isList) return of.slice(0, ITEMS + 1).map((item) => tellable(item, depth - 1))
  return Object.fromEntries(Object.entries(of).map(([key, value]) => [key, tellable(value, depth - 1)]))
}

const quoted = (of: string): string => (/^[\w.:/@+-]+$/.test(of) ? of : JSON.stringify(of))

/** Control characters in a message could forge lines or drive the terminal: shown as escapes. */
const oneLine = (of: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  of.replace(/[\u0000-\u001f\u007f-\u009f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** Fields as JSON can hold them; a log line never fails because of what it was to say. */
const plain = (fields: LogFields): LogFields =>
  Object.fromEntries(Object.entries(fields).map(([key, of]) => [key, isScalar(of) ? of : text(of)]))

const isScalar = (of: unknown): boolean => of === null || ["string", "number", "boolean"].includes(typeof of)
