/**
 * The log of a long-running process, from [log]: stderr, and a file that rotates (LogTape's sink). Files are private
 * through the umask that main.ts sets. A log that cannot be written never stops the work: it is said once on stderr, and
 * what was lost is counted in the log as soon as it can be written again.
 */
import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { getRotatingFileSink } from "@logtape/file"
import type { LogRecord, Sink } from "@logtape/logtape"
import type { Config } from "./config/config.ts"
import { errorText } from "./errors.ts"
import type { Level, Log } from "./log.ts"
import type { LogStream } from "./logStream.ts"
import { formatLine, type LineFormat, type LogLine, logOf, passes } from "./logText.ts"

export interface OpenLog {
  readonly log: Log
  /** Levels may change while running (SIGHUP); files and formats may not. */
  setLevels(levels: { readonly std: Level; readonly file: Level }): void
  /** Closes the file and opens it by its name again: whoever rotates logs has moved it away. */
  reopen(): void
  /** Writes what is buffered and closes the file. */
  close(): void
}

interface LogTarget {
  level: Level
  readonly write: (line: LogLine) => void
  readonly reopen: () => void
  readonly close: () => void
}

const MEGABYTE = 1024 * 1024

export function openLog(config: Config["log"], stderr: LogStream): OpenLog {
  const std = config.std.enable ? stdTarget(config.std, stderr) : undefined
  const file = config.file.enable ? fileTarget(config.file, stderr) : undefined
  const targets = [std, file].filter((target) => target !== undefined)
  const passing = (level: Level): boolean => targets.some((target) => passes(level, target.level))
  const write = (line: LogLine): void => {
    for (const target of targets) if (passes(line.level, target.level)) target.write(line)
  }
  return {
    log: logOf(passing, write),
    setLevels(levels) {
      if (std !== undefined) std.level = levels.std
      if (file !== undefined) file.level = levels.file
    },
    reopen: () => {
      for (const target of targets) target.reopen()
    },
    close: () => {
      for (const target of targets) target.close()
    },
  }
}

/** The form of lines on stderr. */
export const formatOnStderr = (format: Config["log"]["std"]["format"], isTerminal: boolean): LineFormat =>
  format !== "auto" ? format : isTerminal ? "terminal" : "logfmt"

function stdTarget(config: Config["log"]["std"], stderr: LogStream): LogTarget {
  const format = formatOnStderr(config.format, stderr.isTerminal)
  return {
    level: config.level,
    write: (line) => stderr.write(`${formatLine(line, format)}\n`),
    reopen: () => {},
    close: () => {},
  }
}

/** Lines wait at most this long in memory; errors and warnings do not wait. */
const FLUSH_MS = 1000

function fileTarget(config: Config["log"]["file"], stderr: LogStream): LogTarget {
  mkdirSync(dirname(config.filename), { recursive: true, mode: 0o700 })
  const open = () =>
    getRotatingFileSink(config.filename, {
      maxSize: config.maxsize * MEGABYTE,
      maxFiles: config.max_backups,
      formatter: ({ message }) => message.join(""),
    })
  const file = new LogFile(open, config.format, stderr)
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    file.flush()
  }
  return {
    level: config.level,
    write: (line) => {
      const urgent = line.level === "error" || line.level === "warn"
      file.write(`${formatLine(line, config.format)}\n`, urgent)
      if (!urgent) timer ??= setTimeout(flush, FLUSH_MS).unref()
    },
    reopen: () => {
      flush()
      file.reopen()
    },
    close: () => {
      flush()
      file.close()
    },
  }
}

type FileSink = Sink & Disposable

/** A file that may be full, gone or moved away: what it does not take is counted, and told in it once it takes lines again. */
class LogFile {
  #sink: FileSink | undefined
  /** Given to the sink and perhaps still in its memory. */
  #unflushed = 0
  #lost = 0
  #failing = false

  /** Throws what `open` throws. */
  constructor(
    private readonly open: () => FileSink,
    private readonly format: LineFormat,
    private readonly stderr: LogStream,
  ) {
    this.#sink = open()
  }

  write(text: string, isUrgent: boolean): void {
    this.#unflushed += 1
    this.#guarded((sink) => {
      if (this.#lost > 0) sink(recordOf(`${formatLine(lostLines(this.#lost), this.format)}\n`, true))
      this.#lost = 0
      sink(recordOf(text, isUrgent))
      if (isUrgent) this.#unflushed = 0
    })
  }

  flush(): void {
    this.#guarded((sink) => {
      sink(recordOf("", true))
      this.#unflushed = 0
    })
  }

  reopen(): void {
    this.close()
    this.#guarded(() => {})
  }

  close(): void {
    this.#guarded((sink) => {
      this.#sink = undefined
      sink[Symbol.dispose]()
    })
  }

  #guarded(use: (sink: FileSink) => void): void {
    try {
      this.#sink ??= this.open()
      use(this.#sink)
      this.#failing = false
    } catch (error) {
      // The sink forgets what it could not write.
      this.#lost += this.#unflushed
      this.#unflushed = 0
      if (!this.#failing) {
        this.stderr.write(`the log file cannot be written, logging goes on without it: ${errorText(error)}\n`)
      }
      this.#failing = true
    }
  }
}

/** Says that lines are missing here. */
export const lostLines = (count: number): LogLine => ({
  time: new Date(),
  level: "warn",
  message: "log lines were lost here: they could not be written",
  fields: { count },
})

/** The sink takes records; ours are finished text. A record from the end of time makes it write what it holds. */
const recordOf = (text: string, flush: boolean): LogRecord => ({
  category: [],
  level: "info",
  message: [text],
  rawMessage: text,
  timestamp: flush ? Number.MAX_SAFE_INTEGER : 0,
  properties: {},
})
