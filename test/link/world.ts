/** A WaaS and nodes on loopback sockets, and wires between them that can be cut, stalled and listened to. */
import { createConnection, createServer, type Server, type Socket } from "node:net"
import { CosignerError } from "../../src/errors.ts"
import type { PartyId } from "../../src/keys/party.ts"
import type { Link, LinkHandlers } from "../../src/link/link.ts"
import { startLink } from "../../src/link/links.ts"
import { LINK_TIMING, type LinkOptions, type LinkTiming } from "../../src/link/options.ts"
import type { Log } from "../../src/log.ts"
import { createRelay } from "../../src/waas/relay.ts"
import type { NodeConnection } from "../../src/waas/relayConnection.ts"
import {
  RELAY_LIMITS,
  type Relay,
  type RelayLimits,
  type RelayOptions,
  type WaasFence,
} from "../../src/waas/relayOptions.ts"
import { CHANNEL_LIMITS, type PeerMemory } from "../../src/wire/channel.ts"
import type { FromNode, ToNode } from "../../src/wire/frames.ts"
import type { RefusalReason } from "../../src/wire/packets.ts"
import { logTo } from "../support/logTo.ts"
import { type Identity, newIdentity } from "../wire/documents.ts"

const LIMIT_MS = 15_000

/** What happened so far; `until` resolves when it satisfies a condition, and fails when it never does. */
export class Journal<E> {
  readonly entries: E[] = []
  #waiting = new Set<() => void>()

  add(entry: E): void {
    this.entries.push(entry)
    this.changed()
  }
  changed(): void {
    for (const check of [...this.#waiting]) check()
  }
  until(condition: (entries: readonly E[]) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        reject(new Error(`did not happen within ${LIMIT_MS} ms; so far: ${Bun.inspect(this.entries.slice(-20))}`))
      }, LIMIT_MS)
      const check = (): void => {
        if (!condition(this.entries)) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve()
      }
      this.#waiting.add(check)
      check()
    })
  }
}

export interface Line {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}
/** Every line of every test: one test at the end reads them all. */
export const allLines: Line[] = []

export type AtWaas =
  | { readonly kind: "frame"; readonly party: PartyId; readonly frame: FromNode }
  | { readonly kind: "online"; readonly party: PartyId; readonly peer: PeerMemory }
  | { readonly kind: "offline"; readonly party: PartyId }

export interface Waas {
  readonly identity: Identity
  readonly relay: Relay
  readonly journal: Journal<AtWaas>
  readonly lines: Line[]
  readonly port: number
  /** Sockets that the server still holds, refused ones included. */
  sockets(): number
  stop(): Promise<void>
}

export interface WaasOptions {
  readonly identity?: Identity
  readonly isKnown?: (party: PartyId) => boolean
  readonly onFrame?: (party: PartyId, frame: FromNode) => void
  readonly admitFencingToken?: RelayOptions["admitFencingToken"]
  readonly fence?: WaasFence
  readonly limits?: Partial<RelayLimits>
  readonly tls?: Bun.TLSOptions
  readonly port?: number
  readonly clock?: () => number
}

const recorder = (lines: Line[]): Log =>
  logTo((level, message, fields) => {
    const line = { level, message, fields }
    lines.push(line)
    allLines.push(line)
  })

export function startWaas(options: WaasOptions = {}): Waas {
  const identity = options.identity ?? newIdentity()
  const journal = new Journal<AtWaas>()
  const lines: Line[] = []
  const relay = createRelay({
    signer: identity,
    isKnownNode: options.isKnown ?? (() => true),
    ...(options.admitFencingToken === undefined ? {} : { admitFencingToken: options.admitFencingToken }),
    ...(options.fence === undefined ? {} : { fence: options.fence }),
    onFrame(party, frame) {
      options.onFrame?.(party, frame)
      journal.add({ kind: "frame", party, frame })
    },
    onOnline: (party, peer) => journal.add({ kind: "online", party, peer }),
    onOffline: (party) => journal.add({ kind: "offline", party }),
    clock: options.clock ?? Date.now,
    log: recorder(lines),
    limits: { ...RELAY_LIMITS, farewellMs: 50, ...options.limits },
  })
  const server = Bun.serve<NodeConnection>({
    hostname: "127.0.0.1",
    port: options.port ?? 0,
    ...(options.tls === undefined ? {} : { tls: options.tls }),
    fetch(request, self) {
      const answer = relay.upgrade(request, self)
      if (answer === "upgraded") return undefined
      return answer === "other" ? new Response("rest") : answer
    },
    websocket: relay.websocket,
  })
  return {
    identity,
    relay,
    journal,
    lines,
    port: server.port ?? 0,
    sockets: () => server.pendingWebSockets,
    async stop() {
      relay.close()
      await server.stop(true)
    },
  }
}

export type AtNode =
  | { readonly kind: "frame"; readonly frame: ToNode }
  | { readonly kind: "online"; readonly peer: PeerMemory }
  | { readonly kind: "offline"; readonly code: string }
  | { readonly kind: "writable" }
  | { readonly kind: "line"; readonly line: Line }

export interface Node {
  readonly identity: Identity
  readonly link: Link
  readonly journal: Journal<AtNode>
  /** Frames that arrived, so far. */
  frames(): readonly ToNode[]
  /** Resolves when a line with this code was written: a connection that ended so. */
  ended(code: string): Promise<void>
  online(times?: number): Promise<void>
}

