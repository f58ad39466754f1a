import { describe, expect, setDefaultTimeout, test } from "bun:test"
import fc from "fast-check"
import { type Bytes, toHex, u32be } from "../../src/bytes.ts"
import {
  CHANNEL_LIMITS,
  type Channel,
  type ChannelLimits,
  createChannel,
  type PeerMemory,
} from "../../src/wire/channel.ts"
import { type ChannelPacket, decodePacket, encodePacket } from "../../src/wire/packets.ts"

setDefaultTimeout(60_000)

let epochs = 0
/** Each epoch is new; randomness would add nothing but runs that cannot be repeated. */
function newEpoch(): Bytes {
  const epoch = new Uint8Array(16)
  epoch.set(u32be(++epochs))
  return epoch
}

const SMALL: ChannelLimits = { queueFrames: 12, queueBytes: 200, windowFrames: 4, windowBytes: 24 }

/** One side: its channel, what it sent and was handed, and its end of the wire. */
class Side {
  channel: Channel
  sent: string[] = []
  got: string[] = []
  memories: PeerMemory[] = []
  violations: string[] = []
  duplicates = 0
  /** Packets on their way to this side, of the connection it is on; undefined when it is on none. */
  inbox: Bytes[] | undefined
  /** Where its packets go: the other side's inbox, or nowhere once that side has left. */
  outbox: Bytes[] | undefined

  constructor(
    readonly name: string,
    readonly limits: ChannelLimits = SMALL,
  ) {
    this.channel = createChannel(newEpoch, limits)
  }

  send(length: number): "queued" | "full" {
    const frame = new Uint8Array(length + 4)
    frame.set(u32be(this.sent.length))
    const answer = this.channel.send(frame)
    if (answer === "queued") this.sent.push(toHex(frame))
    this.pump()
    return answer
  }

  pump(): void {
    if (this.outbox === undefined) return
    for (let packet = this.channel.next(); packet !== undefined; packet = this.channel.next()) {
      this.outbox.push(encodePacket(packet))
    }
  }

  /** Takes the oldest packet off the wire. */
  take(): boolean {
    const bytes = this.inbox?.shift()
    if (bytes === undefined) return false
    const packet = decodePacket(bytes)
    if ("problem" in packet || !isChannelPacket(packet)) throw new TypeError("a channel packet went on the wire")
    const received = this.channel.receive(packet)
    if (received.kind === "frame") this.got.push(toHex(received.payload))
    if (received.kind === "resumed") this.memories.push(received.peer)
    if (received.kind === "duplicate") this.duplicates += 1
    if (received.kind === "violation") {
      this.violations.push(received.what)
      this.leave()
      return true
    }
    this.pump()
    return true
  }

  join(inbox: Bytes[], outbox: Bytes[]): void {
    this.inbox = inbox
    this.outbox = outbox
    this.channel.connect()
    this.pump()
  }

  leave(): void {
    this.inbox = undefined
    this.outbox = undefined
    this.channel.disconnect()
  }

  restart(): void {
    this.leave()
    this.channel = createChannel(newEpoch, this.limits)
  }
}

const isChannelPacket = (packet: { readonly kind: string }): packet is ChannelPacket =>
  packet.kind === "resume" || packet.kind === "data" || packet.kind === "ack"

function connect(a: Side, b: Side): void {
  const [toA, toB]: [Bytes[], Bytes[]] = [[], []]
  a.join(toA, toB)
  b.join(toB, toA)
}

function settle(a: Side, b: Side): void {
  while (a.take() || b.take()) {}
}

type Op =
  | { readonly do: "send" | "take"; readonly who: 0 | 1; readonly size: number }
  | { readonly do: "cut"; readonly who: 0 | 1 }
  | { readonly do: "connect" }
  | { readonly do: "halfConnect" }

const who = fc.constantFrom<0 | 1>(0, 1)
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("send" as const), who, size: fc.nat(20) }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant("take" as const), who, size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("cut" as const), who }) },
  { weight: 2, arbitrary: fc.constantFrom({ do: "connect" as const }, { do: "halfConnect" as const }) },
)

function scenario(step: Op, sides: readonly [Side, Side]): void {
  const [a, b] = sides
  if (step.do === "connect") return connect(a, b)
  // WaaS has welcomed a node that is already gone again.
  if (step.do === "halfConnect") return b.join([], [])
  const side = sides[step.who]
  if (step.do === "send") side.send(step.size)
  else if (step.do === "take") side.take()
  // Only one side notices; what is on the wire is lost when the next connection comes.
  else side.leave()
}

const LONG_RUN = { minLength: 30, maxLength: 200, size: "max" } as const

