/** [backup]: proven copies of the database on a schedule. */
import { Type } from "@sinclair/typebox"
import { duration, integer, path, pathOr, tableOf } from "../settings/schema.ts"

export const backup = tableOf("Scheduled backups. On when an interval is set.", {
  interval: duration("", "How often."),
  directory: pathOr("backups", "Folder for the backups, mode 700."),
  keep: integer(1, 10_000, 14, "How many are kept."),
  password_file: Type.Optional(path("configs/backup.key", "File with the password of the backups, mode 600.")),
})
