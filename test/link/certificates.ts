/** Certificates for one test run, made by the openssl command; undefined where it is missing, and the tests say so. */

import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { temporaryFolder } from "../support/temporaryFolder.ts"

export interface Pair {
  readonly cert: string
  readonly key: string
}

export interface Certificates {
  readonly ca: string
  /** An authority that signed nothing here. */
  readonly otherCa: string
  /** For the name localhost, and no address. */
  readonly server: Pair
  readonly client: Pair
  /** A client of the other authority. */
  readonly stranger: Pair
}

export function makeCertificates(): Certificates | undefined {
  if (Bun.which("openssl") === null) {
    console.warn("skipped: tests of TLS, because there is no openssl command to make certificates with")
    return undefined
  }
  const folder = temporaryFolder("certificates").path
  const at = (name: string): string => join(folder, name)
  const openssl = (...args: readonly string[]): void => {
    const run = Bun.spawnSync(["openssl", ...args], { cwd: folder, stdin: "ignore" })
    if (run.exitCode !== 0) throw new Error(`openssl ${args[0]} failed: ${run.stderr.toString()}`)
  }
  const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"] as const
  const authority = (name: string): void =>
    openssl(
      "req",
      "-x509",
      ...ecKey,
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-subj",
      `/CN=${name}`,
      "-days",
      "2",
    )
  const issue = (name: string, by: string): Pair => {
    openssl("req", ...ecKey, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`)
    writeFileSync(at("names"), "subjectAltName=DNS:localhost\n")
    const signing = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-CAcreateserial", "-extfile", "names"] as const
    openssl("x509", "-req", "-in", `${name}.csr`, ...signing, "-days", "2", "-out", `${name}.pem`)
    return { cert: readFileSync(at(`${name}.pem`), "utf8"), key: readFileSync(at(`${name}.key`), "utf8") }
  }
  try {
    authority("ours")
    authority("other")
    return {
      ca: readFileSync(at("ours.pem"), "utf8"),
      otherCa: readFileSync(at("other.pem"), "utf8"),
      server: issue("server", "ours"),
      client: issue("client", "ours"),
      stranger: issue("stranger", "other"),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
