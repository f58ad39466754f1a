/** Every fault that the watchdog is there for, made to happen: readiness goes, the log hears it once, and it passes. */
import { describe, expect, test } from "bun:test"
import { CosignerError } from "../../../src/errors.ts"
import type { Log } from "../../../src/log.ts"
import type { Ending } from "../../../src/mpc/session.ts"
import {
  clockProbe,
  linkProbe,
  loopProbe,
  proofProbe,
  sessionsProbe,
  storeProbe,
  WATCH_LIMITS,
  waasProbe,
  workersProbe,
} from "../../../src/ops/readiness/probes.ts"
import { sessionBook } from "../../../src/ops/readiness/sessions.ts"
import { createWatch, isReady, type Probe, type ProbeFinding } from "../../../src/ops/readiness/watch.ts"
import type { StartSession } from "../../../src/tasks/ports.ts"
import { MOST_QUEUED } from "../../../src/workers/inbound.ts"
import { startPool } from "../../../src/workers/pool.ts"
import { Folder } from "../../store/fixtures.ts"
import { fullDisk } from "../../store/fullDisk.ts"
import { TestClock } from "../../support/clock.ts"
import { DIES, HANGS } from "./broken.ts"

/** A clock to turn by hand, a watch on it, and what reached the log. */
function world() {
  const clock = new TestClock(1_000_000)
  const lines: string[] = []
  const alarms: string[] = []
  const log: Log = {
    error: (message) => void lines.push(`error ${message}`),
    warn: (message) => void lines.push(`warn ${message}`),
    info: (message) => void lines.push(`info ${message}`),
    debug: () => undefined,
    trace: () => undefined,
  }
  return {
    lines,
    alarms,
    clock: clock.now,
    advance: (ms: number) => clock.advance(ms),
    watch: (...probes: Probe[]) => {
      const watch = createWatch({ probes, now: clock.now, log, onAlarm: (item) => void alarms.push(item) })
      /** A look a second, for so long; the items of the last. */
      return (forMs = 0) => {
        let items = watch.look()
        for (let passed = 0; passed < forMs; passed += 1000) {
          clock.advance(1000)
          items = watch.look()
        }
        return items
      }
    },
  }
}

const failure = new CosignerError("E-STA-010", { why: "because" })

describe("the watch", () => {
  test("says a failure once, with code and next step, and its end once", () => {
    const it = world()
    let found: ProbeFinding = { state: "ok", reason: "fine" }
    const look = it.watch({ name: "store", holdMs: 0, look: () => found })
    expect(look(5_000)[0]).toMatchObject({ state: "ok", reason: "fine", code: "", next: "" })
    found = { state: "failed", error: failure }
    const [item] = look(60_000)
    expect(item).toMatchObject({ state: "failed", code: "E-STA-010", next: failure.next, reason: failure.message })
    expect(it.clock() - (item?.sinceMs ?? 0)).toBeGreaterThanOrEqual(59_000)
    expect(item?.checkedMs).toBe(it.clock())
    found = { state: "ok", reason: "fine" }
    look(60_000)
    expect(it.lines).toHaveLength(2)
    expect(it.lines[0]).toStartWith("error E-STA-010 ")
    expect(it.lines[0]).toEndWith(failure.next)
    expect(it.lines[1]).toStartWith("info ")
    found = { state: "failed", error: failure }
    look(60_000)
    expect(it.lines).toHaveLength(3)
    expect(it.alarms).toEqual(["store", "store"])
  })
  test("what passes within its hold is no alarm, but never ready", () => {
    const it = world()
    let found: ProbeFinding = { state: "failed", error: failure }
    const look = it.watch({ name: "link", holdMs: 10_000, look: () => found })
    expect(isReady(look(9_000))).toBe(false)
    found = { state: "ok", reason: "up" }
    expect(isReady(look(60_000))).toBe(true)
    expect(it.lines).toEqual([])
    found = { state: "failed", error: failure }
    look(11_000)
    expect(it.lines).toHaveLength(1)
  })
  test("what is not known is not ready, and no alarm", () => {
    const it = world()
    const look = it.watch({ name: "clock", holdMs: 0, look: () => ({ state: "waiting", reason: "not yet" }) })
    expect(isReady(look(60_000))).toBe(false)
    expect(it.lines).toEqual([])
    expect(isReady([])).toBe(false)
  })
})

