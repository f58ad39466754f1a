/** [metrics]: measurements to InfluxDB 1.8 (database, user, password) or 2.x (org, bucket, token). */
import { Type } from "@sinclair/typebox"
import { duration, integer, pattern, tableOf, text, url } from "../settings/schema.ts"

export const metrics = tableOf("Measurements. On when an InfluxDB server is named.", {
  job: pattern(/^[^\\\p{Cc}]{0,1024}$/u, "tss-node", {
    expected: "a text without \\ and line breaks, which InfluxDB cannot take in a tag",
    description: "Tag of every point.",
  }),
  instance: integer(0, 1_000_000, 0, "Tag of every point, to distinguish several nodes."),
  name_prefix: pattern(/^(?:[A-Za-z_][A-Za-z0-9_]{0,63})?$/, "", {
    expected: "letters, digits and _, not beginning with a digit",
    description: "Prefix of every name, in InfluxDB and in /metrics.",
  }),
  influxdb: tableOf("An InfluxDB server: 1.8 with database, username, password; 2.x with org, bucket, token.", {
    server_addr: Type.Optional(
      url({ schemes: ["http", "https"], credentials: false }, "http://127.0.0.1:8086", "The server."),
    ),
    database: Type.Optional(text("cosigner", "1.8: the database.")),
    username: Type.Optional(text("cosigner", "1.8: the user.")),
    password: Type.Optional(text("change-me", "1.8: the password.", { visible: "never" })),
    org: Type.Optional(text("example", "2.x: the organisation.")),
    bucket: Type.Optional(text("cosigner", "2.x: the bucket.")),
    token: Type.Optional(text("change-me", "2.x: the API token.", { visible: "never" })),
    interval: duration("10s", "How often points are sent."),
  }),
})
