/** [status]: the read-only port for local queries. */
import { Type } from "@sinclair/typebox"
import { boolean, path, tableOf, textOr } from "../settings/schema.ts"

export const status = tableOf(
  "The local status port: health, readiness, metrics, a page. Read-only; off unless enabled. In production a port on the loopback needs a token.",
  {
    enable: boolean(false, "Whether the port is open."),
    listen: textOr("127.0.0.1:11040", "host:port on the loopback, or unix:PATH."),
    token_path: Type.Optional(
      path("configs/status.token", "File with a bearer token that every request for data must carry, mode 600."),
    ),
  },
)