describe("the store", () => {
  test("proves itself by writing, seldom; what tasks write counts as well", () => {
    const it = world()
    let writes = 0
    let writtenAt: number | undefined
    const write = () => {
      writes++
      writtenAt = it.clock()
    }
    const look = it.watch(storeProbe({ limits: WATCH_LIMITS, clock: it.clock, writtenAt: () => writtenAt, write }))
    expect(look()[0]?.state).toBe("ok")
    expect(isReady(look(60_000))).toBe(true)
    expect(writes).toBe(7)
    for (let i = 0; i < 60; i++) {
      writtenAt = it.clock()
      look(1_000)
    }
    expect(writes).toBe(7)
  })
  test("a write that seems to work and leaves no commit is not believed", () => {
    const it = world()
    const look = it.watch(
      storeProbe({ limits: WATCH_LIMITS, clock: it.clock, writtenAt: () => 0, write: () => undefined }),
    )
    expect(look(1_000)[0]).toMatchObject({ state: "failed", code: "E-STA-010" })
  })
  test("a disk without room for a commit: not ready, once in the log, ready again when there is room", () => {
    const it = world()
    using folder = new Folder()
    using store = folder.create()
    let writtenAt: number | undefined
    store.observeCommits((_, isDone) => {
      if (isDone) writtenAt = it.clock()
    })
    const write = () => store.probe(it.clock())
    const look = it.watch(storeProbe({ limits: WATCH_LIMITS, clock: it.clock, writtenAt: () => writtenAt, write }))
    expect(look(5_000)[0]?.state).toBe("ok")
    {
      using _full = fullDisk()
      const [item] = look(10_000)
      expect(item).toMatchObject({ state: "failed", code: "E-STA-010" })
      expect(item?.reason).toContain("E-STO-013")
    }
    expect(look(15_000)[0]?.state).toBe("ok")
    expect(it.lines).toHaveLength(2)
  })
})

