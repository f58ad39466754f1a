/**
 * The log of a long-running process, from [log]: stderr, and a file that rotates (LogTape's sink). Files are private
 * through the umask that main.ts sets. A log that cannot be written never stops the work: it is said once on stderr.
 */
import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { getRotatingFileSink } from "@logtape/file"
import type { LogRecord, Sink } from "@logtape/logtape"
import type { Config } from "./config/config.ts"
import { errorText } from "./errors.ts"
import type { Level, Log } from "./log.ts"
import { formatLine, type Line, type LineFormat, logOf, passes } from "./logText.ts"

export interface OpenLog {
  readonly log: Log
  /** Levels may change while running (SIGHUP); files and formats may not. */
  setLevels(levels: { readonly std: Level; readonly file: Level }): void
  /** Writes what is buffered and closes the file. */
  close(): void
}

export interface LogStream {
  readonly isTerminal: boolean
  write(text: string): void
}

interface Target {
  level: Level
  readonly write: (line: Line) => void
  readonly close: () => void
}

const MEGABYTE = 1024 * 1024

export function openLog(config: Config["log"], stderr: LogStream): OpenLog {
  const std = config.std.enable ? stdTarget(config.std, stderr) : undefined
  const file = config.file.enable ? fileTarget(config.file, stderr) : undefined
  const targets = [std, file].filter((target) => target !== undefined)
  const passing = (level: Level): boolean => targets.some((target) => passes(level, target.level))
  const write = (line: Line): void => {
    for (const target of targets) if (passes(line.level, target.level)) target.write(line)
  }
  return {
    log: logOf(passing, write),
    setLevels(levels) {
      if (std !== undefined) std.level = levels.std
      if (file !== undefined) file.level = levels.file
    },
    close: () => {
      for (const target of targets) target.close()
    },
  }
}

function stdTarget(config: Config["log"]["std"], stderr: LogStream): Target {
  const format: LineFormat = config.format !== "auto" ? config.format : stderr.isTerminal ? "terminal" : "logfmt"
  return {
    level: config.level,
    write: (line) => stderr.write(`${formatLine(line, format)}\n`),
    close: () => {},
  }
}

/** Lines wait at most this long in memory; errors and warnings do not wait. */
const FLUSH_MS = 1000

function fileTarget(config: Config["log"]["file"], stderr: LogStream): Target {
  mkdirSync(dirname(config.filename), { recursive: true, mode: 0o700 })
  const sink = getRotatingFileSink(config.filename, {
    maxSize: config.maxsize * MEGABYTE,
    maxFiles: config.max_backups,
    formatter: ({ message }) => message.join(""),
  })
  const write = spokenOnce(sink, stderr)
  let timer: ReturnType<typeof setTimeout> | undefined
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    write("", true)
  }
  return {
    level: config.level,
    write: (line) => {
      const urgent = line.level === "error" || line.level === "warn"
      write(`${formatLine(line, config.format)}\n`, urgent)
      if (!urgent) timer ??= setTimeout(flush, FLUSH_MS).unref()
    },
    close: () => {
      flush()
      sink[Symbol.dispose]()
    },
  }
}

/** The sink takes records; ours are finished text. A record from the end of time makes it write what it holds. */
function spokenOnce(sink: Sink, stderr: LogStream): (text: string, flush: boolean) => void {
  let failing = false
  return (text, flush) => {
    const record: LogRecord = {
      category: [],
      level: "info",
      message: [text],
      rawMessage: text,
      timestamp: flush ? Number.MAX_SAFE_INTEGER : 0,
      properties: {},
    }
    try {
      sink(record)
      failing = false
    } catch (error) {
      if (!failing) stderr.write(`the log file cannot be written, logging goes on without it: ${errorText(error)}\n`)
      failing = true
    }
  }
}
