/** The hardening of a running node, read from outside, where the kernel keeps it. Linux; a crash test needs python3. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { openDoors } from "../../src/hardening/environment.ts"
import { binary } from "../support/binary.ts"
import { makeNode, type Node } from "../support/nodeProcess.ts"

const READY = /TSS Node ID: /
/** The last thing before the link is dialled; by then the workers run. */
const STARTED = /WebSocket connecting to /

/** The last thing of a start: every measure was taken or told. */
const RUNNING = /level=info msg="running"/

const onLinux = describe.skipIf(process.platform !== "linux")
const isRoot = process.getuid?.() === 0
const hasPython = Bun.which("python3") !== null
if (!hasPython) console.error("skipped: crashes and denied measures cannot be shown without python3")
if (!isRoot) console.error("skipped: other users and locked memory can only be shown as root")

/** A command under a filter that denies one of prctl's options. */
const denying = (option: number): readonly string[] => [
  "python3",
  join(import.meta.dir, "denyPrctl.py"),
  String(option),
]

const statusOf = (pid: number, key: string): string =>
  new RegExp(`^${key}:\\s*(.+)$`, "m").exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? ""
const limitOf = (pid: number, name: string): readonly string[] =>
  (new RegExp(`^${name}\\s{2,}(.+)$`, "m").exec(readFileSync(`/proc/${pid}/limits`, "utf8"))?.[1] ?? "").split(/\s+/)

onLinux("a running node", () => {
  let node: Node
  beforeAll(async () => {
    node = await makeNode()
    node.configure("")
  })
  afterAll(() => node[Symbol.dispose]())

  test("has no core limit to use, no privileges to gain, and files for itself alone", async () => {
    await using it = node.start()
    await it.line(STARTED)
    expect(limitOf(it.pid, "Max core file size").slice(0, 2)).toEqual(["0", "0"])
    expect(statusOf(it.pid, "NoNewPrivs")).toBe("1")
    expect(statusOf(it.pid, "Umask")).toBe("0077")
  })

  test.skipIf(!isRoot)("belongs to root in /proc, so that its own user cannot look into it", async () => {
    Bun.spawnSync(["chown", "-R", "65534:65534", node.dir])
    await using it = node.start({ through: ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] })
    await it.line(STARTED)
    expect(statusOf(it.pid, "Uid").split("\t")[0]).toBe("65534")
    expect(statSync(`/proc/${it.pid}/mem`).uid).toBe(0)
    const spy = Bun.spawnSync(
      ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "cat", `/proc/${it.pid}/environ`],
      { stderr: "pipe" },
    )
    expect(spy.exitCode).not.toBe(0)
    Bun.spawnSync(["chown", "-R", "0:0", node.dir])
  })

  test.skipIf(!isRoot)("has its memory locked, and stays small", async () => {
    await using it = node.start()
    await it.line(RUNNING)
    expect(Number.parseInt(statusOf(it.pid, "VmLck"), 10)).toBeGreaterThan(10_000)
    // without ONFAULT it would be gigabytes
    expect(Number.parseInt(statusOf(it.pid, "VmRSS"), 10)).toBeLessThan(400_000)
  })

  test.skipIf(!isRoot)("says what it could not do, and runs", async () => {
    const through = ["prlimit", "--memlock=8388608", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-all"]
    await using it = node.start({ through })
    expect(await it.line(/E-OPS-004/)).toContain("8192 KiB")
    await it.line(STARTED)
    expect(statusOf(it.pid, "VmLck")).toBe("0 kB")
  })

  test.skipIf(!hasPython)("is sealed once it runs: a kernel that denies it is told of", async () => {
    {
      await using it = node.start({ through: denying(65) })
      expect(await it.line(/E-OPS-005/)).toContain("EPERM")
    }
    await using sealed = node.start()
    await sealed.line(/retryInMs/)
    sealed.signal("SIGTERM")
    const { exit, text } = await sealed.ended
    expect(exit).toBe(0)
    expect(text).not.toContain("E-OPS-")
  })

  test("is not the only process that does so: every command does, before it reads anything", async () => {
    writeFileSync(join(node.dir, "status.toml"), '[status]\nenable = true\nlisten = "unix:none.sock"\n', {
      mode: 0o600,
    })
    const child = Bun.spawn([binary, "status", "--watch", "-c", "status.toml"], {
      cwd: node.dir,
      env: { PATH: process.env["PATH"] ?? "", HOME: node.dir },
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    })
    // it has looked for the node in vain
    for await (const _ of child.stderr) break
    expect(limitOf(child.pid, "Max core file size").slice(0, 2)).toEqual(["0", "0"])
    expect(statusOf(child.pid, "NoNewPrivs")).toBe("1")
    expect(statusOf(child.pid, "Umask")).toBe("0077")
    child.kill("SIGKILL")
    await child.exited
  })

  test.skipIf(!hasPython)("leaves no core when it crashes", async () => {
    const crash = (command: readonly string[], signal: string) =>
      Bun.spawnSync(["python3", "-c", CRASH, node.dir, signal, ...command], { cwd: node.dir, env: crashEnv })
    const crashEnv = { PATH: process.env["PATH"] ?? "", HOME: node.dir }
    const control = crash(["sleep", "30"], "SEGV").stdout.toString().trim()
    if (control !== "core") console.error(`the control left no core here (${control}): the kernel's settings forbid it`)
    for (const signal of ["SEGV", "ABRT"]) {
      const { stdout } = crash([binary, "start", "--key-file", ".password"], signal)
      expect(stdout.toString().trim()).toBe("no core")
    }
  })
})

