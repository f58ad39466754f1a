/**
 * The leakScanner on the stand: whatever is planted, in whatever form and on whatever channel, it finds; of what is not a secret
 * it accuses nobody; and where it heard nothing it says so. Without this, its silence over the other tests says nothing.
 */

import { afterEach, describe, expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inspect } from "node:util"
import fc from "fast-check"
import { encodeBase58, encodeBase58Check } from "../../../src/keys/base58.ts"
import { openLog } from "../../../src/logging.ts"
import { createMetrics } from "../../../src/ops/metrics/catalogue.ts"
import { pointsOf } from "../../../src/ops/metrics/influx.ts"
import { prometheusText } from "../../../src/ops/metrics/prometheus.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { acquit, LeakScanner } from "./leakScanner.ts"
import { needlesOf } from "./needles.ts"
import { watchProcesses } from "./processes.ts"
import { readingsOf } from "./readings.ts"
import { searchFor } from "./search.ts"

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
const base64Of = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")
const latin1Of = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1")
const jwtOf = (payload: object): string =>
  [{ alg: "RS256" }, payload, "x".repeat(86)]
    .map((part) => (typeof part === "string" ? part : Buffer.from(JSON.stringify(part)).toString("base64url")))
    .join(".")
const percentOf = (bytes: Uint8Array): string => [...bytes].map((n) => `%${n.toString(16).padStart(2, "0")}`).join("")

type Write = (bytes: Uint8Array) => string | Uint8Array

/** Ways to write bytes that a part of a secret can be written in too. */
const FORMS: Readonly<Record<string, Write>> = {
  raw: (bytes) => bytes,
  hex: hexOf,
  "upper-case hex": (bytes) => hexOf(bytes).toUpperCase(),
  "hex with 0x": (bytes) => `0x${hexOf(bytes)}`,
  "hex with colons": (bytes) => hexOf(bytes).replaceAll(/..(?!$)/g, "$&:"),
  base64: base64Of,
  "base64 behind one byte": (bytes) => base64Of(Buffer.concat([Buffer.of(7), bytes])),
  "base64 behind two bytes": (bytes) => base64Of(Buffer.concat([Buffer.of(7, 8), bytes, Buffer.of(9)])),
  base64url: (bytes) => Buffer.from(bytes).toString("base64url"),
  "reversed hex": (bytes) => hexOf(Uint8Array.from(bytes).reverse()),
  "a list": (bytes) => JSON.stringify([...bytes]),
  "a list over lines": (bytes) => JSON.stringify([...bytes], null, 2),
  "a list of signed numbers": (bytes) => inspect(Int8Array.from(bytes), { maxArrayLength: 500 }),
  "an inspected array": (bytes) => inspect(Uint8Array.from(bytes)),
  "an inspected buffer": (bytes) => inspect(Buffer.from(bytes)),
  "an array as JSON": (bytes) => JSON.stringify(Uint8Array.from(bytes)),
  "a buffer as JSON": (bytes) => JSON.stringify(Buffer.from(bytes)),
  "percent-encoded": percentOf,
  "characters as UTF-8": (bytes) => Buffer.from(latin1Of(bytes), "utf8"),
  "characters as JSON": (bytes) => Buffer.from(JSON.stringify(latin1Of(bytes)), "utf8"),
  "inspected characters": (bytes) => Buffer.from(inspect({ of: latin1Of(bytes) }), "utf8"),
  PEM: (bytes) => base64Of(Buffer.concat([Buffer.alloc(40, 1), bytes])).replaceAll(/.{64}/g, "$&\n"),
  "the payload of a token": (bytes) => jwtOf({ iss: "node", data: hexOf(bytes) }),
  "packed twice in a token": (bytes) => jwtOf({ data: base64Of(Buffer.from(JSON.stringify({ of: base64Of(bytes) }))) }),
  "a token in a form": (bytes) => `TSS_JWT_MSG=${encodeURIComponent(jwtOf({ data: [...bytes] }))}`,
  "hex in hex": (bytes) => hexOf(Buffer.from(JSON.stringify({ share: hexOf(bytes) }))),
  "base58 with a prefix and a checksum": (bytes) =>
    encodeBase58Check(Buffer.concat([Buffer.from("0488ade400", "hex"), bytes])),
}

