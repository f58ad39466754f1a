/**
 * A network in memory for protocols alone: n generators against each other, without envelopes, sealing or signatures.
 * What travels may be altered on the way (`tamper`), which is how a cheat is played; run.ts has tests of its own.
 */
import { createHash } from "node:crypto"
import { type Bytes, concat, copy, equal, u32be, utf8 } from "../../src/bytes.ts"
import type { Rng } from "../../src/crypto/random.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { Blame } from "../../src/mpc/blame.ts"
import type { ExchangeStep, Inbox, Protocol, SessionRecord } from "../../src/mpc/exchange.ts"
import { NO_VIEW, nextView } from "../../src/mpc/view.ts"

/** Deterministic bytes: SHA-256 in counter mode over the seed. For tests alone. */
export function seededRng(seed: string): Rng {
  let block = 0
  let rest: Bytes = new Uint8Array(0)
  return (length) => {
    const parts: Uint8Array[] = [rest]
    let have = rest.length
    while (have < length) {
      const next = createHash("sha256").update(utf8(seed)).update(u32be(block++)).digest()
      parts.push(next)
      have += next.length
    }
    const all = concat(...parts)
    rest = all.slice(length)
    return all.slice(0, length)
  }
}

/** A test party: the byte repeated 32 times. Ordered as the bytes are. */
export const partyNo = (i: number): PartyId => i.toString(16).padStart(2, "0").repeat(32) as PartyId

export interface Travelling {
  readonly round: number
  readonly kind: "broadcast" | "direct"
  readonly from: PartyId
  readonly to: PartyId
  readonly body: Bytes
}

export type Outcome<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "blamed"; readonly blame: Blame }
  /** Somebody else ended, so that this one waits for ever. */
  | { readonly kind: "stuck" }

export interface Run<T> {
  readonly outcomes: ReadonlyMap<PartyId, Outcome<T>>
  readonly records: ReadonlyMap<PartyId, readonly SessionRecord[]>
  /** Bytes that left each party, broadcasts counted once. */
  readonly bytesSent: ReadonlyMap<PartyId, number>
}

export interface NetworkOptions {
  /** The body as it arrives. Both sides' views are made from what each of them holds. */
  readonly tamper?: (message: Travelling) => Bytes
  /** Called with each record as it is made; its secrets are wiped when the step is over. */
  readonly onRecord?: (party: PartyId, record: SessionRecord) => void
  /** Without this, parties whose views differ are ended as SESSION "view mismatch", as run.ts would. */
  readonly ignoreViews?: boolean
}

/**
 * Runs every generator to its end, each in turn as far as the messages that have arrived let it. A party that waits for
 * one that has ended is `stuck`: run.ts would end it by its deadline.
 */
export function runAll<T>(
  sid: Bytes,
  protocols: ReadonlyMap<PartyId, Protocol<T>>,
  options: NetworkOptions = {},
): Run<T> {
  const mail = new Mail(options)
  const seats = [...protocols].map(([party, protocol]) => new Seat(sid, party, protocol, mail))
  while (seats.some((seat) => seat.advance()));
  for (const seat of seats) seat.giveUp()
  return {
    outcomes: new Map(seats.map((seat) => [seat.party, seat.outcome ?? { kind: "stuck" }])),
    records: new Map(seats.map((seat) => [seat.party, seat.records])),
    bytesSent: new Map(seats.map((seat) => [seat.party, seat.sent])),
  }
}

class Mail {
  readonly #posted = new Map<string, { readonly body: Bytes; readonly view: Bytes }>()
  constructor(readonly options: NetworkOptions) {}

  post(round: number, kind: "broadcast" | "direct", from: PartyId, to: PartyId | undefined, body: Bytes, view: Bytes) {
    this.#posted.set(`${round} ${kind} ${from} ${to ?? ""}`, { body: copy(body), view })
  }

