/** `[waas.store]` of waas.toml: its schema, and the settings of the shared database that follow from it. */
import type { StaticDecode } from "@sinclair/typebox"
import { isLoopback } from "../outbound.ts"
import type { DeepReadonly } from "../settings/read.ts"
import { boolean, integer, parsed, pathOrNone, tableOf } from "../settings/schema.ts"
import { type PostgresSettings, parseStoreUrl } from "./store/postgresSettings.ts"

export const storeTable = tableOf("Where vaults, requests and tasks are kept. Empty: in waas.db of this folder.", {
  url: {
    ...parsed((text) => (text === "" ? { none: true as const } : parseStoreUrl(text)), {
      fallback: "",
      example: "postgres://waas@db.example.com/waas",
      expected: "postgres://user@host:port/database, without parameters",
      description:
        "A Postgres database (14 or later) that is for WaaS alone; waas.db is then unused. See docs/how-to/replicas.md.",
    }),
    visible: "never" as const,
  },
  password_file: pathOrNone(
    "A file of mode 600 with the user's password, read at each connection. Otherwise the systemd credential waas-store-password, or the URL's.",
  ),
  socket_folder: pathOrNone(
    "The folder of the server's Unix socket, instead of host and TLS; the URL's port names the socket.",
  ),
  ca_path: pathOrNone(
    "PEM of the authorities that the server's certificate is verified with. Empty: those of the system.",
  ),
  cert_path: pathOrNone("PEM of a client certificate."),
  key_path: pathOrNone("PEM of its private key, mode 600."),
  allow_plaintext: boolean(false, "Connects without TLS to another host than this one."),
  connections: integer(
    2,
    100,
    8,
    "The most connections to it at one time, besides three for news between replicas and for signs of life.",
  ),
})

/**
 * The settings of the shared database; undefined if the table names none. Connections use TLS with a verified certificate, except over a
 * socket, and to a loopback address or with `allow_plaintext` if the table names no certificates.
 */
export function storeOf(
  settings: DeepReadonly<StaticDecode<typeof storeTable>>,
  at: (path: string) => string,
): PostgresSettings | undefined {
  const { url, connections } = settings
  if ("none" in url) return undefined
  const file = (path: string) => (path === "" ? undefined : at(path))
  const caFile = file(settings.ca_path)
  const [certFile, keyFile] = [file(settings.cert_path), file(settings.key_path)]
  const client = certFile === undefined || keyFile === undefined ? undefined : { certFile, keyFile }
  const socketFolder = file(settings.socket_folder)
  const isPlain = (isLoopback(url.hostname) || settings.allow_plaintext) && caFile === undefined && client === undefined
  return {
    ...url,
    passwordFile: file(settings.password_file),
    socketFolder,
    tls: socketFolder !== undefined || isPlain ? undefined : { caFile, client },
    connections,
  }
}