/** Ways that only the whole can be written in. */
const WHOLE: Readonly<Record<string, Write>> = {
  decimal: (bytes) => BigInt(`0x${hexOf(bytes)}`).toString(),
  "reversed decimal": (bytes) => BigInt(`0x${hexOf(Uint8Array.from(bytes).reverse())}`).toString(),
  "an inspected BigInt": (bytes) => inspect({ s: BigInt(`0x${hexOf(bytes)}`) }),
  base58: (bytes) => encodeBase58(Uint8Array.from(bytes)),
}

/** Every form that `text` holds the secret in, read in every way. */
function found(secret: Uint8Array, text: Uint8Array): readonly string[] {
  const search = searchFor(needlesOf({ name: "secret", bytes: secret }))
  return [text, readingsOf(text, new Set()).bytes].flatMap(search).map(({ form }) => form)
}
const within = (before: string, text: string | Uint8Array, behind: string): Uint8Array =>
  Buffer.concat([Buffer.from(before), typeof text === "string" ? Buffer.from(text) : text, Buffer.from(behind)])

const secrets = fc.uint8Array({ minLength: 32, maxLength: 32 }).filter((bytes) => new Set(bytes).size > 20)
/** Characters that join no encoding on either side. */
const noise = fc.string({ unit: fc.constantFrom(..." .,;!\n\t(){}"), maxLength: 60 })

describe("a secret is found", () => {
  for (const [form, write] of Object.entries({ ...FORMS, ...WHOLE })) {
    test(`as ${form}`, () => {
      fc.assert(
        fc.property(secrets, noise, noise, (secret, before, behind) => {
          expect(found(secret, within(before, write(secret), behind))).not.toEqual([])
        }),
        { numRuns: 30 },
      )
    })
  }
  for (const [form, write] of Object.entries(FORMS)) {
    test(`by any 16 bytes of it as ${form}`, () => {
      fc.assert(
        fc.property(secrets, fc.nat(16), noise, (secret, from, before) => {
          const part = secret.slice(from, from + 16)
          fc.pre(new Set(part).size >= 8)
          expect(found(secret, within(before, write(part), " end"))).not.toEqual([])
        }),
        { numRuns: 30 },
      )
    })
  }
  test("by the first half of a number that was cut", () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        const digits = BigInt(`0x${hexOf(secret)}`).toString()
        fc.pre(digits.length > 60)
        expect(found(secret, Buffer.from(`s = ${digits.slice(0, 40)}...`))).toEqual(["decimal"])
      }),
      { numRuns: 30 },
    )
  })
  test("as a text of its own: a password, raw or encoded for a URL", () => {
    const password = Buffer.from("canary.7h!s one/is+ours?and=long")
    expect(found(password, Buffer.from(`password=${password}`))).toEqual(["raw"])
    expect(found(password, Buffer.from(`?p=${encodeURIComponent(password.toString())}`))).toContain("raw")
  })
  test("among thousands, in megabytes, in a moment", () => {
    const many = Array.from({ length: 400 }, (_, n) => ({ name: `${n}`, bytes: randomBytes(2000) }))
    const search = searchFor(many.flatMap(needlesOf))
    const text = Buffer.from(randomBytes(8_000_000))
    expect(search(text)).toEqual([])
    const wanted = many[217]?.bytes ?? Buffer.alloc(0)
    text.write(base64Of(wanted.subarray(900, 940)), 5_000_001)
    const begun = performance.now()
    expect(search(text).map(({ secret, form }) => `${secret} ${form}`)).toContain("217 base64")
    expect(performance.now() - begun).toBeLessThan(5_000)
  })
})

describe("nobody is accused", () => {
  test("of noise, of other secrets, of a shorter part", () => {
    fc.assert(
      fc.property(secrets, secrets, (mine, other) => {
        const text = Object.values(FORMS).map((write) => Buffer.from(write(other)))
        expect(found(mine, Buffer.concat(text))).toEqual([])
        expect(found(mine, within(" ", hexOf(mine.slice(0, 15)), " "))).toEqual([])
        expect(found(mine, within(" ", base64Of(mine.slice(3, 15)), " "))).toEqual([])
      }),
      { numRuns: 20 },
    )
  })
  test("of zeros", () => {
    const padded = Buffer.concat([randomBytes(20), Buffer.alloc(40)])
    expect(found(padded, Buffer.alloc(1000))).toEqual([])
    expect(found(padded, Buffer.from("0".repeat(1000)))).toEqual([])
  })
  test("a secret that chance could make is refused as one", () => {
    expect(() => needlesOf({ name: "short", bytes: randomBytes(15) })).toThrow("short has 15 bytes")
  })
})

