/** [db]: the path of the encrypted database, and what opens it. */
import { Type } from "@sinclair/typebox"
import { boolean, path, pathOr, tableOf } from "../settings/schema.ts"

export const db = tableOf("The encrypted database: key shares, identity, journal.", {
  path: pathOr("db/secrets.db", "The one file that holds every secret. Flag: -d, --db."),
  key_file: Type.Optional(
    path(
      "configs/password.key",
      "File with the password, mode 600. Without it the program asks on the terminal. Flag: --key-file.",
    ),
  ),
  danger_allow_readable_key_file: boolean(
    false,
    "Accepts a key file that group or others may read. Flag: --danger-allow-readable-key-file.",
  ),
})