test("exactly once and in order, whatever the connections do", () => {
  let reconnected = 0
  fc.assert(
    fc.property(fc.array(op, LONG_RUN), (steps) => {
      const sides = [new Side("node"), new Side("waas")] as const
      const [a, b] = sides
      for (const step of steps) {
        scenario(step, sides)
        if (step.do === "connect") reconnected += 1
        expect(b.got).toEqual(a.sent.slice(0, b.got.length))
        expect(a.got).toEqual(b.sent.slice(0, a.got.length))
      }
      connect(a, b)
      settle(a, b)
      expect(b.got).toEqual(a.sent)
      expect(a.got).toEqual(b.sent)
      expect([...a.violations, ...b.violations]).toEqual([])
      expect([a.duplicates, b.duplicates]).toEqual([0, 0])
      expect([...a.memories, ...b.memories]).not.toContain("restarted")
      expect(a.channel.depth()).toEqual({ frames: 0, bytes: 0, inFlight: 0 })
    }),
    { seed: 8, numRuns: process.env["COSIGNER_LONG"] === "1" ? 20_000 : 1_000 },
  )
  expect(reconnected).toBeGreaterThan(2_000)
})

test("across restarts nothing queued is lost, and what is seen twice is a run up to the newest", () => {
  const withRestarts = fc.array(
    fc.oneof({ weight: 20, arbitrary: op }, { weight: 1, arbitrary: fc.constant("restart" as const) }),
    LONG_RUN,
  )
  fc.assert(
    fc.property(withRestarts, (steps) => {
      const sides = [new Side("node"), new Side("waas")] as const
      const [a, b] = sides
      const lives: string[][] = []
      for (const step of steps) {
        if (step === "restart") {
          lives.push(b.got)
          b.got = []
          b.sent = []
          a.got = []
          b.restart()
        } else scenario(step, sides)
      }
      connect(a, b)
      settle(a, b)
      lives.push(b.got)
      expect([...a.violations, ...b.violations]).toEqual([])
      // Each life saw frames in order, without a gap within; together they saw all.
      for (const life of lives) {
        const from = a.sent.indexOf(life[0] ?? "")
        if (life.length > 0) expect(life).toEqual(a.sent.slice(from, from + life.length))
      }
      expect(new Set(lives.flat()).size).toBe(a.sent.length)
    }),
    { seed: 9, numRuns: 500 },
  )
})

test("a restarted peer is told apart from one that only reconnected", () => {
  const [a, b] = [new Side("node"), new Side("waas")]
  connect(a, b)
  settle(a, b)
  connect(a, b)
  settle(a, b)
  b.restart()
  connect(a, b)
  settle(a, b)
  expect(a.memories).toEqual(["first", "same", "restarted"])
  expect(b.memories).toEqual(["first", "same", "first"])
})

test("frames wait for a peer that was never there", () => {
  const [a, b] = [new Side("node"), new Side("waas")]
  for (let i = 0; i < 3; i++) a.send(i)
  expect(a.channel.next()).toBeUndefined()
  connect(a, b)
  settle(a, b)
  expect(b.got).toEqual(a.sent)
})

describe("bounds", () => {
  test("a full queue says so, keeps nothing of the frame, and has room when half is acknowledged", () => {
    const [a, b] = [new Side("node"), new Side("waas")]
    for (let i = 0; i < SMALL.queueFrames; i++) expect(a.send(0)).toBe("queued")
    expect(a.send(0)).toBe("full")
    expect(a.channel.hasRoom()).toBe(false)
    expect(a.channel.depth()).toEqual({ frames: 12, bytes: 48, inFlight: 0 })
    connect(a, b)
    settle(a, b)
    expect(a.channel.hasRoom()).toBe(true)
    expect(b.got).toEqual(a.sent)
    expect(b.got).toHaveLength(SMALL.queueFrames)
  })

  test("bytes fill it as frames do", () => {
    const a = new Side("node")
    expect(a.send(140)).toBe("queued")
    expect(a.channel.hasRoom()).toBe(false)
    expect(a.send(53)).toBe("full")
    expect(a.send(52)).toBe("queued")
    expect(a.channel.depth()).toEqual({ frames: 2, bytes: 200, inFlight: 0 })
  })

  test("no more is on its way than the window, unless it is one frame alone", () => {
    const [a, b] = [new Side("node"), new Side("waas")]
    connect(a, b)
    settle(a, b)
    for (let i = 0; i < 6; i++) a.send(0)
    expect(a.channel.depth().inFlight).toBe(SMALL.windowFrames)
    settle(a, b)
    a.send(100)
    expect(a.channel.depth().inFlight).toBe(1)
    a.send(0)
    expect(a.channel.depth().inFlight).toBe(1)
    settle(a, b)
    expect(b.got).toEqual(a.sent)
  })
})

