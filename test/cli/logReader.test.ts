/** A node whose log is not read, or is moved away, on the real binary: it runs and obeys all the same. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, readFileSync, renameSync } from "node:fs"
import { join } from "node:path"
import { binary } from "../support/binary.ts"
import { fullPipe } from "../support/fullPipe.ts"
import { makeNode } from "../support/nodeProcess.ts"

setDefaultTimeout(60_000)

test("stderr on a full pipe that nobody reads: the node starts, runs and obeys SIGTERM", async () => {
  using node = await makeNode()
  node.configure('[log.std]\nlevel = "trace"\n')
  using pipe = fullPipe(join(node.dir, "stderr"))
  const child = Bun.spawn([binary, "start", "--key-file", ".password"], {
    cwd: node.dir,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: node.dir },
    stdin: "ignore",
    stdout: "ignore",
    stderr: pipe.stderr,
  })
  const killer = setTimeout(() => child.kill("SIGKILL"), 30_000)
  // What the main thread writes once it runs.
  while (!existsSync(join(node.dir, "db", "secrets.db.in-force.json")) && child.exitCode === null && !child.killed) {
    await Bun.sleep(20)
  }
  expect(child.killed).toBe(false)
  child.kill("SIGTERM")
  await child.exited
  clearTimeout(killer)
  expect(child.exitCode).toBe(0)
})

test("stderr on a pipe whose reader has gone: the node runs, idles and obeys SIGTERM", async () => {
  using node = await makeNode()
  node.configure('[log.std]\nlevel = "trace"\n')
  // the shell ends with its first line, and with it the only reader
  const command = `exec 3>&1; { ${binary} start --key-file .password 2>&1 >&3 3>&- & echo $! >&3; } | head -n 1 >/dev/null`
  const child = Bun.spawn(["sh", "-c", command], {
    cwd: node.dir,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: node.dir },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  })
  const pid = Number(Buffer.from((await child.stdout.getReader().read()).value ?? new Uint8Array(0)).toString())
  try {
    while (!existsSync(join(node.dir, "db", "secrets.db.in-force.json"))) await Bun.sleep(20)
    process.kill(pid, "SIGTERM")
    const isThere = () => existsSync(`/proc/${pid}`)
    const until = performance.now() + 20_000
    while (isThere() && performance.now() < until) await Bun.sleep(20)
    expect(isThere()).toBe(false)
  } finally {
    if (existsSync(`/proc/${pid}`)) process.kill(pid, "SIGKILL")
  }
})

test("a log file on a disk that hangs: the node starts, runs, answers and obeys SIGTERM", async () => {
  using node = await makeNode()
  const filename = join(node.dir, "hangs.log")
  using _ = fullPipe(filename)
  const socket = join(node.dir, "status.sock")
  node.configure(
    `[log.file]\nenable = true\nlevel = "trace"\nfilename = ${JSON.stringify(filename)}\n[status]\nenable = true\nlisten = "unix:${socket}"\n`,
  )
  await using it = node.start()
  await it.line(/msg="?running/)
  const { items } = (await fetch("http://node/status", { unix: socket }).then((answer) => answer.json())) as {
    items: readonly { name: string; state: string }[]
  }
  expect(items.find(({ name }) => name === "loop")?.state).toBe("ok")
  it.signal("SIGTERM")
  expect((await it.ended).exit).toBe(0)
})

test("a log file that was moved away: SIGUSR1 and SIGHUP open a new one, and neither ends the node", async () => {
  using node = await makeNode()
  const at = (name: string) => join(node.dir, "logs", name)
  node.configure(`[log.file]\nenable = true\nfilename = ${JSON.stringify(at("node.log"))}\n`)
  await using it = node.start()
  await it.line(/msg="?running/)
  for (const signal of ["SIGUSR1", "SIGHUP"] as const) {
    renameSync(at("node.log"), at(`moved.${signal}`))
    it.signal(signal)
    while (!existsSync(at("node.log"))) await Bun.sleep(10)
  }
  it.signal("SIGTERM")
  expect((await it.ended).exit).toBe(0)
  expect(readFileSync(at("moved.SIGUSR1"), "utf8")).toContain("running")
  expect(readFileSync(at("node.log"), "utf8")).toContain("stopped")
})

test("a log file that cannot be opened anew without end, as on a disk that hangs: the node answers and obeys SIGTERM", async () => {
  using node = await makeNode()
  const filename = join(node.dir, "node.log")
  const socket = join(node.dir, "status.sock")
  node.configure(
    `[log.file]\nenable = true\nlevel = "trace"\nfilename = ${JSON.stringify(filename)}\n[status]\nenable = true\nlisten = "unix:${socket}"\n`,
  )
  await using it = node.start()
  await it.line(/msg="?running/)
  // a pipe without a reader: to open it waits for one
  renameSync(filename, `${filename}.old`)
  Bun.spawnSync(["mkfifo", filename])
  it.signal("SIGUSR1")
  const told = async (): Promise<number> => {
    const answer = await fetch("http://node/status", { unix: socket })
    const { now_ms } = (await answer.json()) as { now_ms: number }
    return now_ms
  }
  const before = await told()
  while ((await told()) < before + 2_000) await Bun.sleep(100)
  it.signal("SIGTERM")
  expect((await it.ended).exit).toBe(0)
})

test("SIGHUP in the middle of the start does not end it", async () => {
  using node = await makeNode()
  node.configure("")
  await using it = node.start()
  await it.line(/Embedded Risk Control Rule/)
  it.signal("SIGHUP")
  await it.line(/msg="?running/)
  it.signal("SIGTERM")
  expect((await it.ended).exit).toBe(0)
})