/** Runs a command without a core limit, kills it once it has started, and says whether the kernel wrote a core. */
const CRASH = `
import os, resource, signal, subprocess, sys, time
resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.dup2(w, 1); os.dup2(w, 2); os.close(r)
    os.execvp(sys.argv[3], sys.argv[3:])
os.close(w)
if sys.argv[3] != "sleep":
    said = b""
    while b"WebSocket connecting" not in said:
        chunk = os.read(r, 65536)
        if not chunk: break
        said += chunk
else:
    time.sleep(0.2)
os.kill(pid, getattr(signal, "SIG" + sys.argv[2]))
_, status = os.waitpid(pid, 0)
print("alive" if not os.WIFSIGNALED(status) else "core" if os.WCOREDUMP(status) else "no core")
`

onLinux("production", () => {
  const RULES = "env = 'production'\n[embedded_risk_control_rules]\nenable = true"
  let node: Node
  beforeAll(async () => {
    node = await makeNode()
  })
  afterAll(() => node[Symbol.dispose]())

  test("does not start with foreign code in the process, unless that is accepted by name", async () => {
    node.configure(RULES)
    const env = { BUN_JSC_useFTLJIT: "1" }
    await using refused = node.start({ env })
    const { exit, text } = await refused.ended
    expect(exit).toBe(5)
    expect(text).toContain("E-OPS-006")
    node.configure(`danger_allow_unhardened_process = true\n${RULES}`)
    await using accepted = node.start({ env })
    expect(await accepted.line(/E-OPS-006/)).toContain("BUN_JSC_useFTLJIT")
    await accepted.line(READY)
  })

  test.skipIf(!hasPython)("does not start where a measure is denied to it", async () => {
    node.configure(RULES)
    await using refused = node.start({ through: denying(4) })
    const { exit, text } = await refused.ended
    expect(exit).toBe(5)
    expect(text).toContain("E-OPS-002")
    node.configure(RULES.replace("production", "sandbox"))
    await using told = node.start({ through: denying(4) })
    await told.line(/E-OPS-002/)
    await told.line(READY)
  })
})

describe("variables that put code into a process", () => {
  test("are named, never shown; empty ones are nothing", () => {
    expect(openDoors({ PATH: "/bin", LD_PRELOAD: "", BUN_CONFIG_VERBOSE_FETCH: "1" })).toBeUndefined()
    const names = [
      "LD_PRELOAD",
      "LD_AUDIT",
      "LD_LIBRARY_PATH",
      "GCONV_PATH",
      "DYLD_FALLBACK_LIBRARY_PATH",
      "BUN_BE_BUN",
      "BUN_OPTIONS",
      "BUN_INSPECT_PRELOAD",
      "BUN_JSC_useJIT",
      "BUN_CRASH_REPORT_URL",
    ]
    for (const name of names) {
      const found = openDoors({ [name]: "/tmp/evil.so" })
      expect(found?.data.names).toEqual([name])
      expect(found?.message).not.toContain("evil")
    }
  })
})
