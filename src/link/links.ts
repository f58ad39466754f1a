/**
 * A node's links: one to each address of its WaaS, as one link. Where there is one address it is that link itself. Owns who is told of what,
 * by routes.ts, and when a link is dialled hastily.
 */
import { type Bytes, equal } from "../bytes.ts"
import type { CosignerError } from "../errors.ts"
import type { Log, LogFields } from "../log.ts"
import type { PeerMemory } from "../wire/channel.ts"
import type { FromNode } from "../wire/frames.ts"
import { joined } from "./joined.ts"
import type { EnvelopeOut, Link, LinkHandlers, LinkState } from "./link.ts"
import { NodeLink } from "./nodeLink.ts"
import { OneToken } from "./oneToken.ts"
import { addressesOf, checkTarget, type LinkOptions, shownUrl } from "./options.ts"
import { Routes } from "./routes.ts"

/** Some two minutes: a replica that starts again is found soon, one that is gone for long is not dialled in haste for ever. */
const HASTY_DIALS = 24

/** Within so many first pauses a link whose connection another one took is up again. */
const TAKEN_BACK = 8

/** Dials at once. Throws E-LNK-012 for options that cannot work; everything later is a state and a retry. */
export function startLink(options: LinkOptions, handlers: LinkHandlers): Link {
  checkTarget(options)
  const [url, ...others] = addressesOf(options)
  return others.length === 0 ? new NodeLink(options, handlers) : new Links(options, [url, ...others], handlers)
}

class Links implements Link {
  readonly #options: LinkOptions
  readonly #handlers: LinkHandlers
  readonly #links: readonly [NodeLink, ...NodeLink[]]
  readonly #routes: Routes<NodeLink>
  readonly #token: OneToken | undefined
  /** Links that are not dialled while another one has the process that they led to. */
  readonly #sameProcess = new Map<NodeLink, NodeLink>()
  /** Since any link is up, or none, ms since 1970. */
  #sinceMs: number

  constructor(options: LinkOptions, [url, ...others]: readonly [string, ...string[]], handlers: LinkHandlers) {
    this.#options = options
    this.#handlers = handlers
    this.#token = options.fencingToken && new OneToken(options.fencingToken)
    this.#sinceMs = options.clock()
    this.#links = [this.#linkTo(url), ...others.map((other) => this.#linkTo(other))]
    this.#routes = new Routes(this.#links)
  }

  send(frame: FromNode): "queued" | "full" {
    const answers = this.#routes.of(frame).map((link) => link.send(frame))
    return answers.length === 0 || answers.includes("queued") ? "queued" : "full"
  }

  commanded(taskId: string): void {
    this.#routes.commanded(taskId)
  }

  withdraw(isMeant: (envelope: EnvelopeOut) => boolean): void {
    for (const link of this.#links) link.withdraw(isMeant)
  }

  state(): LinkState {
    return joined(
      this.#links.map((link) => link.state()),
      this.#sinceMs,
    )
  }

  trust(waasKey: Bytes): void {
    for (const link of this.#links) link.trust(waasKey)
  }

  stop(): void {
    this.#sinceMs = this.#options.clock()
    for (const link of this.#links) link.stop()
  }

  /** A link calls its handlers from its sockets, so never before all links are made. */
  #linkTo(url: string): NodeLink {
    const { log } = this.#options
    const token = this.#token
    const link: NodeLink = new NodeLink(
      {
        ...this.#options,
        ...{ url, others: [], log: named(log, shownUrl(url)) },
        ...(token && { fencingToken: () => token.say(link), proofAnswered: () => token.answered(link) }),
        siblings: {
          isUrgent: (failures) => failures < HASTY_DIALS || !this.#isOnline(),
          sameAs: () => this.#sameAs(link),
          mayDial: () => this.#mayDial(link),
        },
      },
      {
        onFrame: (frame) => this.#routes.hear(link, frame, () => this.#handlers.onFrame(frame)),
        onOnline: (peer) => this.#onOnline(link, peer),
        onOffline: (why) => this.#onOffline(link, why),
        onWritable: () => this.#handlers.onWritable((taskId) => this.#routes.concerns(link, taskId)),
      },
    )
    return link
  }

  #isOnline(): boolean {
    return this.#links.some((link) => link.isOnline())
  }

  /**
   * A process keeps one connection of a node: where two addresses lead to it, the earlier one has it, and has it back when the later one
   * has just taken it.
   */
  #sameAs(link: NodeLink): string | undefined {
    const epoch = link.peerEpoch()
    if (epoch === undefined) return undefined
    const justNowMs = TAKEN_BACK * this.#options.timing.backoffMs
    for (const other of this.#links) {
      if (other === link) return undefined
      const theirs = other.peerEpoch()
      if (theirs === undefined || !equal(theirs, epoch) || other.awayMs() > justNowMs) continue
      this.#sameProcess.set(link, other)
      return other.url
    }
    return undefined
  }

  #mayDial(link: NodeLink): boolean {
    if (this.#sameProcess.get(link)?.isOnline() === true) return false
    this.#sameProcess.delete(link)
    return true
  }

  #onOnline(link: NodeLink, peer: PeerMemory): void {
    const isFirst = this.#links.every((other) => other === link || !other.isOnline())
    if (isFirst) this.#sinceMs = this.#options.clock()
    this.#handlers.onOnline(peer, { isFirst, concerns: (taskId) => this.#routes.concerns(link, taskId) })
  }

  #onOffline(link: NodeLink, why: CosignerError): void {
    if (this.#isOnline()) return this.#handlers.onWritable((taskId) => this.#routes.isHome(link, taskId))
    this.#sinceMs = this.#options.clock()
    for (const link of this.#links) link.hasten()
    this.#handlers.onOffline(why)
  }
}

/** Each line says which replica it is about. */
function named(log: Log, waas: string): Log {
  const withName = (fields: LogFields = {}): LogFields => ({ ...fields, waas })
  return {
    error: (message, fields) => log.error(message, withName(fields)),
    warn: (message, fields) => log.warn(message, withName(fields)),
    info: (message, fields) => log.info(message, withName(fields)),
    debug: (message, fields) => log.debug(message, withName(fields)),
    trace: (message, fields) => log.trace(message, () => withName(fields())),
  }
}
