/**
 * A Postgres of a test's own: Debian's package (or the one that COSIGNER_POSTGRES_BIN names), a throw-away data folder, a loopback
 * port, no password. In the long suite, or where COSIGNER_STORE_URL names one that is there; `whyNoPostgres` says why a test is skipped.
 */
import { spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { SQL } from "bun"
import { freePort } from "./freePort.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

const PACKAGES = "/usr/lib/postgresql"

function programs(): string | undefined {
  const named = process.env["COSIGNER_POSTGRES_BIN"]
  const installed = existsSync(PACKAGES) ? readdirSync(PACKAGES).map((version) => join(PACKAGES, version, "bin")) : []
  return [...(named === undefined ? [] : [named]), ...installed.sort().reverse()].find((bin) =>
    existsSync(join(bin, "initdb")),
  )
}

/** Undefined where one can be started. */
export const missingPostgres: string | undefined =
  programs() === undefined
    ? "no initdb: install Debian's postgresql, or name its programs in COSIGNER_POSTGRES_BIN"
    : undefined
/** The same for a test. */
export const whyNoPostgres: string | undefined =
  process.env["COSIGNER_LONG"] !== "1" ? "in the long suite only" : missingPostgres

export interface TestPostgres extends Disposable {
  readonly port: number
  readonly folder: string
  /** A new, empty database. */
  database(): Promise<string>
  url(database: string): string
  stop(how?: "fast" | "immediate"): void
  start(): void
}

/** Who has to prove itself; everybody else is trusted. */
export const ROLE_WITH_PASSWORD = "keeper"
const ACCESS = `host all ${ROLE_WITH_PASSWORD} all scram-sha-256\nhost all all all trust\nlocal all all trust\n`

/** `files` stand in its data folder, readable for it alone. */
export function startPostgres(
  settings: readonly string[] = [],
  files: Readonly<Record<string, string>> = {},
): TestPostgres {
  const bin = programs()
  if (bin === undefined) throw new Error(missingPostgres)
  const folder = temporaryFolder("postgres")
  const isRoot = process.getuid?.() === 0
  // It refuses to run as root; Debian's package brings a user for it.
  const as = isRoot ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : []
  if (isRoot) run(["chown", "postgres", folder.path])
  const data = folder.at("data")
  const port = freePort()
  run([...as, join(bin, "initdb"), "-D", data, "-A", "trust", "-U", "waas", "--no-sync", "-E", "UTF8", "--locale=C"])
  for (const [name, text] of Object.entries({ ...files, "pg_hba.conf": ACCESS })) {
    writeFileSync(join(data, name), text, { mode: 0o600 })
    if (isRoot) run(["chown", "postgres", join(data, name)])
  }
  const options = [`-p ${port}`, "-c listen_addresses=127.0.0.1", `-c unix_socket_directories=${folder.path}`]
  const all = [...options, ...settings.map((setting) => `-c ${setting}`)].join(" ")
  const ctl = (...words: readonly string[]) => run([...as, join(bin, "pg_ctl"), "-D", data, "-w", "-t", "30", ...words])
  const start = () => ctl("-o", all, "-l", folder.at("log"), "start")
  const stop = (how: "fast" | "immediate" = "fast") => ctl("-m", how, "stop")
  start()
  const url = (database: string) => `postgres://waas@127.0.0.1:${port}/${database}`
  return {
    port,
    folder: folder.path,
    url,
    stop,
    start,
    database: () => newDatabase(url("postgres")),
    [Symbol.dispose]() {
      if (existsSync(join(data, "postmaster.pid"))) stop("immediate")
      folder[Symbol.dispose]()
    },
  }
}

/** Beside the database that `url` names, on the same server. */
export async function newDatabase(url: string): Promise<string> {
  const name = `w${randomUUID().replaceAll("-", "")}`
  const admin = new SQL({ url, max: 1 })
  await admin.unsafe(`CREATE DATABASE ${name}`)
  await admin.close()
  const made = new URL(url)
  made.pathname = `/${name}`
  return made.href
}

function run(command: readonly string[]): void {
  const [program = "", ...words] = command
  const { status, stderr, error } = spawnSync(program, words, { stdio: ["ignore", "ignore", "pipe"], cwd: "/" })
  if (status !== 0) throw new Error(`${command.join(" ")}: ${error?.message ?? stderr.toString()}`)
}
