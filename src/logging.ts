/**
 * The log of a long-running process, from [log]: stderr, and a file that rotates. Files are private, mode 600. A log that
 * cannot be written never stops the work. stderr reports it once, and the log counts the lost lines as soon as it
 * can be written again.
 */
import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import type { Config } from "./config/config.ts"
import { errorText } from "./errors.ts"
import type { Level, Log } from "./log.ts"
import { openLogFile } from "./logFile.ts"
import { LAST_WORDS_MS, type LogStream } from "./logStream.ts"
import { formatLine, type LineFormat, type LogLine, logOf, passes } from "./logText.ts"

export interface OpenLog {
  readonly log: Log
  /** Levels may change while running (SIGHUP); files and formats may not. */
  setLevels(levels: { readonly std: Level; readonly file: Level }): void
  /** Closes the file and opens it by its name again, because a program that rotates logs has moved it away. */
  reopen(): void
  /** Writes what waits and closes the file; gives up on a file that does not take it within a while. Nothing is written afterwards. */
  close(): Promise<void>
}

interface LogTarget {
  level: Level
  readonly write: (line: LogLine) => void
  readonly reopen: () => void
  readonly close: () => Promise<void>
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
    close: async () => {
      await Promise.all(targets.map((target) => target.close()))
    },
  }
}

/** The format of lines on stderr. */
export const formatOnStderr = (format: Config["log"]["std"]["format"], isTerminal: boolean): LineFormat =>
  format !== "auto" ? format : isTerminal ? "terminal" : "logfmt"

function stdTarget(config: Config["log"]["std"], stderr: LogStream): LogTarget {
  const format = formatOnStderr(config.format, stderr.isTerminal)
  return {
    level: config.level,
    write: (line) => stderr.write(`${formatLine(line, format)}\n`),
    reopen: () => {},
    close: async () => {},
  }
}

function fileTarget(config: Config["log"]["file"], stderr: LogStream): LogTarget {
  mkdirSync(dirname(config.filename), { recursive: true, mode: 0o700 })
  const file = openLogFile({
    path: config.filename,
    maxBytes: config.maxsize * MEGABYTE,
    maxFiles: config.max_backups,
    lostLine: (count) => `${formatLine(lostLines(count), config.format)}\n`,
    onFailure: (why) => {
      const reason = typeof why === "string" ? why : errorText(why)
      stderr.write(`the log file cannot be written, logging goes on without it: ${reason}\n`)
    },
  })
  return {
    level: config.level,
    write: (line) => file.write(`${formatLine(line, config.format)}\n`),
    reopen: () => file.reopen(),
    close: () => file.close(LAST_WORDS_MS),
  }
}

/** Says that lines are missing here. */
export const lostLines = (count: number): LogLine => ({
  time: new Date(),
  level: "warn",
  message: "log lines were lost here: they could not be written",
  fields: { count },
})