describe("violations", () => {
  const payload = new Uint8Array(1)
  const stranger = newEpoch()
  const nobody = new Uint8Array(16)

  /** A channel that has sent frames 1 and 2 to a peer of this epoch, which has acknowledged 1 and sent its own frame 1. */
  function inFlow(): { channel: Channel; epoch: Bytes } {
    const channel = createChannel(newEpoch, CHANNEL_LIMITS)
    channel.send(payload)
    channel.send(payload)
    channel.connect()
    const mine = channel.next()
    if (mine?.kind !== "resume") throw new TypeError("a connection begins with a resume")
    channel.receive({ kind: "resume", epoch: stranger, knows: nobody, received: 0 })
    channel.next()
    channel.next()
    expect(channel.receive({ kind: "data", seq: 1, ack: 1, payload }).kind).toBe("frame")
    return { channel, epoch: mine.epoch }
  }

  const cases: readonly (readonly [string, ChannelPacket])[] = [
    ["a gap", { kind: "data", seq: 3, ack: 1, payload }],
    ["data that acknowledges what was never sent", { kind: "data", seq: 2, ack: 3, payload }],
    ["an ack of what was never sent", { kind: "ack", ack: 3 }],
    ["an ack that goes back", { kind: "ack", ack: 0 }],
    ["a second resume", { kind: "resume", epoch: stranger, knows: nobody, received: 0 }],
  ]
  for (const [name, packet] of cases) {
    test(`${name} ends the connection, and the channel begins anew`, () => {
      const { channel, epoch } = inFlow()
      expect(channel.receive(packet).kind).toBe("violation")
      expect(channel.next()).toBeUndefined()
      channel.connect()
      const greeting = channel.next()
      expect(greeting).toMatchObject({ kind: "resume", knows: nobody, received: 0 })
      expect(greeting?.kind === "resume" && toHex(greeting.epoch)).not.toBe(toHex(epoch))
      // What was not acknowledged is still owed.
      expect(channel.receive({ kind: "resume", epoch: stranger, knows: epoch, received: 1 }).kind).toBe("resumed")
      expect(channel.next()).toMatchObject({ kind: "data", seq: 1 })
      expect(channel.next()).toBeUndefined()
    })
  }

  test("frames before the resume", () => {
    for (const packet of [{ kind: "data", seq: 1, ack: 0, payload } as const, { kind: "ack", ack: 0 } as const]) {
      const channel = createChannel(newEpoch, CHANNEL_LIMITS)
      channel.connect()
      expect(channel.receive(packet).kind).toBe("violation")
    }
  })

  test("a resume that claims more than was sent, or less than was acknowledged", () => {
    for (const received of [0, 3]) {
      const { channel, epoch } = inFlow()
      channel.connect()
      expect(channel.receive({ kind: "resume", epoch: stranger, knows: epoch, received }).kind).toBe("violation")
    }
    const { channel, epoch } = inFlow()
    channel.connect()
    expect(channel.receive({ kind: "resume", epoch: stranger, knows: epoch, received: 2 }).kind).toBe("resumed")
  })

  test("a peer that forgot this side but says it is the same", () => {
    const { channel } = inFlow()
    channel.connect()
    expect(channel.receive({ kind: "resume", epoch: stranger, knows: nobody, received: 0 }).kind).toBe("violation")
  })

  test("a repeated frame is not handed on, and is acknowledged again", () => {
    const { channel } = inFlow()
    channel.next()
    expect(channel.receive({ kind: "data", seq: 1, ack: 1, payload }).kind).toBe("duplicate")
    expect(channel.next()).toEqual({ kind: "ack", ack: 1 })
  })

  test("after a violation on one side both agree again, and nothing queued is lost", () => {
    const [a, b] = [new Side("node"), new Side("waas")]
    connect(a, b)
    settle(a, b)
    a.send(1)
    settle(a, b)
    a.send(2)
    b.inbox?.unshift(encodePacket({ kind: "ack", ack: 99 }))
    settle(a, b)
    expect(b.violations).toHaveLength(1)
    a.send(3)
    connect(a, b)
    settle(a, b)
    expect(b.got).toEqual(a.sent)
    expect(a.memories.at(-1)).toBe("restarted")
  })
})

test("frames that are taken back keep their number: each arrives once, as it was or as what stands for it", () => {
  const withReplacing = fc.array(
    fc.oneof({ weight: 20, arbitrary: op }, { weight: 2, arbitrary: fc.constant("replace" as const) }),
    LONG_RUN,
  )
  let replaced = 0
  fc.assert(
    fc.property(withReplacing, (steps) => {
      const sides = [new Side("node"), new Side("waas")] as const
      const [a, b] = sides
      for (const step of steps) {
        if (step !== "replace") {
          scenario(step, sides)
          continue
        }
        const inFlight = a.channel.depth().inFlight
        const queued = a.sent.slice(a.sent.length - a.channel.depth().frames)
        const isOnItsWay = a.channel.replace((frame) => (frame.length === 1 ? undefined : new Uint8Array(1)))
        expect(isOnItsWay).toBe(queued.slice(0, inFlight).some((frame) => !frame.includes("|")))
        for (const [i, frame] of queued.entries()) {
          if (frame.includes("|")) continue
          a.sent[a.sent.length - queued.length + i] = `${frame}|00`
          replaced += 1
        }
        // the host ends the connection, as the link does
        if (isOnItsWay) a.leave()
      }
      connect(a, b)
      settle(a, b)
      expect(b.got.length).toBe(a.sent.length)
      for (const [i, got] of b.got.entries()) expect(a.sent[i]?.split("|")).toContain(got)
      expect([...a.violations, ...b.violations]).toEqual([])
      expect(a.channel.depth()).toEqual({ frames: 0, bytes: 0, inFlight: 0 })
    }),
    { seed: 10, numRuns: 300 },
  )
  expect(replaced).toBeGreaterThan(100)
})
