/** status, metrics list and metrics dashboard, without a node. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { statusLines } from "../../src/cli/statusText.ts"
import { CATALOGUE } from "../../src/ops/metrics/catalogue.ts"
import { statusOf } from "../ops/port/rig.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { cli } from "./world.ts"

let folder = ""
let config = ""
beforeAll(() => {
  folder = temporaryFolder("cli").path
  config = join(folder, "cosigner.toml")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const withStatus = (toml: string) => {
  writeFileSync(config, toml)
  return cli(["status", "--json", "--config", config])
}

/** A listener of another user, which tells its port and answers with the first line that it was sent; needs root. */
const STRANGER = `
use IO::Socket::INET; $| = 1;
my $s = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 0) or die;
print $s->sockport, "\\n";
my $c = $s->accept; my $line = <$c>;
print $c "HTTP/1.1 200 OK\\r\\ncontent-length: ", length($line), "\\r\\nconnection: close\\r\\n\\r\\n", $line;
close $c; sleep 30;
`
const perl = Bun.which("perl")
const stranger =
  process.getuid?.() === 0 && perl !== null && Bun.which("setpriv") !== null
    ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", perl, "-e", STRANGER]
    : undefined
if (stranger === undefined) console.log("skipped: a port of another user (needs root, setpriv and perl)")

describe("status", () => {
  test("of no node: 2, and how to have one", async () => {
    const { exit, stdout, stderr } = await withStatus('[status]\nenable = true\nlisten = "127.0.0.1:1"\n')
    expect(exit).toBe(2)
    expect(JSON.parse(stdout).error).toMatchObject({ code: "E-STA-004" })
    expect(stderr).toContain("status.enable")
  })
  test("of something else that listens there: 2", async () => {
    const answers: Response[] = []
    const other = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => answers.shift() ?? new Response("hello") })
    const toml = `[status]\nenable = true\nlisten = "127.0.0.1:${other.port}"\n`
    let led = 0
    const elsewhere = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        led++
        return Response.json(statusOf())
      },
    })
    const { node_id: _, ...without } = statusOf()
    for (const answer of [
      new Response("hello"),
      new Response("no", { status: 404 }),
      Response.json({}),
      Response.json(without),
      Response.json({ ...statusOf(), more: 1 }),
      Response.redirect(elsewhere.url.href, 302),
      Response.json({ code: "E-STA-015" }, { status: 503 }),
    ]) {
      answers.push(answer)
      const { exit, stdout } = await withStatus(toml)
      expect(exit).toBe(2)
      expect(JSON.parse(stdout).error.code).toMatch(/^E-STA-00[45]$/)
    }
    expect(led).toBe(0)
    await elsewhere.stop(true)
    answers.push(new Response("{}", { status: 401 }))
    expect(JSON.parse((await withStatus(toml)).stdout).error.code).toBe("E-STA-006")
    answers.push(Response.json(statusOf()))
    expect((await withStatus(toml)).exit).toBe(0)
    answers.push(Response.json(statusOf({ ready: false })))
    expect((await withStatus(toml)).exit).toBe(1)
    await other.stop(true)
  })
  test("sends the token to a port of its own user", async () => {
    const token = join(folder, "token")
    writeFileSync(token, "0123456789abcdef", { mode: 0o600 })
    const seen: (string | null)[] = []
    const node = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request) => {
        seen.push(request.headers.get("authorization"))
        return Response.json(statusOf())
      },
    })
    const toml = (listen: string) => `[status]\nenable = true\nlisten = "${listen}"\ntoken_path = "${token}"\n`
    expect((await withStatus(toml(`127.0.0.1:${node.port}`))).exit).toBe(0)
    expect(seen).toEqual(["Bearer 0123456789abcdef"])
    await node.stop(true)
    const gone = await withStatus(toml(`127.0.0.1:${node.port}`))
    expect(JSON.parse(gone.stdout).error.code).toBe("E-STA-004")
  })
  test.skipIf(stranger === undefined)("sends no token to a port that another user took", async () => {
    if (stranger === undefined) return
    const token = join(folder, "token")
    writeFileSync(token, "0123456789abcdef", { mode: 0o600 })
    const child = Bun.spawn([...stranger], { stdin: "ignore", stdout: "pipe", stderr: "inherit" })
    const lines = child.stdout.getReader()
    const line = async () => Buffer.from((await lines.read()).value ?? new Uint8Array(0)).toString()
    try {
      const port = Number(await line())
      const toml = `[status]\nenable = true\nlisten = "127.0.0.1:${port}"\ntoken_path = "${token}"\n`
      const { exit, stdout } = await withStatus(toml)
      expect(exit).toBe(2)
      expect(JSON.parse(stdout).error.code).toBe("E-STA-008")
      // the first connection that it sees is this one
      const answer = await fetch(`http://127.0.0.1:${port}/mark`).then((answer) => answer.text())
      expect(answer).toContain("GET /mark")
    } finally {
      child.kill("SIGKILL")
      await child.exited
    }
  })
  test("never sends the token beyond this machine: other places are refused", async () => {
    const { exit, stdout } = await withStatus('[status]\nlisten = "192.0.2.1:80"\n')
    expect(exit).toBe(2)
    expect(JSON.parse(stdout).error.code).toBe("E-STA-002")
  })
  test("as lines: nothing of other machines drives the terminal", () => {
    const [first, ...items] = statusOf().items
    if (first === undefined) throw new Error("there are items")
    const bad = { ...first, state: "failed" as const, reason: "a\u001b[2Jb\nready", code: "E-STA-010", next: "look" }
    const lines = statusLines(statusOf({ ready: false, items: [bad, ...items] }), "all")
    expect(lines[0]).toStartWith("NOT READY: ")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(lines.join("")).not.toMatch(/[\u0000-\u001f]/)
    expect(lines).toContain("          E-STA-010: look")
  })
})

