/**
 * The mutation harness: one cheat, who holds valid keys, changes one field of one message of its own protocol; or plays
 * with whole envelopes. What must come of it is told by the tests; that nobody but the cheat is ever named, and that no
 * honest node has a result that another lacks a reason to refuse, is checked here for every attack.
 *
 * Fields are named as threshold.md 12 names them. Give another protocol's layout and specs to attack that one.
 */
import { expect } from "bun:test"
import { type Bytes, copy, equal } from "../../src/bytes.ts"
import type { PartyId } from "../../src/keys/party.ts"
import type { ExchangeStep } from "../../src/mpc/exchange.ts"
import type { Ending, SessionSpec } from "../../src/mpc/session.ts"
import { type Alter, Cluster, type ClusterOptions, type NodeRun, type Passing, type Relay } from "../mpc/cluster.ts"
import { seededRng } from "../mpc/network.ts"

export interface Field {
  readonly name: string
  readonly offset: number
  readonly length: number
}

/** One kind of message: who may be told apart by receiver is `direct`. */
export interface Layout {
  readonly message: string
  readonly round: number
  readonly kind: "broadcast" | "direct"
  readonly fields: readonly Field[]
}

/** `fields("nu", 32, "eph", 32)`: consecutive. */
export function consecutive(...namesAndLengths: readonly (readonly [string, number])[]): readonly Field[] {
  let offset = 0
  return namesAndLengths.map(([name, length]) => {
    offset += length
    return { name, offset: offset - length, length }
  })
}

export type Mutation =
  | "flip first bit"
  | "flip last bit"
  | "random"
  | "zero"
  | "ones"
  | "of another"
  | "of another session"
export const MUTATIONS: readonly Mutation[] = [
  "flip first bit",
  "flip last bit",
  "random",
  "zero",
  "ones",
  "of another",
  "of another session",
]

/** Bodies that a session sent, plain, by `round kind from to`. */
export type Transcript = ReadonlyMap<string, Bytes>

const slot = (round: number, kind: string, from: PartyId, to: PartyId | undefined): string =>
  `${round} ${kind} ${from} ${to ?? ""}`

/** The bodies of an undisturbed session, for mutations that take a field from elsewhere. */
export async function transcriptOf(specs: readonly SessionSpec[], seed: string): Promise<Transcript> {
  const bodies = new Map<string, Bytes>()
  const runs = await new Cluster({ seed, alter: observe(bodies) }).run(specs)
  for (const { ending } of runs.values()) expect(ending.kind).toBe("done")
  return bodies
}

const observe =
  (bodies: Map<string, Bytes>): Alter =>
  (party, step) => {
    const { round, broadcast, direct } = step
    if (broadcast?.send !== undefined) bodies.set(slot(round, "broadcast", party, undefined), copy(broadcast.send))
    for (const [to, body] of direct?.send ?? []) bodies.set(slot(round, "direct", party, to), copy(body))
    return step
  }

export interface Attack {
  readonly cheat: PartyId
  /** For direct messages: to whom. */
  readonly victim: PartyId
  readonly layout: Layout
  readonly field: Field
  readonly mutation: Mutation
  /** This session's own honest course, and another session's. */
  readonly honest: Transcript
  readonly foreign: Transcript
}

/** The cheat's protocol with the field changed; undefined if the mutation would change nothing. */
export function altering(attack: Attack): Alter | undefined {
  const { cheat, victim, layout, field } = attack
  const to = layout.kind === "direct" ? victim : undefined
  const before = attack.honest.get(slot(layout.round, layout.kind, cheat, to))
  if (before === undefined) throw new Error(`the honest session has no ${layout.message}`)
  const value = mutated(attack, before)
  if (value === undefined || equal(value, before.subarray(field.offset, field.offset + field.length))) return undefined
  return (party, step) =>
    party === cheat && step.round === layout.round ? withField(step, layout, field, value, to) : step
}

function withField(
  step: ExchangeStep,
  layout: Layout,
  field: Field,
  value: Bytes,
  to: PartyId | undefined,
): ExchangeStep {
  const change = (body: Bytes): Bytes => {
    const out = copy(body)
    out.set(value, field.offset)
    return out
  }
  if (layout.kind === "broadcast" && step.broadcast?.send !== undefined) {
    return { ...step, broadcast: { ...step.broadcast, send: change(step.broadcast.send) } }
  }
  if (step.direct === undefined) return step
  const send = new Map([...step.direct.send].map(([peer, body]) => [peer, peer === to ? change(body) : body]))
  return { ...step, direct: { ...step.direct, send } }
}

function mutated({ cheat, victim, layout, field, mutation, honest, foreign }: Attack, body: Bytes): Bytes | undefined {
  const { offset, length } = field
  const out = copy(body.subarray(offset, offset + length))
  const fieldOf = (other: Bytes | undefined) => other && copy(other.subarray(offset, offset + length))
  switch (mutation) {
    case "flip first bit":
      out[0] = (out[0] ?? 0) ^ 128
      return out
    case "flip last bit":
      out[length - 1] = (out[length - 1] ?? 0) ^ 1
      return out
    case "random":
      return seededRng(`${layout.message} ${field.name}`)(length)
    case "zero":
      return new Uint8Array(length)
    case "ones":
      return new Uint8Array(length).fill(255)
    case "of another":
      // Another sender's broadcast; a direct message of the same sender that was for somebody else.
      return fieldOf([...honest].find(([name]) => isOther(name, layout, cheat, victim))?.[1])
    case "of another session":
      return fieldOf(foreign.get(slot(layout.round, layout.kind, cheat, layout.kind === "direct" ? victim : undefined)))
  }
}

function isOther(name: string, layout: Layout, cheat: PartyId, victim: PartyId): boolean {
  const [round, kind, from, to] = name.split(" ")
  if (round !== String(layout.round) || kind !== layout.kind) return false
  return layout.kind === "broadcast" ? from !== cheat : from === cheat && to !== victim
}

/** Runs it and checks what must hold of every attack by `cheat`. */
export async function underAttack(
  specs: readonly SessionSpec[],
  cheat: PartyId,
  options: ClusterOptions,
): Promise<ReadonlyMap<PartyId, NodeRun>> {
  const runs = await new Cluster(options).run(specs)
  for (const [party, { ending, blames, log }] of runs) {
    if (party === cheat) continue
    expect(ending.kind).not.toBe("crashed")
    for (const blame of blames) {
      expect(blame.kind).not.toBe("BAN")
      for (const named of blame.parties) expect(named).toBe(cheat)
      expect(log.indexOf("blamed")).toBeLessThan(log.lastIndexOf("sent"))
    }
  }
  return runs
}

/** `done`, `deadline`, `FAULT`, `EQUIV`, or `SESSION <reason>`. */
export function outcome(ending: Ending | undefined): string {
  if (ending?.kind !== "blamed") return ending?.kind ?? "missing"
  return ending.blame.kind === "SESSION" ? `SESSION ${ending.blame.reason}` : ending.blame.kind
}

/** Applies `change` to what the cheat sends in that round to those receivers; everything else passes. */
export const meddling =
  (
    layout: Pick<Layout, "round" | "kind">,
    from: PartyId,
    receivers: readonly PartyId[],
    change: (passing: Passing, cluster: Cluster) => readonly Bytes[],
  ): Relay =>
  (passing, cluster) => {
    const { header } = passing.envelope
    const isIt =
      header.round === layout.round &&
      (header.kind === 0) === (layout.kind === "broadcast") &&
      passing.from === from &&
      receivers.includes(passing.to)
    return isIt ? change(passing, cluster) : [passing.envelope.bytes]
  }
