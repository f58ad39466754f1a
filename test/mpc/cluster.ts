/**
 * Nodes in one process, as a host runs them: identities, envelopes, signatures, seals. Everything between two nodes goes
 * through `relay`, which may drop, alter, repeat or invent; a cheat with valid keys is played by `alter`, which changes
 * what a node's own protocol sends before it is sealed and signed. Nothing sleeps: when all nodes wait and nothing is on
 * its way, the deadline comes.
 */
import { type Bytes, concat, copy, toHex, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { PartyId } from "../../src/keys/party.ts"
import type { Blame } from "../../src/mpc/blame.ts"
import { GadgetCache } from "../../src/mpc/dkls/pairs.ts"
import {
  type Envelope,
  encodeHeader,
  HEADER_LENGTH,
  type Header,
  type Identity,
  identityOf,
  makeEnvelope,
  parseEnvelope,
} from "../../src/mpc/envelope.ts"
import type { ExchangeStep, Protocol, SessionRecord } from "../../src/mpc/exchange.ts"
import { type Prepared, prepareSession } from "../../src/mpc/host.ts"
import { type Run, runSession } from "../../src/mpc/run.ts"
import type { Ending, SessionResult, SessionSpec } from "../../src/mpc/session.ts"
import { seededRng } from "./network.ts"

export interface Passing {
  readonly from: PartyId
  readonly to: PartyId
  readonly envelope: Envelope
}

/** What arrives at `to` instead; an empty list is a loss. */
export type Relay = (passing: Passing, cluster: Cluster) => readonly Bytes[]

/** The step that `party` carries out instead. */
export type Alter = (party: PartyId, step: ExchangeStep) => ExchangeStep

export interface NodeRun {
  readonly ending: Ending
  readonly records: readonly SessionRecord[]
  /** What was told to the host to be made durable, in order with the sends: an abort may only follow it. */
  readonly log: readonly ("sent" | "blamed" | "recorded" | "began")[]
  readonly blames: readonly Blame[]
  readonly dropped: number
}

export interface ClusterOptions {
  readonly relay?: Relay
  readonly alter?: Alter
  /** Distinguishes the randomness of otherwise equal runs. */
  readonly seed?: string
  readonly mayRelease?: (party: PartyId) => boolean
  readonly onRecord?: (party: PartyId, record: SessionRecord) => void | Promise<void>
  readonly onBlamed?: (party: PartyId, blame: Blame) => Promise<void>
  readonly onBegin?: (party: PartyId, sid: Bytes) => Promise<void>
  /** Called when nothing moves any more; true if it did something, false lets the deadline come. */
  readonly onIdle?: (cluster: Cluster) => boolean
}

/** Identities with ascending party ids, the same in every run. */
export const identities: readonly Identity[] = Array.from({ length: 6 }, (_, i) =>
  identityOf(sha256(utf8(`test identity ${i}`))),
).sort((a, b) => (a.party < b.party ? -1 : 1))

export const partyAt = (i: number): PartyId => identities[i]?.party ?? ("" as PartyId)

export function identityAt(party: PartyId): Identity {
  const found = identities.find((one) => one.party === party)
  if (found === undefined) throw new Error("no such identity")
  return found
}

const gadgets = new GadgetCache()

export class Cluster {
  readonly sessions = new Map<PartyId, Run>()
  /** Everything that any node sent, as it was sent; for replays. */
  readonly history: Passing[] = []
  readonly #queue: { readonly to: PartyId; readonly bytes: Bytes }[] = []

  constructor(readonly options: ClusterOptions) {}

  deliver(to: PartyId, bytes: Bytes): void {
    this.#queue.push({ to, bytes: copy(bytes) })
  }

  run(specs: readonly SessionSpec[]): Promise<ReadonlyMap<PartyId, NodeRun>> {
    return this.runPrepared(specs.map((spec) => [spec.self, prepareSession(spec, spec.self, gadgets)]))
  }

  async runPrepared(sessions: readonly (readonly [PartyId, Prepared])[]): Promise<ReadonlyMap<PartyId, NodeRun>> {
    const nodes = sessions.map(([party, prepared]) => this.#start(party, prepared))
    await this.#settle(nodes)
    return new Map(nodes.map(({ party, seen }) => [party, seen()]))
  }

  #start(party: PartyId, { sid, shape, protocol }: Prepared) {
    const identity = identityAt(party)
    const { options } = this
    const log: NodeRun["log"][number][] = []
    const records: SessionRecord[] = []
    const blames: Blame[] = []
    const rng = seededRng(`${party} ${options.seed ?? ""} ${toHex(sid)}`)
    const begin = async () => {
      log.push("began")
      await options.onBegin?.(party, sid)
    }
    const run = runSession({ sid, identity, shape, begin }, altered(party, protocol(rng), options.alter), {
      send: (bytes) => {
        log.push("sent")
        this.#relay(party, bytes, shape.participants)
      },
      record: async (record) => {
        await options.onRecord?.(party, record)
        log.push("recorded")
        records.push(record)
      },
      mayRelease: async () => options.mayRelease?.(party) ?? true,
      blamed: async (blame) => {
        await options.onBlamed?.(party, blame)
        log.push("blamed")
        blames.push(blame)
      },
    })
    this.sessions.set(party, run)
    let ending: Ending | undefined
    run.ending.then((end) => {
      ending = end
    })
    const seen = (): NodeRun => {
      if (ending === undefined) throw new Error("a session did not end")
      return { ending, records, log, blames, dropped: run.dropped }
    }
    return { party, run, ended: () => ending !== undefined, seen }
  }

  #relay(from: PartyId, bytes: Bytes, participants: readonly PartyId[]): void {
    const envelope = parseEnvelope(copy(bytes))
    if (envelope === undefined) throw new Error("a node sent what is no envelope")
    const receivers = envelope.header.receiver === undefined ? participants : [envelope.header.receiver]
    for (const to of receivers) {
      if (to === from) continue
      const passing = { from, to, envelope }
      this.history.push(passing)
      for (const arriving of this.options.relay?.(passing, this) ?? [bytes]) this.deliver(to, arriving)
    }
  }

  async #settle(nodes: readonly { readonly run: Run; ended(): boolean }[]): Promise<void> {
    let asked = 0
    while (nodes.some((node) => !node.ended())) {
      // Sessions move on in microtasks alone: one turn of the event loop lets all of them go as far as they can.
      await new Promise((resolve) => setImmediate(resolve))
      const arriving = this.#queue.splice(0)
      for (const { to, bytes } of arriving) this.sessions.get(to)?.deliver(bytes)
      if (arriving.length > 0 || nodes.every((node) => node.ended())) continue
      if (++asked > 1 && this.options.onIdle?.(this) !== true) for (const { run } of nodes) run.cancel("deadline")
    }
  }
}

