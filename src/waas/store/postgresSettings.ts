/** Where a Postgres is and what proves both ends, as waas.toml has it; read to what the runtime's client takes. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { certificatesIn } from "../../crypto/pem.ts"
import { CosignerError, errorText } from "../../errors.ts"
import { errnoOf, readPrivate, UnusableFile } from "../../files.ts"
import { credentialOf, isCredential } from "../files.ts"

export interface PostgresSettings {
  readonly hostname: string
  readonly port: number
  readonly user: string
  readonly database: string
  /** As the URL has it; undefined: from a file, or none. */
  readonly password: string | undefined
  readonly passwordFile: string | undefined
  /** Folder of the server's Unix socket, instead of host and port. */
  readonly socketFolder: string | undefined
  readonly tls: PostgresTls | undefined
  /** At one time. */
  readonly connections: number
}

interface PostgresTls {
  readonly caFile: string | undefined
  readonly client: { readonly certFile: string; readonly keyFile: string } | undefined
}

/** The systemd credential that has the password, a file in $CREDENTIALS_DIRECTORY. */
const CREDENTIAL = "waas-store-password"
const MOST_PASSWORD = 4096
const MOST_KEY = 65_536

type StoreAddress = Pick<PostgresSettings, "hostname" | "port" | "user" | "database" | "password">

/** `postgres://user:password@host:port/database`; undefined for anything else, parameters included. */
export function parseStoreUrl(text: string): StoreAddress | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined || !["postgres:", "postgresql:"].includes(url.protocol)) return undefined
  const database = decoded(url.pathname.slice(1))
  const user = decoded(url.username)
  const password = decoded(url.password)
  if (url.hostname === "" || url.search !== "" || url.hash !== "" || /\s/.test(text)) return undefined
  if (database === undefined || database === "" || database.includes("/")) return undefined
  if (user === undefined || user === "" || password === undefined) return undefined
  return {
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? 5432 : Number(url.port),
    user,
    database,
    password: password === "" ? undefined : password,
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** For logs and errors: without a password. */
export function shownStore({ hostname, port, user, database, socketFolder }: PostgresSettings): string {
  const host = socketFolder ?? `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`
  return `postgres://${user}@${host}/${database}`
}

/** The options of the runtime's client. Throws E-WAA-073 for files that cannot be used. */
export function clientOptions(settings: PostgresSettings): Bun.SQL.PostgresOrMySQLOptions {
  const { hostname, port, user, database, socketFolder, tls, connections } = settings
  // Read once now, so that a start says at once what is wrong, and again for each connection: it may be replaced meanwhile.
  passwordOf(settings)
  return {
    adapter: "postgres",
    hostname,
    port,
    username: user,
    database,
    password: () => passwordOf(settings),
    ...(socketFolder === undefined ? {} : { path: join(socketFolder, `.s.PGSQL.${port}`) }),
    // Anything but an object with this flag encrypts for whoever answers.
    tls: tls === undefined ? "disable" : { rejectUnauthorized: true, ...tlsFiles(tls) },
    max: connections,
    connectionTimeout: CONNECT_SECONDS,
    connection: SESSION,
  }
}

const CONNECT_SECONDS = 5

/**
 * Nothing waits for ever in the server either, and a commit is on its disk before it is acknowledged. Whoever stands still in the middle
 * of a commit keeps others from taking its work over: not for longer than the lease (replica.ts).
 */
const SESSION = {
  application_name: "cosigner-waas",
  synchronous_commit: "on",
  statement_timeout: 10_000,
  lock_timeout: 5_000,
  idle_in_transaction_session_timeout: 4_000,
}

function passwordOf({ password, passwordFile }: PostgresSettings): string {
  const file = passwordFile ?? credentialOf(CREDENTIAL)
  return file === undefined ? (password ?? "") : textOf("password_file", file, MOST_PASSWORD).replace(/\r?\n$/, "")
}

function tlsFiles({ caFile, client }: PostgresTls) {
  const ca = caFile === undefined ? undefined : certificates("ca_path", caFile)
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(client === undefined
      ? {}
      : { cert: certificates("cert_path", client.certFile), key: textOf("key_path", client.keyFile, MOST_KEY) }),
  }
}

/** The file's certificates, and nothing else of it. */
function certificates(key: string, file: string): string {
  try {
    const all = readable(readFileSync(file, "utf8"))
    if (all.length === 0) throw new UnusableFile("there is no PEM certificate in it")
    return all.join("")
  } catch (error) {
    throw unusable(key, file, error)
  }
}

function readable(pem: string): readonly string[] {
  try {
    return certificatesIn(pem).map((certificate) => certificate.toString())
  } catch (cause) {
    throw new UnusableFile("one of its certificates cannot be read", { cause })
  }
}

function textOf(key: string, file: string, most: number): string {
  try {
    using secret = readPrivate(file, most, { allowReadable: isCredential(file) })
    return Buffer.from(secret.expose()).toString("utf8")
  } catch (error) {
    throw unusable(key, file, error)
  }
}

function unusable(key: string, file: string, cause: unknown): CosignerError {
  const problem = cause instanceof UnusableFile ? cause.message : (errnoOf(cause) ?? errorText(cause))
  return new CosignerError("E-WAA-073", { key, file, problem }, { cause })
}
