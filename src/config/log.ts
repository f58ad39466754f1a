/** [log]: one stream (stderr), and optionally a file that rotates. */
import { LEVELS } from "../log.ts"
import { boolean, integer, oneOf, pathOr, tableOf } from "../settings/schema.ts"

const level = () =>
  oneOf(
    LEVELS,
    "info",
    "The least important level that is written. trace logs every frame, step and commit by kind and time.",
  )

export const log = tableOf("What the node logs, and where.", {
  std: tableOf("The log on stderr.", {
    enable: boolean(true, "Whether it is written. Flag: --log-std-enable."),
    level: level(),
    format: oneOf(["auto", "terminal", "logfmt", "json"], "auto", "auto is terminal on a terminal, logfmt elsewhere."),
  }),
  file: tableOf("The log file, mode 600.", {
    enable: boolean(false, "Whether it is written. Flag: --log-file-enable."),
    level: level(),
    format: oneOf(["logfmt", "json"], "logfmt", "How a line is written."),
    filename: pathOr("logs/cosigner.log", "The log file. Flag: --log-file-name."),
    maxsize: integer(1, 10_000, 20, "Megabytes at which the file is rotated. Flag: --log-file-maxsize."),
    max_backups: integer(0, 1000, 7, "Rotated files that are kept. Flag: --log-file-max-backups."),
  }),
})