describe("link and clock", () => {
  const online = {
    phase: "online" as const,
    silentMs: 0,
    measured: { rttMs: 10, clockOffsetMs: 3 },
    lastError: undefined,
    replicas: [],
  }

  test("a link that is up and silent fails within 30 s", () => {
    const it = world()
    let heardAt = it.clock()
    const look = it.watch(linkProbe(WATCH_LIMITS, () => ({ ...online, silentMs: it.clock() - heardAt })))
    expect(isReady(look(20_000))).toBe(true)
    expect(look(9_000)[0]).toMatchObject({ state: "failed", code: "E-STA-011" })
    heardAt = it.clock()
    expect(isReady(look())).toBe(true)
  })
  test("a link that is down is not ready at once, and in the log after a while, with what the link said", () => {
    const it = world()
    const lastError = new CosignerError("E-LNK-011", { closeCode: 1006 })
    let phase: "online" | "waiting" = "online"
    const look = it.watch(linkProbe(WATCH_LIMITS, () => ({ ...online, phase, lastError })))
    expect(isReady(look())).toBe(true)
    phase = "waiting"
    // the link's own code and next step, which the general one would hide
    expect(look()[0]).toMatchObject({ code: "E-LNK-011", next: lastError.next })
    look(9_000)
    expect(it.lines).toEqual([])
    look(20_000)
    phase = "online"
    look(5_000)
    expect(it.lines.map((line) => line.slice(0, 15))).toEqual(["error E-LNK-011", "info recovered"])
  })
  test("a WaaS that says that it takes no writes, once and until it says otherwise", () => {
    const it = world()
    let waasProblem: { readonly code: string; readonly reason: string } | undefined
    const look = it.watch(waasProbe(() => ({ phase: "online", waasProblem })))
    expect(isReady(look())).toBe(true)
    waasProblem = { code: "E-WAA-061", reason: "the disk is full" }
    expect(look()[0]).toMatchObject({
      state: "failed",
      code: "E-STA-019",
      reason: expect.stringContaining("E-WAA-061"),
    })
    look(5_000)
    waasProblem = undefined
    expect(isReady(look())).toBe(true)
    expect(it.lines.map((line) => line.slice(0, 15))).toEqual(["error E-STA-019", "info recovered"])
  })
  test("with some replicas away it is ready; one that stays away is named, and nobody is alarmed", () => {
    const it = world()
    const lastError = new CosignerError("E-LNK-011", { closeCode: 1006 })
    const up = { url: "wss://a/ws", phase: "online", silentMs: 0, awayMs: undefined, lastError: undefined } as const
    const away = { url: "wss://b/ws", phase: "waiting", silentMs: undefined, awayMs: 9_000, lastError } as const
    let replicas: Parameters<typeof linkProbe>[1] extends () => { replicas: infer R } ? R : never = [up, up, away]
    const look = it.watch(linkProbe(WATCH_LIMITS, () => ({ ...online, replicas })))
    expect(look()[0]).toMatchObject({ state: "ok", reason: "heard 0.0 s ago; 2 of 3 replicas", code: "" })
    replicas = [up, { ...away, awayMs: 10_000 }, { ...up, url: "wss://c/ws", silentMs: 21_000 }]
    const [item] = look(60_000)
    expect(item).toMatchObject({ state: "ok", reason: "heard 0.0 s ago; 1 of 3 replicas", code: "E-LNK-027" })
    expect(it.lines).toEqual([])
    replicas = [up, up, up]
    expect(look()[0]).toMatchObject({ reason: "heard 0.0 s ago; 3 of 3 replicas", code: "" })
    replicas = [up]
    expect(look()[0]).toMatchObject({ reason: "heard 0.0 s ago", code: "" })
  })
  test("a link that was never up is waited for", () => {
    const it = world()
    const look = it.watch(linkProbe(WATCH_LIMITS, () => ({ ...online, phase: "connecting", silentMs: undefined })))
    expect(look(60_000)[0]?.state).toBe("waiting")
    expect(it.lines).toEqual([])
  })
  test("a clock that is off, by more than the measurement can be", () => {
    const it = world()
    let measured: { rttMs: number; clockOffsetMs: number } | undefined
    const look = it.watch(clockProbe(WATCH_LIMITS, () => ({ ...online, measured })))
    expect(look()[0]?.state).toBe("waiting")
    for (const [rttMs, clockOffsetMs, state] of [
      [10, 4_990, "ok"],
      [10, -4_990, "ok"],
      [10, 5_100, "failed"],
      [10, -70_000, "failed"],
      [4_000, 6_900, "ok"],
    ] as const) {
      measured = { rttMs, clockOffsetMs }
      expect(`${clockOffsetMs} ${look()[0]?.state}`).toBe(`${clockOffsetMs} ${state}`)
    }
  })
})

describe("session workers", () => {
  for (const [how, bootCounter] of [
    ["hangs", HANGS],
    ["dies", DIES],
  ] as const) {
    test(`one that ${how}: not ready, once in the log, replaced, ready again`, async () => {
      const it = world()
      const deaths: string[] = []
      const program = new URL("./brokenWorker.ts", import.meta.url)
      const pool = await startPool({
        size: 2,
        identity: { seed: new Uint8Array(32), nodeSecret: new Uint8Array(32), bootCounter },
        onDeath: (reason) => void deaths.push(reason),
        spawn: () => new Worker(program),
        mostQueued: MOST_QUEUED,
      })
      try {
        const limits = { ...WATCH_LIMITS, workersMs: 60, buryMs: 200 }
        const clock = () => performance.now()
        const look = it.watch(workersProbe({ limits, clock, pool, size: 2, onAnswer: () => undefined }))
        const until = async (state: ProbeFinding["state"]) => {
          const end = performance.now() + 20_000
          while (look()[0]?.state !== state && performance.now() < end) await Bun.sleep(1)
          expect(look()[0]?.state).toBe(state)
        }
        const begun = performance.now()
        await until("failed")
        expect(look()[0]?.code).toBe("E-STA-013")
        if (how === "hangs") expect(performance.now() - begun).toBeGreaterThan(limits.workersMs)
        await until("ok")
        expect(deaths).toHaveLength(1)
        expect(pool.alive()).toBe(2)
        expect(it.lines.map((line) => line.slice(0, 15))).toEqual(["error E-STA-013", "info recovered"])
      } finally {
        pool.close()
      }
    }, 60_000)
  }
})

