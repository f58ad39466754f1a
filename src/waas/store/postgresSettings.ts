/** The settings of a Postgres connection in waas.toml: address, password, certificates; and the client options that are made of them. */
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
  /** From the URL; undefined: from a file or credential, or none. */
  readonly password: string | undefined
  readonly passwordFile: string | undefined
  /** Folder of the server's Unix socket, instead of host and port. */
  readonly socketFolder: string | undefined
  readonly tls: PostgresTls | undefined
  /** The most connections at one time. */
  readonly connections: number
}

interface PostgresTls {
  readonly caFile: string | undefined
  readonly client: { readonly certFile: string; readonly keyFile: string } | undefined
}

/** The systemd credential with the password, a file in $CREDENTIALS_DIRECTORY. */
const CREDENTIAL = "waas-store-password"
/** The most bytes of a password file, and of a key file. */
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

/** The address for logs and errors, without the password. */
export function shownStore({ hostname, port, user, database, socketFolder }: PostgresSettings): string {
  const host = socketFolder ?? `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`
  return `postgres://${user}@${host}/${database}`
}

/** The options of the runtime's client. Throws E-WAA-073 for files that cannot be used. */
export function clientOptions(settings: PostgresSettings): Bun.SQL.PostgresOrMySQLOptions {
  const { hostname, port, user, database, socketFolder, tls, connections } = settings
  // Read here only to report a bad file at the start. It is read again for each connection, because the password may be replaced.
  passwordOf(settings)
  return {
    adapter: "postgres",
    hostname,
    port,
    username: user,
    database,
    password: () => passwordOf(settings),
    ...(socketFolder === undefined ? {} : { path: join(socketFolder, `.s.PGSQL.${port}`) }),
    // Without rejectUnauthorized the client would encrypt, and accept any server's certificate.
    tls: tls === undefined ? "disable" : { rejectUnauthorized: true, ...tlsFiles(tls) },
    max: connections,
    connectionTimeout: CONNECT_SECONDS,
    connection: SESSION,
  }
}

const CONNECT_SECONDS = 5

/**
 * Settings of each session in the server, times in ms. A commit is on the server's disk before it is acknowledged, and nothing waits for
 * ever. A process that stands still within a transaction keeps others from taking over its work, so its transaction ends sooner than its
 * lease (replica.ts).
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

/** The certificates in the PEM file, and nothing else that is in it. */
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