const opened: Disposable[] = []
afterEach(() => {
  for (const one of opened.splice(0)) one[Symbol.dispose]()
})
function leakScannerOf(secret: Uint8Array): LeakScanner {
  const leakScanner = new LeakScanner()
  leakScanner.secret("the secret", secret)
  opened.push(leakScanner)
  return leakScanner
}
function folder(): string {
  const path = temporaryFolder("leakScanner-test").path
  opened.push({ [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) })
  return path
}
const accused = (leakScanner: LeakScanner): readonly string[] => [
  ...new Set(leakScanner.judge().findings.map((finding) => `${finding.channel} ${finding.source}`)),
]

describe("on every channel", () => {
  const secret = randomBytes(32)
  const hex = hexOf(secret)

  test("a log: a field of a line, on stderr and in a file, as text and as JSON", async () => {
    for (const format of ["logfmt", "json"] as const) {
      const dir = folder()
      const leakScanner = leakScannerOf(secret)
      const filename = join(dir, "node.log")
      const file = { enable: true, level: "trace", format, filename, maxsize: 1, max_backups: 1 } as const
      const write = (text: string) => leakScanner.hear("output", "start", text)
      const { log, close } = openLog(
        { std: { enable: true, level: "trace", format }, file },
        { isTerminal: false, write },
      )
      log.trace("opened", () => ({ inner: { share: hex } }))
      await close()
      leakScanner.hearFolder("file", dir)
      expect(accused(leakScanner)).toEqual(["output start", "file node.log"])
    }
  })
  test("a metric: a label, for Prometheus and for InfluxDB", () => {
    const leakScanner = leakScannerOf(secret)
    const metrics = createMetrics()
    metrics.add("cosigner_alarms_total", { item: hex })
    leakScanner.hear("status", "/metrics", prometheusText(metrics.families(), ""))
    const points = pointsOf(metrics.families(), "", 1).map((point) => point.toLineProtocol())
    leakScanner.hear("influx", "requests", points.join("\n"))
    expect(accused(leakScanner)).toEqual(["status /metrics", "influx requests"])
  })
  test("an event, a request for approval: a claim of a token", () => {
    const leakScanner = leakScannerOf(secret)
    const package_data = base64Of(Buffer.from(JSON.stringify({ event_id: "1", data: { share: base64Of(secret) } })))
    leakScanner.hear("events", "server", `TSS_JWT_MSG=${jwtOf({ package_data })}`)
    expect(accused(leakScanner)).toEqual(["events server"])
  })
  test("the words of a process, its environment, and those of its children", async () => {
    const run = async (args: readonly string[], env: Readonly<Record<string, string>>) => {
      const leakScanner = leakScannerOf(secret)
      using watching = watchProcesses(leakScanner)
      const child = Bun.spawn([process.execPath, "-e", "await Bun.sleep(20_000)", ...args], { env, stdout: "ignore" })
      watching.logTap.started(child.pid, ["sleeper"])
      child.kill("SIGKILL")
      await child.exited
      return accused(leakScanner)
    }
    expect(await run(["nothing"], {})).toEqual([])
    expect(await run([hex], {})).toEqual(["argv sleeper"])
    expect(await run([], { PASSWORD: base64Of(secret) })).toEqual(["environ sleeper"])

    const leakScanner = leakScannerOf(secret)
    using watching = watchProcesses(leakScanner)
    watching.logTap.started(process.pid, ["this test"])
    const child = Bun.spawn([process.execPath, "-e", "await Bun.sleep(20_000)", hex], { env: {}, stdout: "ignore" })
    while (!accused(leakScanner).some((name) => name.startsWith("argv this test >"))) await Bun.sleep(50)
    child.kill("SIGKILL")
    await child.exited
  })
  test("a file, wherever it lies", () => {
    const dir = folder()
    mkdirSync(join(dir, "a", "b"), { recursive: true })
    writeFileSync(join(dir, "a", "b", "core.123"), Buffer.concat([randomBytes(5000), secret, randomBytes(5000)]))
    const leakScanner = leakScannerOf(secret)
    leakScanner.hearFolder("file", dir)
    expect(accused(leakScanner)).toEqual(["file a/b/core.123"])
  })
  test("a text that came in pieces is one text", () => {
    const leakScanner = leakScannerOf(secret)
    for (const letter of hex) leakScanner.hear("output", "start", letter)
    expect(accused(leakScanner)).toEqual(["output start"])
  })
})