describe("sessions", () => {
  test("one that does not end when it should: not ready until it does", async () => {
    const it = world()
    const { promise, resolve } = Promise.withResolvers<Ending>()
    const start: StartSession = () => ({ deliver: () => undefined, cancel: () => undefined, ending: promise })
    const ended: string[] = []
    const book = sessionBook({
      start,
      clock: it.clock,
      limitMs: () => 30_000,
      onEnd: (protocol, ending, tookMs) => void ended.push(`${protocol} ${ending} ${tookMs}`),
    })
    const look = it.watch(sessionsProbe(WATCH_LIMITS, it.clock, book.open))
    const io = {
      send() {},
      record: async () => {},
      blamed: async () => {},
      mayRelease: async () => true,
      begin: async () => {},
    }
    book.startSession(
      {
        protocol: "dkg",
        self: "" as never,
        taskId: "t",
        attempt: 1,
        groupId: "g",
        curve: "ed25519",
        threshold: 2,
        members: [],
        createdMs: 0,
      },
      io,
    )
    expect(isReady(look(40_000))).toBe(true)
    expect(look(5_000)[0]).toMatchObject({ state: "failed", code: "E-STA-014" })
    resolve({ kind: "cancelled" })
    await promise
    expect(isReady(look())).toBe(true)
    expect(ended).toEqual(["dkg cancelled 45000"])
    expect(it.lines).toHaveLength(2)
  })
})

describe("the main thread", () => {
  test("a stall is seen after it, and calm must return before the node is ready", () => {
    const it = world()
    const stalls: number[] = []
    const look = it.watch(loopProbe(WATCH_LIMITS, it.clock, (ms) => void stalls.push(ms)))
    expect(isReady(look(60_000))).toBe(true)
    it.advance(12_000)
    expect(look()[0]).toMatchObject({ state: "failed", code: "E-STA-015" })
    expect(isReady(look(4_000))).toBe(true)
    expect(stalls).toEqual([12_000])
  })
  test("while it lasts another thread says so, once, on stderr", async () => {
    const program = `
      const { rig } = await import(${JSON.stringify(`${import.meta.dir}/../port/rig.ts`)})
      const it = await rig({ stall: { limitMs: 600, format: "logfmt" } })
      await it.settled()
      const block = (ms) => { const end = performance.now() + ms; while (performance.now() < end); }
      block(1300)
      for (let i = 0; i < 8; i++) { it.beat(); await Bun.sleep(100) }
      console.error("between")
      block(1300)
      process.exit(0)`
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "ignore", stderr: "pipe" })
    const lines = (await child.stderr.text()).trim().split("\n")
    expect(lines.map((line) => /E-STA-\d+/.exec(line)?.[0] ?? line)).toEqual(["E-STA-015", "between", "E-STA-015"])
    expect(lines[0]).toMatch(/^time="[^"]+" level=error msg="E-STA-015 .*" item=loop code=E-STA-015$/)
  })
})

describe("proof", () => {
  const of = (heldMs: number | undefined, provenMs: number | undefined, limitMs: number | undefined) =>
    proofProbe({ now: () => 1_000_000, heldMs: () => heldMs, provenMs: () => provenMs, limitMs }).look().state

  test("nothing to prove, proven of late, no schedule: ok", () => {
    expect(of(undefined, undefined, 1000)).toBe("ok")
    expect(of(1, 999_500, 1000)).toBe("ok")
    expect(of(1, undefined, undefined)).toBe("ok")
    expect(of(1, 2, undefined)).toBe("ok")
    expect(of(999_500, undefined, 1000)).toBe("ok")
  })
  test("a share that was not seen to sign for longer than the schedule allows: failed", () => {
    expect(of(1, 998_000, 1000)).toBe("failed")
    expect(of(1, undefined, 1000)).toBe("failed")
  })
})