describe("metrics", () => {
  test("list names all of them, with the prefix", async () => {
    writeFileSync(config, '[metrics]\nname_prefix = "x_"\n')
    const { exit, stdout } = await cli(["metrics", "list", "--json", "--config", config])
    expect(exit).toBe(0)
    const names = JSON.parse(stdout).map(({ name }: { name: string }) => name)
    expect(names).toEqual(Object.keys(CATALOGUE).map((name) => `x_${name}`))
    const plain = await cli(["metrics", "list", "--config", config])
    for (const name of names) expect(plain.stdout).toContain(name)
  })
  test("dashboard prints JSON for either source", async () => {
    for (const source of ["prometheus", "influxdb"]) {
      const { exit, stdout } = await cli(["metrics", "dashboard", "--source", source, "--config", config])
      expect(exit).toBe(0)
      expect(JSON.parse(stdout).panels).toHaveLength(Object.keys(CATALOGUE).length)
      expect(stdout).toContain("x_cosigner_tasks_total")
    }
  })
  test("a prefix that no name may have is refused", async () => {
    for (const prefix of ["1a", "a-b", "a b", "a{", "x".repeat(65)]) {
      writeFileSync(config, `[metrics]\nname_prefix = "${prefix}"\n`)
      expect((await cli(["metrics", "list", "--config", config])).exit).toBe(2)
    }
  })
})

test("config check tells what the port and the measurements would refuse", async () => {
  for (const [toml, code] of [
    ['[status]\nenable = true\nlisten = "0.0.0.0:80"\n', "E-STA-002"],
    ['[metrics.influxdb]\nserver_addr = "http://127.0.0.1:8086"\n', "E-STA-021"],
  ] as const) {
    writeFileSync(config, toml, { mode: 0o600 })
    const { exit, stdout, stderr } = await cli(["config", "check", "--config", config])
    expect(exit).not.toBe(0)
    expect(stdout + stderr).toContain(code)
  }
})