export const runCluster = (specs: readonly SessionSpec[], options: ClusterOptions = {}) =>
  new Cluster(options).run(specs)

/** The same envelope with another header or body, signed anew by the sender that it names, who is then the cheat. */
export function resigned(
  envelope: Envelope,
  change: { readonly header?: Partial<Header>; readonly body?: Bytes },
): Bytes {
  const body = change.body ?? copy(envelope.body)
  const header: Header = { ...envelope.header, bodyLength: body.length, ...change.header }
  return makeEnvelope(identityAt(header.sender), encodeHeader(header), body)
}

/** The envelope's bytes with one bit flipped at `at`; negative counts from the end. */
export function flipped(bytes: Bytes, at: number): Bytes {
  const out = copy(bytes)
  const index = at < 0 ? out.length + at : at
  out[index] = (out[index] ?? 0) ^ 1
  return out
}

export const bodyOffset = HEADER_LENGTH
export const joined = concat

/** Runs the protocol as it is, but for the exchanges that `alter` changes. */
function* altered(
  party: PartyId,
  protocol: Protocol<SessionResult>,
  alter: Alter | undefined,
): Protocol<SessionResult> {
  try {
    let next = protocol.next({
      broadcasts: new Map(),
      directs: new Map(),
      view: new Uint8Array(32),
      originals: new Map(),
    })
    while (!next.done) {
      const step = next.value
      next = protocol.next(yield step.kind === "exchange" && alter !== undefined ? alter(party, step) : step)
    }
    return next.value
  } finally {
    protocol.return({ kind: "signatures", signatures: [] })
  }
}
