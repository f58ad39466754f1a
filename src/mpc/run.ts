/**
 * Drives any protocol (ARCHITECTURE, "A protocol is a generator"): sends a round's messages signed and sealed, receives
 * everybody else's, makes records durable in between, and ends in one typed way. It is written once, so that no protocol handles
 * envelopes, and no secret of a protocol outlives an abort: an aborted generator is returned, so its `using` declarations wipe.
 *
 * Order on each message (threshold.md 14): signature, session, length (mailbox.ts); view; seal; then the protocol's decoding.
 */
import type { Bytes } from "../bytes.ts"
import { errorText } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import { type Abort, encodeAbort } from "./abort.ts"
import { Blame, fault, sessionAbort } from "./blame.ts"
import { crash } from "./crash.ts"
import {
  ABORT_ROUND,
  type EnvelopeKind,
  encodeHeader,
  type Identity,
  KIND,
  makeEnvelope,
  parseEnvelope,
} from "./envelope.ts"
import type { DirectChannel, ExchangeStep, Inbox, Protocol } from "./exchange.ts"
import { Mailbox } from "./mailbox.ts"
import { TAG_LENGTH } from "./seal.ts"
import type { Ending, RunningSession, SessionIo, SessionResult } from "./session.ts"
import { type SessionShape, wireLength } from "./shape.ts"
import type { Stage } from "./stages.ts"
import { NO_VIEW, nextView } from "./view.ts"

interface RunContext {
  readonly sid: Bytes
  readonly identity: Identity
  readonly shape: SessionShape
  /** Awaited before the first byte is sent; a rejection ends the session as crashed, in silence. */
  readonly begin: () => Promise<void>
}

export interface Run extends RunningSession {
  /** Number of envelopes that did not belong to the session. */
  readonly dropped: number
}

/** Begins the session, then runs the protocol to one of its endings. */
export function runSession(context: RunContext, protocol: Protocol<SessionResult>, io: SessionIo): Run {
  const session = new ProtocolRun(context, protocol, io)
  const ending = session.run()
  return {
    sid: context.sid,
    ending,
    get dropped() {
      return session.mailbox.dropped
    },
    deliver: (envelope) => session.deliver(envelope),
    cancel: (reason) => session.stop({ kind: reason }),
  }
}

/** Why a session ends before its protocol does. */
type Stop = Exclude<Ending, { readonly kind: "done" }>

/** Thrown only inside run(), to leave the protocol's loop. */
class Stopped extends Error {}

class ProtocolRun {
  readonly mailbox: Mailbox
  #view: Bytes = NO_VIEW
  #stage: Stage | undefined
  #over = false
  #stop: Stop | undefined
  #wake: () => void = () => {}
  /** The parties that have not yet shown their broadcasts after views differed; undefined unless the session waits for them. */
  #awaited: Set<PartyId> | undefined

  constructor(
    readonly context: RunContext,
    readonly protocol: Protocol<SessionResult>,
    readonly io: SessionIo,
  ) {
    this.mailbox = new Mailbox(context.sid, context.identity.party, context.shape)
  }

