/**
 * The interface of a log for all code that writes to one: five levels, a sentence and fields. Folders take a `Log` as
 * a parameter and never learn where it goes. logging.ts has the sinks.
 *
 * A sentence contains "connected." only to say that the link to WaaS is up, because scripts in the field look for it. No
 * sentence contains the contents of a frame, a task, a token or a record: no level makes a log worth stealing.
 */

export const LEVELS = ["error", "warn", "info", "debug", "trace"] as const
export type Level = (typeof LEVELS)[number]

/** Shown as `key=value` or as JSON members. A Secret prints itself as [secret]. */
export type LogFields = Readonly<Record<string, unknown>>

export interface Log {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  /** What passes through the node: kinds, sizes, ids and times. `fields` is called only if the line is written, so a trace that is off costs nothing. */
  trace(message: string, fields: () => LogFields): void
}

/** Writes nothing; for tests and for commands that have nothing to log. */
export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {}, trace() {} }