  fetch(round: number, kind: "broadcast" | "direct", from: PartyId, to: PartyId) {
    const sent = this.#posted.get(`${round} ${kind} ${from} ${kind === "direct" ? to : ""}`)
    if (sent === undefined) return undefined
    const body = this.options.tamper?.({ round, kind, from, to, body: copy(sent.body) }) ?? copy(sent.body)
    return { body, view: sent.view }
  }
}

class Seat<T> {
  readonly records: SessionRecord[] = []
  outcome: Outcome<T> | undefined
  sent = 0
  #view: Bytes = NO_VIEW
  #step: ExchangeStep | undefined

  constructor(
    readonly sid: Bytes,
    readonly party: PartyId,
    readonly protocol: Protocol<T>,
    readonly mail: Mail,
  ) {
    this.#resume(nothing(NO_VIEW))
  }

  /** Whether it got any further. */
  advance(): boolean {
    const step = this.#step
    if (step === undefined) return false
    const broadcasts = this.#collect(step, "broadcast")
    const directs = this.#collect(step, "direct")
    if (broadcasts === undefined || directs === undefined) return false
    if (step.round >= 2 && this.mail.options.ignoreViews !== true) {
      const all = [...broadcasts.values(), ...directs.values()]
      if (!all.every(({ view }) => equal(view, this.#view))) {
        this.#end({ kind: "blamed", blame: new Blame("SESSION", [], "view mismatch") })
        return true
      }
    }
    const seen = bodies(broadcasts)
    const own = step.broadcast?.send
    const all = own === undefined ? seen : new Map(seen).set(this.party, own)
    this.#view = nextView(this.sid, step.round, this.#view, all)
    // There are no envelopes here; the bodies stand for them.
    this.#resume({ broadcasts: seen, directs: bodies(directs), view: this.#view, originals: all })
    return true
  }

  giveUp(): void {
    if (this.outcome === undefined) this.#end({ kind: "stuck" })
  }

  #collect(step: ExchangeStep, kind: "broadcast" | "direct") {
    const out = new Map<PartyId, { readonly body: Bytes; readonly view: Bytes }>()
    for (const [from, size] of step[kind]?.from ?? []) {
      const message = this.mail.fetch(step.round, kind, from, this.party)
      if (message === undefined) return undefined
      // run.ts drops what has the wrong size; here it reaches the decoder, which must refuse it too.
      if (message.body.length !== size && this.mail.options.tamper === undefined) {
        throw new Error(`round ${step.round} ${kind}: ${message.body.length} bytes sent, ${size} expected`)
      }
      out.set(from, message)
    }
    return out
  }

  #resume(inbox: Inbox): void {
    try {
      let next = this.protocol.next(inbox)
      while (!next.done && next.value.kind === "record") {
        this.records.push(next.value.record)
        this.mail.options.onRecord?.(this.party, next.value.record)
        next = this.protocol.next(nothing(this.#view))
      }
      if (next.done) {
        this.#step = undefined
        this.outcome = { kind: "done", value: next.value }
      } else if (next.value.kind === "exchange") {
        this.#step = next.value
        this.#post(next.value)
      }
    } catch (error) {
      if (!(error instanceof Blame)) throw error
      this.#step = undefined
      this.outcome = { kind: "blamed", blame: error }
    }
  }

  #post(step: ExchangeStep): void {
    const { round, broadcast, direct } = step
    if (broadcast?.send !== undefined) {
      this.mail.post(round, "broadcast", this.party, undefined, broadcast.send, this.#view)
      this.sent += broadcast.send.length
    }
    for (const [to, body] of direct?.send ?? []) {
      this.mail.post(round, "direct", this.party, to, body, this.#view)
      this.sent += body.length
    }
  }

  #end(outcome: Outcome<T>): void {
    this.#step = undefined
    this.outcome = outcome
    this.protocol.return(undefined as T)
  }
}

const nothing = (view: Bytes): Inbox => ({
  broadcasts: new Map(),
  directs: new Map(),
  view,
  originals: new Map(),
})

const bodies = (messages: ReadonlyMap<PartyId, { readonly body: Bytes }>): ReadonlyMap<PartyId, Bytes> =>
  new Map([...messages].map(([party, { body }]) => [party, body]))