  /** Never rejects. */
  async run(): Promise<Ending> {
    try {
      await this.context.begin()
    } catch (error) {
      this.#over = true
      return crash(error, this.#stage)
    }
    try {
      const result = await this.#protocol()
      return { kind: "done", result }
    } catch (error) {
      this.#stop ??= crash(error, this.#stage)
      while (this.#awaited !== undefined) await this.#event()
      return await this.#end(this.#stop)
    } finally {
      this.#over = true
      this.mailbox.clear()
    }
  }

  deliver(bytes: Bytes): void {
    if (this.#over || (this.#stop !== undefined && this.#awaited === undefined)) return
    const arrival = this.mailbox.accept(bytes)
    switch (arrival.kind) {
      case "dropped":
        return
      case "kept":
        return this.#wake()
      case "blame":
        return this.stop({ kind: "blamed", blame: arrival.blame })
      case "abort":
        return this.#aborted(arrival.from, arrival.abort)
    }
  }

  /** The first reason stays. But while the session waits for reports, a reason that names somebody replaces it. */
  stop(why: Stop): void {
    if (this.#stop === undefined || (this.#awaited !== undefined && namesSomebody(why))) this.#stop = why
    this.#awaited = undefined
    this.#wake()
  }

  async #protocol(): Promise<SessionResult> {
    try {
      let next = this.protocol.next(nothing(this.#view))
      while (!next.done) {
        const step = next.value
        if (step.kind === "record") {
          await this.io.record(step.record)
          this.#check()
          next = this.protocol.next(nothing(this.#view))
        } else {
          next = this.protocol.next(await this.#exchange(step))
        }
      }
      return next.value
    } catch (error) {
      if (!(error instanceof Stopped)) this.#verdict(error)
      throw error
    } finally {
      // No effect on a generator that has ended; wipes one that waits.
      this.protocol.return({ kind: "signatures", signatures: [] })
    }
  }

  /** What the protocol itself threw takes precedence over outside events: a deadline must not hide a ban. */
  #verdict(error: unknown): void {
    this.#stop = error instanceof Blame ? { kind: "blamed", blame: error } : crash(error, this.#stage)
    this.#awaited = undefined
  }

  async #exchange(step: ExchangeStep): Promise<Inbox> {
    this.#stage = { round: step.round, name: step.stage }
    if (step.round >= 2 && !(await this.io.mayRelease())) {
      this.#stop ??= { kind: "blamed", blame: sessionAbort("a participant was banned meanwhile") }
    }
    this.#check()
    this.#send(step)
    await this.#arrived(step)
    return this.#collect(step)
  }

  #send(step: ExchangeStep): void {
    const { broadcast, direct } = step
    if (broadcast?.send !== undefined) {
      const envelope = this.#broadcast(step.round, broadcast.send)
      this.mailbox.keepOwn(envelope)
      this.io.send(envelope)
    }
    for (const [to, body] of direct?.send ?? []) {
      this.io.send(this.#direct(step.round, direct?.channel ?? "clear", to, body))
    }
  }

  #broadcast(round: number, body: Bytes): Bytes {
    const header = this.#header(round, KIND.broadcast, body.length, undefined)
    return makeEnvelope(this.context.identity, header, body)
  }

  #direct(round: number, channel: DirectChannel, to: PartyId, body: Bytes): Bytes {
    const { identity } = this.context
    if (channel === "clear") return makeEnvelope(identity, this.#header(round, KIND.clear, body.length, to), body)
    const header = this.#header(round, KIND.sealed, body.length + TAG_LENGTH, to)
    return makeEnvelope(identity, header, channel.seal(to, round, header, body))
  }

  #header(round: number, kind: EnvelopeKind, bodyLength: number, receiver: PartyId | undefined): Bytes {
    const { sid, identity, shape } = this.context
    const { protocol } = shape
    return encodeHeader({ protocol, round, kind, bodyLength, sid, sender: identity.party, receiver, view: this.#view })
  }

  /** Resolves when all messages of the step are here and show that their senders saw what we saw. */
  async #arrived(step: ExchangeStep): Promise<void> {
    const expected = expectedIn(step, this.context.shape)
    for (;;) {
      this.#check()
      if (this.mailbox.hasDissenters(step.round, this.#view)) {
        this.#report("view mismatch")
        continue
      }
      if (expected.every(({ kind, from }) => this.mailbox.get(step.round, kind, from) !== undefined)) return
      await this.#event()
    }
  }

  #collect(step: ExchangeStep): Inbox {
    const broadcasts = new Map<PartyId, Bytes>()
    const directs = new Map<PartyId, Bytes>()
    const originals = new Map<PartyId, Bytes>()
    for (const { kind, from } of expectedIn(step, this.context.shape)) {
      const envelope = this.mailbox.get(step.round, kind, from)
      if (envelope === undefined) throw new TypeError("a message that had arrived is gone")
      if (kind === KIND.broadcast) {
        broadcasts.set(from, envelope.body)
        originals.set(from, envelope.bytes)
      } else {
        const channel = step.direct?.channel ?? "clear"
        const body =
          channel === "clear" ? envelope.body : channel.open(from, step.round, envelope.headerBytes, envelope.body)
        if (body === undefined) throw fault(from, `round ${step.round}: a sealed message does not open`)
        directs.set(from, body)
      }
    }
    const { party } = this.context.identity
    const own = this.mailbox.get(step.round, KIND.broadcast, party)
    if (own !== undefined) originals.set(party, own.bytes)
    const seen = own === undefined ? broadcasts : new Map(broadcasts).set(party, own.body)
    this.#view = nextView(this.context.sid, step.round, this.#view, seen)
    return { broadcasts, directs, view: this.#view, originals }
  }

  /**
   * Another party saw other broadcasts than we did. From now on no secret is evaluated. Every party shows what it holds and
   * waits for what the others hold, until two originals meet that prove an equivocation, all have reported, or the
   * deadline comes. Missing evidence blames nobody (threshold.md 2.2).
   */
  #report(reason: "view mismatch" | "peer aborted"): void {
    const { identity, shape } = this.context
    this.#stop = { kind: "blamed", blame: sessionAbort(reason) }
    this.#awaited ??= new Set(shape.participants.filter((party) => party !== identity.party))
    this.#sendAbort({ kind: "view mismatch", originals: this.mailbox.broadcasts() })
    this.#wake()
  }

  /** Each participant's report is read once: a flood of them costs nothing. */
  #aborted(from: PartyId, abort: Abort): void {
    if (this.#awaited !== undefined && !this.#awaited.has(from)) return
    const blame = this.mailbox.equivocationIn(abort)
    if (blame !== undefined) return this.stop({ kind: "blamed", blame })
    if (this.#awaited === undefined) {
      if (abort.kind === "protocol") return this.stop({ kind: "blamed", blame: sessionAbort("peer aborted") })
      this.#report("peer aborted")
    }
    this.#awaited?.delete(from)
    if (this.#awaited?.size === 0) this.#awaited = undefined
    this.#wake()
  }

  /** Blame is durable before anybody hears of it. A node that cannot record it sends nothing. */
  async #end(stop: Stop): Promise<Ending> {
    if (stop.kind === "blamed") {
      try {
        await this.io.blamed(stop.blame, this.context.sid)
      } catch (error) {
        return { kind: "crashed", reason: `blame was not recorded: ${errorText(error)}` }
      }
    }
    // A node that holds two versions of a broadcast passes both on, so that nodes that wait for proof get it too.
    const originals = stop.kind === "blamed" ? stop.blame.evidence.filter(isBroadcast) : []
    this.#sendAbort({ kind: originals.length > 0 ? "view mismatch" : "protocol", originals })
    return stop
  }

  /** Sending is a courtesy: if the host cannot send any more, the ending stays the same. */
  #sendAbort(abort: Abort): void {
    try {
      this.io.send(this.#broadcast(ABORT_ROUND, encodeAbort(abort)))
    } catch {
      // The peers end the session by their deadlines.
    }
  }

  #check(): void {
    if (this.#stop !== undefined) throw new Stopped()
  }

  #event(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
    })
  }
}

const nothing = (view: Bytes): Inbox => ({ broadcasts: new Map(), directs: new Map(), view, originals: new Map() })

const namesSomebody = (stop: Stop): boolean => stop.kind === "blamed" && stop.blame.parties.length > 0

const isBroadcast = (envelope: Bytes): boolean => parseEnvelope(envelope)?.header.kind === KIND.broadcast

/** The messages that the step waits for. Their sizes must equal those of the shape, by which messages were accepted. */
function expectedIn(
  step: ExchangeStep,
  shape: SessionShape,
): readonly { readonly kind: EnvelopeKind; readonly from: PartyId }[] {
  const direct = step.direct?.channel === "clear" ? KIND.clear : KIND.sealed
  const expected = [
    ...[...(step.broadcast?.from ?? [])].map(([from, size]) => ({ kind: KIND.broadcast, from, size })),
    ...[...(step.direct?.from ?? [])].map(([from, size]) => ({ kind: direct, from, size })),
  ]
  for (const { kind, from, size } of expected) {
    if (wireLength(shape, step.round, kind, from) !== size + (kind === KIND.sealed ? TAG_LENGTH : 0)) {
      throw new TypeError("a protocol waits for a message that its shape does not know")
    }
  }
  return expected
}
