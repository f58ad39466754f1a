/** A log that a test hears. */
import type { Level, Log, LogFields } from "../../src/log.ts"

/** Every line to one function. */
export const logTo = (take: (level: Level, message: string, fields: LogFields) => void): Log => ({
  error: (message, fields = {}) => take("error", message, fields),
  warn: (message, fields = {}) => take("warn", message, fields),
  info: (message, fields = {}) => take("info", message, fields),
  debug: (message, fields = {}) => take("debug", message, fields),
  trace: (message, fields) => take("trace", message, fields()),
})
