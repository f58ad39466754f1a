/**
 * What a log is to everything that writes to one: five levels, a sentence and fields. A leaf word: folders take a `Log` as
 * a parameter and never learn where it goes. The sinks are logging.ts.
 *
 * A sentence never contains "connected." except to say that the link to WaaS is up: scripts in the field look for it. Nor
 * does one hold what a frame, a task, a token or a record says: no level makes a log worth stealing.
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
  /** What passes: kinds, sizes, ids and times. `fields` is called only if the line is written, so a trace that is off costs nothing. */
  trace(message: string, fields: () => LogFields): void
}

/** Says nothing; for tests and for commands that have nothing to say. */
export const silentLog: Log = { error() {}, warn() {}, info() {}, debug() {}, trace() {} }