/** Quick enough for tests, in the same proportions as the real ones. */
export const QUICK: LinkTiming = {
  ...LINK_TIMING,
  handshakeMs: 2_000,
  backoffMs: 5,
  backoffCapMs: 40,
  waitedForCapMs: 40,
}

export interface NodeOptions extends Partial<LinkOptions> {
  readonly identity?: Identity
  readonly handlers?: Partial<LinkHandlers>
}

export function startNode(waas: Pick<Waas, "identity" | "port">, options: NodeOptions = {}): Node {
  const { identity: given, handlers, ...rest } = options
  const identity = given ?? newIdentity()
  const journal = new Journal<AtNode>()
  const log = logTo((level, message, fields) => {
    const line = { level, message, fields }
    allLines.push(line)
    journal.add({ kind: "line", line })
  })
  const link = startLink(
    {
      url: `ws://127.0.0.1:${waas.port}/ws`,
      waasKey: waas.identity.publicKey,
      node: identity,
      ca: undefined,
      client: undefined,
      proxy: undefined,
      limits: CHANNEL_LIMITS,
      timing: QUICK,
      clock: Date.now,
      jitter: () => 0.5,
      log,
      ...rest,
    },
    {
      onFrame(frame) {
        handlers?.onFrame?.(frame)
        journal.add({ kind: "frame", frame })
      },
      onOnline(peer, cameUp) {
        handlers?.onOnline?.(peer, cameUp)
        journal.add({ kind: "online", peer })
      },
      onOffline: (why) => journal.add({ kind: "offline", code: why.code }),
      onWritable(concerns) {
        handlers?.onWritable?.(concerns)
        journal.add({ kind: "writable" })
      },
    },
  )
  return {
    identity,
    link,
    journal,
    frames: () => journal.entries.flatMap((one) => (one.kind === "frame" ? [one.frame] : [])),
    ended: (code) => journal.until((all) => all.some((one) => one.kind === "line" && one.line.fields["code"] === code)),
    online: (times = 1) => journal.until((all) => all.filter((one) => one.kind === "online").length >= times),
  }
}

/** A TCP wire to `target` that the test can harm. */
export interface Wire {
  readonly port: number
  /** Bytes that went to the server so far, and back. */
  readonly up: () => number
  readonly down: () => number
  connections(): number
  /** Resets every connection. */
  cut(): void
  /** From now on nothing passes either way, and nobody is told; or everything does again. */
  swallow(isOn?: boolean): void
  /** Stops and goes on reading what the server sends. */
  stall(): void
  flow(): void
  /** Every connection from now on is reset after so many bytes from the server. */
  cutAfter(bytes: number): void
  close(): Promise<void>
}

export async function startWire(target: number): Promise<Wire> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let [up, down, connections] = [0, 0, 0]
  let swallowing = false
  let stalled = false
  let budget = Number.POSITIVE_INFINITY

  const server = createServer((near) => {
    connections += 1
    const far = createConnection(target, "127.0.0.1")
    const pair = [near, far] as const
    pairs.add(pair)
    let left = budget
    if (stalled) far.pause()
    const end = (): void => {
      near.destroy()
      far.destroy()
      pairs.delete(pair)
    }
    near.on("data", (chunk) => {
      up += chunk.length
      if (!swallowing && !far.write(chunk)) near.pause()
    })
    far.on("data", (chunk) => {
      down += chunk.length
      left -= chunk.length
      if (left < 0) return end()
      if (!swallowing && !near.write(chunk)) far.pause()
    })
    near.on("drain", () => {
      if (!stalled) far.resume()
    })
    far.on("drain", () => near.resume())
    for (const socket of pair) {
      socket.on("error", end)
      socket.on("close", () => {
        if (!swallowing) end()
      })
    }
  })
  const port = await listen(server)
  const each = (action: (pair: readonly [Socket, Socket]) => void): void => {
    for (const pair of [...pairs]) action(pair)
  }
  return {
    port,
    up: () => up,
    down: () => down,
    connections: () => connections,
    cut: () =>
      each(([near, far]) => {
        near.resetAndDestroy()
        far.resetAndDestroy()
      }),
    swallow(isOn = true) {
      swallowing = isOn
    },
    stall() {
      stalled = true
      each(([, far]) => far.pause())
    },
    flow() {
      stalled = false
      each(([, far]) => far.resume())
    },
    cutAfter(bytes) {
      budget = bytes
    },
    close() {
      each(([near, far]) => {
        near.destroy()
        far.destroy()
      })
      return closeServer(server)
    },
  }
}

export function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve(typeof address === "object" && address !== null ? address.port : 0)
    })
  })
}

export const closeServer = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
  })

/** An envelope frame of `size` bytes that knows its number. */
export function numbered(number: number, size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size).fill(number & 255)
  new DataView(bytes.buffer).setUint32(0, number)
  return bytes
}

/** The numbers of the envelopes among `frames`, in their order; fails when a byte of one is not as it was sent. */
export function numbersOf(frames: readonly (FromNode | ToNode)[]): number[] {
  return frames.flatMap((frame) => {
    if (frame.kind !== "envelope") return []
    const number = new DataView(frame.envelope.buffer, frame.envelope.byteOffset).getUint32(0)
    if (!frame.envelope.subarray(4).every((byte) => byte === (number & 255)))
      throw new Error(`frame ${number} is damaged`)
    return [number]
  })
}

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

export const countOf = (waas: Waas, reason: RefusalReason): number => waas.relay.dropped().get(reason) ?? 0

/** The code of what `action` throws; fails when it throws nothing of ours. */
export function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof CosignerError) return error.code
    throw error
  }
  throw new Error("nothing was thrown")
}
