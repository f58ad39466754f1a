/**
 * Combines a node's links, one to each address of its WaaS, into one link (formats.md 14.4); a single address needs no combining.
 * Owns which link a frame goes over (routes.ts decides) and which links dial with short pauses.
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

/**
 * So many failed dials in a row use short pauses, about two minutes in all: a replica that restarts is found soon, and one that is
 * gone for long is not dialled at that rate for ever.
 */
const HASTY_DIALS = 24

/**
 * How long after a link went down its address still counts as leading to the same process as another link's, in units of the first
 * pause: a link whose connection a sibling took over is up again within this time.
 */
const TAKE_BACK_PAUSES = 8

/** Starts dialling at once. Throws E-LNK-012 for options that can never work; later problems show in the state and are retried. */
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
  /** Links that lead to the same process as another link (the value), and do not dial while that one is up. */
  readonly #sameProcess = new Map<NodeLink, NodeLink>()
  /** When the first link came up, or the last one went down, ms since 1970. */
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

  /** A link calls its handlers only from socket events, so #routes and #links are set by then. */
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
   * The address of an earlier link that leads to the same process of WaaS. A process keeps one connection per node, so two links to
   * it would replace each other for ever; the earlier one in the configuration keeps it, or gets it back if it lost it just now.
   */
  #sameAs(link: NodeLink): string | undefined {
    const epoch = link.peerEpoch()
    if (epoch === undefined) return undefined
    const justNowMs = TAKE_BACK_PAUSES * this.#options.timing.backoffMs
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

/** A log whose lines name the replica that they are about. */
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
