/** What several links look like as one. */
import { describe, expect, test } from "bun:test"
import { CosignerError } from "../../src/errors.ts"
import { joined } from "../../src/link/joined.ts"
import type { LinkState } from "../../src/link/link.ts"

const link = (change: Partial<LinkState> = {}): LinkState => ({
  phase: "online",
  sinceMs: 5,
  failures: 0,
  connections: 1,
  measured: { rttMs: 1, clockOffsetMs: 0 },
  silentMs: 10,
  waasProblem: undefined,
  lastError: undefined,
  dropped: { malformed: 1, duplicate: 2, handlerFailed: 3, queueFull: 4 },
  queue: { frames: 1, bytes: 10, inFlight: 1 },
  replicas: [],
  ...change,
})
const away = (change: Partial<LinkState> = {}): LinkState =>
  link({ phase: "waiting", failures: 7, measured: undefined, silentMs: undefined, ...change })
const off = (clockOffsetMs: number, phase: LinkState["phase"] = "online"): LinkState =>
  link({ phase, measured: { rttMs: 1, clockOffsetMs } })
const offset = (...links: readonly LinkState[]): number | undefined => joined(links, 0).measured?.clockOffsetMs

test("it is online while any is, and says of it what that one says", () => {
  const both = joined(
    [away({ lastError: new CosignerError("E-LNK-011", { closeCode: 1 }) }), link({ silentMs: 30 })],
    9,
  )
  expect(both).toMatchObject({ phase: "online", sinceMs: 9, failures: 0, silentMs: 30, connections: 2 })
  expect(both.lastError).toBeUndefined()
  expect(both.queue).toEqual({ frames: 2, bytes: 20, inFlight: 2 })
  expect(both.dropped).toEqual({ malformed: 2, duplicate: 4, handlerFailed: 6, queueFull: 8 })
  expect(joined([link({ silentMs: 30 }), link({ silentMs: 20 })], 0).silentMs).toBe(20)
  expect(joined([away(), away({ phase: "connecting", failures: 3 })], 0)).toMatchObject({
    phase: "connecting",
    failures: 3,
    silentMs: undefined,
  })
  expect(joined([away({ phase: "stopped" }), away({ phase: "stopped" })], 0).phase).toBe("stopped")
})

describe("the clock", () => {
  test("of three the middle one counts: one replica that is off neither stops nor excuses anybody", () => {
    expect(offset(off(9_000), off(3), off(-2))).toBe(3)
    expect(offset(off(9_000), off(1), off(8_000))).toBe(8_000)
  })
  test("of two the one that is farther off", () => {
    expect(offset(off(9_000), off(3))).toBe(9_000)
    expect(offset(off(-9_000), off(3))).toBe(-9_000)
  })
  test("one that is away does not count while another is there", () => {
    expect(offset(off(9_000, "waiting"), off(3))).toBe(3)
    expect(offset(off(9_000, "waiting"), away())).toBe(9_000)
    expect(offset(away(), away())).toBeUndefined()
  })
})

test("WaaS takes no writes where every replica that is there says so", () => {
  const waasProblem = { code: "E-WAA-061", reason: "full" }
  expect(joined([link({ waasProblem }), link()], 0).waasProblem).toBeUndefined()
  expect(joined([link({ waasProblem }), link({ waasProblem })], 0).waasProblem).toEqual(waasProblem)
  expect(joined([link({ waasProblem }), away()], 0).waasProblem).toEqual(waasProblem)
  expect(joined([away(), away()], 0).waasProblem).toBeUndefined()
})

test("why none is up: what WaaS says against the node, before what keeps it from a replica", () => {
  const gone = new CosignerError("E-LNK-001", { url: "ws://h/ws", detail: "refused" })
  const refused = new CosignerError("E-LNK-015", { nodeId: "n" })
  expect(joined([away({ lastError: gone }), away({ lastError: refused })], 0).lastError).toBe(refused)
  expect(joined([away({ lastError: gone }), away()], 0).lastError).toBe(gone)
})
