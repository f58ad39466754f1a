/** A store in use with its admin socket open, as a running node has it, and a client of bytes for whoever breaks the protocol. */
import { generateKeyPairSync } from "node:crypto"
import { connect } from "node:net"
import { join } from "node:path"
import { type Bytes, concat, u32be, utf8 } from "../../../src/bytes.ts"
import { freezeEvents } from "../../../src/events/envelope.ts"
import { errnoOf } from "../../../src/files.ts"
import { carryOut } from "../../../src/ops/admin/carryOut.ts"
import type { AdminLimits } from "../../../src/ops/admin/messages.ts"
import { startAdmin } from "../../../src/ops/admin/thread.ts"
import { freezingOf } from "../../../src/ops/freezing.ts"
import { trustWaas } from "../../../src/ops/inventory/waasTrust.ts"
import type { Demands } from "../../../src/ops/operationOrders.ts"
import { ordersOf } from "../../../src/ops/orders.ts"
import { RULES_OFF, type Rules } from "../../../src/policy/schema.ts"
import type { Store } from "../../../src/store/store.ts"
import { nodeIdOf } from "../../../src/wire/nodeId.ts"
import { logTo } from "../../support/logTo.ts"
import { Home, partyNo } from "../../support/nodeHome.ts"

export const rsaKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
  format: "der",
  type: "pkcs8",
})

export interface Running extends AsyncDisposable {
  readonly home: Home
  readonly store: Store
  readonly socket: string
  /** `level message field=value ...` of every line. */
  readonly lines: string[]
  /** Resolves once there are so many of them. */
  said(count: number): Promise<void>
}

interface RunningOptions {
  readonly rules?: Rules
  readonly demands?: readonly Demands[]
  readonly prepare?: (store: Store) => void
  /** What holds the main thread up before it carries out a command. */
  readonly busy?: () => void
  /** Those of a node are long. */
  readonly limits?: AdminLimits
}

export async function running({
  rules = RULES_OFF,
  demands = [],
  prepare = () => {},
  busy = () => {},
  limits,
}: RunningOptions = {}): Promise<Running> {
  const home = new Home()
  const store = home.create(1, rsaKey)
  prepare(store)
  const lines: string[] = []
  const waiting = new Map<number, () => void>()
  const log = logTo((level, message, fields) => {
    lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
    waiting.get(lines.length)?.()
  })
  const event = freezeEvents("node", () => "event")
  const freezing = freezingOf({ store, log, event, onFrozen: () => {} })
  const people = () => rules.names.people
  const orders = ordersOf({ nodeId: nodeIdOf(partyNo(0)), store, freezing, people, log, now: Date.now, clock: () => 0 })
  const admin = await startAdmin({
    store,
    carryOut: (command) => {
      busy()
      const trust = (key: Bytes) => trustWaas(store, key, undefined, Date.now())
      return carryOut(
        {
          store,
          self: partyNo(0),
          policy: () => ({ rules, also: undefined, demands }),
          freezing,
          orders,
          trustWaas: trust,
        },
        command,
      )
    },
    log,
    ...(limits && { limits }),
  })
  return {
    home,
    store,
    lines,
    said: (count) =>
      lines.length >= count ? Promise.resolve() : new Promise((resolve) => void waiting.set(count, resolve)),
    socket: admin.path ?? join(home.path, "no socket"),
    async [Symbol.asyncDispose]() {
      admin.stop()
      store.close()
      home[Symbol.dispose]()
    },
  }
}

/** Sends bytes as they are; what came back until the node ended the connection. */
export function raw(path: string, ...pieces: readonly Uint8Array[]): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const heard: Uint8Array[] = []
    const socket = connect(path, () => {
      for (const piece of pieces) socket.write(piece)
    })
    socket.on("data", (piece: Uint8Array) => heard.push(piece))
    socket.on("close", () => resolve(Buffer.concat(heard)))
    // a connection that is refused for what it sent ends in any of these ways
    socket.on("error", (error) =>
      /EPIPE|ECONNRESET/.test(String(errnoOf(error))) ? resolve(Buffer.alloc(0)) : reject(error),
    )
  })
}

const lengthed = (bytes: Uint8Array): Uint8Array => concat(u32be(bytes.length), bytes)

/** One frame with that document and password. */
export const frame = (document: string, password = "", next = ""): Uint8Array =>
  lengthed(concat(...[document, password, next].map((part) => lengthed(utf8(part)))))

/** The document of an answer. */
export const documentOf = (answer: Buffer): unknown => JSON.parse(answer.subarray(4).toString())