describe("the judgement", () => {
  const secret = randomBytes(32)
  test("is red for a finding and says where, and never what", () => {
    const leakScanner = leakScannerOf(secret)
    leakScanner.hear("status", "node1 /tasks", `{"reason":"${hexOf(secret)}"}`)
    expect(() => acquit(leakScanner.judge())).toThrow(
      'the secret as hex (64) on status node1 /tasks: {"reason":"[...]"}',
    )
    try {
      acquit(leakScanner.judge())
    } catch (error) {
      expect(found(secret, Buffer.from(String(error)))).toEqual([])
    }
  })
  test("an exception is for one secret in one place", () => {
    const leakScanner = leakScannerOf(secret)
    leakScanner.secret("another secret", secret)
    leakScanner.except({ channel: "file", source: /^key$/, secret: /^the secret$/, why: "its file" })
    const token = jwtOf({ of: hexOf(secret) })
    for (const source of ["key", "key2"]) leakScanner.hear("file", source, token)
    leakScanner.hear("output", "key", token)
    const named = leakScanner
      .judge()
      .findings.map(({ channel, source, secret: name }) => `${name}: ${channel} ${source}`)
    expect(new Set(named)).toEqual(
      new Set([
        "another secret: file key",
        "the secret: file key2",
        "another secret: file key2",
        "the secret: output key",
        "another secret: output key",
      ]),
    )
  })
  test("is red where nothing was heard of what must have passed", () => {
    const leakScanner = leakScannerOf(secret)
    leakScanner.expect({ channel: "influx", what: "a measurement", text: "cosigner_build_info," })
    leakScanner.hear("status", "/metrics", "cosigner_build_info, but elsewhere")
    expect(() => acquit(leakScanner.judge())).toThrow("nothing was heard on influx: a measurement")
    leakScanner.hear("influx", "requests", "cosigner_build_info,job=x value=1")
    expect(acquit(leakScanner.judge())).toMatchObject({ findings: [], deaf: [], secrets: 1 })
  })
})

/** Tests whose processes nobody listens to, and why. */
const UNSCANNED: ReadonlyMap<string, string> = new Map([
  ["upgrade.test.ts", "an older release runs beside this one, and what that binary says is not this commit's"],
  ["backlog.test.ts", "a load of hundreds at level trace is another load; crash and wire scan the same frames"],
  ["campaign.test.ts", "a script of its own runs the processes, under load"],
  ["replicas.test.ts", "as campaign, whose cluster it has: the faults of several WaaS on one database"],
  ["waasLost.test.ts", "as adopt: WaaS holds no secret but its key, and test/backup looks for that in its backups"],
  ["adopt.test.ts", "WaaS holds no secret but its key, and the nodes do here what crash and backup scan"],
])

test("no test of the folder above runs without a leak scanner", () => {
  const folder = join(import.meta.dir, "..")
  const names = readdirSync(folder).filter((name) => name.endsWith(".test.ts"))
  expect([...UNSCANNED.keys()].filter((name) => !names.includes(name))).toEqual([])
  for (const name of names.filter((name) => !UNSCANNED.has(name))) {
    const text = readFileSync(join(folder, name), "utf8")
    // a deployment, or a leakScanner of its own; and no process that nobody hears
    expect([name, /\bscannedDeployment\(|\bnew LeakScanner\(/.test(text)]).toEqual([name, true])
    expect([name, /\btestDeployment\(|words: \[binary\]|\bcosigner\(/.test(text)]).toEqual([name, false])
  }
})
