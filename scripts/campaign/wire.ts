/** The way from one process to another, over a loopback port of its own: delays, stalls, drips, goes half-open, is reset or cut, as a fault asks. */
import { createConnection, createServer, type Server, type Socket } from "node:net"
import type { Draw } from "./draw.ts"

export const LINK_FAULTS = ["delay", "loss", "drip", "half-open", "reset", "cut"] as const
type LinkFault = (typeof LINK_FAULTS)[number]

const PIECE = 64
/** What TCP makes of a lost packet: the bytes behind it wait for the retransmission. */
const LOSS = { chance: 0.1, leastMs: 200, mostMs: 1_000 }

export class Wire implements AsyncDisposable {
  readonly #target: () => number
  readonly #server: Server
  readonly #pairs = new Set<readonly [Socket, Socket]>()
  #fault: LinkFault | undefined
  #draw: Draw = () => 0

  private constructor(target: () => number) {
    this.#target = target
    this.#server = createServer((near) => this.#connect(near))
  }

  static async start(target: () => number): Promise<Wire> {
    const wire = new Wire(target)
    await new Promise<void>((resolve) => wire.#server.listen(0, "127.0.0.1", resolve))
    return wire
  }

  get port(): number {
    const address = this.#server.address()
    return typeof address === "object" && address !== null ? address.port : 0
  }

  /** Plays the fault for so long; half-open connections end with a reset, since their ends do not know of one another. */
  async suffer(fault: LinkFault, ms: number, draw: Draw): Promise<void> {
    this.#draw = draw
    if (fault === "reset") return this.reset()
    this.#fault = fault
    if (fault === "cut") this.reset()
    await Bun.sleep(ms)
    this.#fault = undefined
    if (fault === "half-open") this.reset()
  }

  #connect(near: Socket): void {
    if (this.#fault === "cut") return void near.resetAndDestroy()
    const far = createConnection(this.#target(), "127.0.0.1")
    const pair = [near, far] as const
    this.#pairs.add(pair)
    const end = (): void => {
      near.destroy()
      far.destroy()
      this.#pairs.delete(pair)
    }
    this.#carry(near, far)
    this.#carry(far, near)
    for (const socket of pair) socket.on("error", end).on("close", end)
  }

  #carry(from: Socket, to: Socket): void {
    let before = Promise.resolve()
    from.on("data", (data) => {
      const bytes = Buffer.from(data)
      before = before.then(() => this.#pass(bytes, to))
    })
  }

  async #pass(bytes: Buffer, to: Socket): Promise<void> {
    switch (this.#fault) {
      case "delay":
        await Bun.sleep(50 + this.#draw() * 250)
        break
      case "loss":
        if (this.#draw() < LOSS.chance) await Bun.sleep(LOSS.leastMs + this.#draw() * (LOSS.mostMs - LOSS.leastMs))
        break
      case "drip":
        for (let at = 0; at < bytes.length; at += PIECE) {
          to.write(bytes.subarray(at, at + PIECE))
          if (this.#fault === "drip") await Bun.sleep(1)
        }
        return
      case "half-open":
        // Nothing arrives, and nobody is told.
        return
    }
    to.write(bytes)
  }

  /** Of every connection; the next ones are carried. */
  reset(): void {
    for (const [near, far] of [...this.#pairs]) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [near, far] of [...this.#pairs]) {
      near.destroy()
      far.destroy()
    }
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}
