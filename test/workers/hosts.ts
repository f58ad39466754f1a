/** Pools that talk to each other in memory: each party a pool of its own workers, envelopes carried by this thread. */
import { randomBytes } from "node:crypto"
import { copy, utf8 } from "../../src/bytes.ts"
import type { CurveName } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { GroupPublic, GroupSecret } from "../../src/keys/group.ts"
import { encodeGroupSecret } from "../../src/keys/groupCodec.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { identityOf, receiverOf } from "../../src/mpc/envelope.ts"
import type { Algorithm, EncodedSpec, Ending } from "../../src/mpc/session.ts"
import type { HostedSession } from "../../src/tasks/ports.ts"
import { MOST_QUEUED } from "../../src/workers/inbound.ts"
import { type Pool, startPool } from "../../src/workers/pool.ts"
import { spawnSessionWorker } from "../../src/workers/spawn.ts"

export interface Seat {
  readonly party: PartyId
  readonly pool: Pool
  /** The secret that the last set-up had prepared, as it was handed over: wiped by now. */
  handed: GroupSecret | undefined
  /** Prepared by the last set-up of this party. */
  group: GroupPublic | undefined
  secret: Uint8Array | undefined
}

export interface Hosts extends Disposable {
  readonly seats: readonly Seat[]
  /** Deaths told by the pools. */
  readonly deaths: string[]
  keygen(taskId: string, curve: CurveName, threshold: number): Promise<readonly Ending[]>
  sign(taskId: string, algorithm: Algorithm, signers: readonly number[], messages: number): Running
}

/** Sessions of one task, one per party. */
export interface Running {
  readonly sessions: readonly HostedSession[]
  readonly endings: Promise<readonly Ending[]>
}

/** What a node composes its pool of. */
export const own = { spawn: spawnSessionWorker, mostQueued: MOST_QUEUED }

export async function hosts(count: number, workers: number): Promise<Hosts> {
  const deaths: string[] = []
  const seeds = Array.from({ length: count }, (_, i) => sha256(utf8(`pool ${i}`)))
  const unsorted = await Promise.all(
    seeds.map(async (seed): Promise<Seat> => {
      const identity = { seed: copy(seed), nodeSecret: copy(randomBytes(32)), bootCounter: 1 }
      const pool = await startPool({ ...own, size: workers, identity, onDeath: (reason) => deaths.push(reason) })
      return { party: identityOf(seed).party, pool, handed: undefined, group: undefined, secret: undefined }
    }),
  )
  const seats = unsorted.sort((a, b) => (a.party < b.party ? -1 : 1))

  function run(parties: readonly Seat[], specOf: (seat: Seat) => EncodedSpec): Running {
    const sessions: HostedSession[] = []
    const early: (readonly [from: number, envelope: Uint8Array<ArrayBuffer>])[] = []
    const carry = (from: number, envelope: Uint8Array<ArrayBuffer>): void => {
      const receiver = receiverOf(envelope)
      for (const [to, session] of sessions.entries()) {
        if (to !== from && (receiver === undefined || receiver === parties[to]?.party)) session.deliver(envelope)
      }
    }
    for (const [at, seat] of parties.entries()) {
      sessions.push(
        seat.pool.startSession(specOf(seat), {
          send: (envelope) => (sessions.length < parties.length ? early.push([at, envelope]) : carry(at, envelope)),
          begin: async () => undefined,
          blamed: async () => undefined,
          mayRelease: async () => true,
          record: async (record) => {
            if (record.kind !== "prepared") return
            seat.group = { ...record.group, status: "ACTIVE" }
            seat.secret = encodeGroupSecret(record.secret)
            seat.handed = record.secret
          },
        }),
      )
    }
    for (const [from, envelope] of early) carry(from, envelope)
    return { sessions, endings: Promise.all(sessions.map((session) => session.ending)) }
  }

  return {
    seats,
    deaths,
    keygen: (taskId, curve, threshold) =>
      run(seats, ({ party }) => ({
        protocol: "dkg",
        self: party,
        taskId,
        attempt: 1,
        groupId: "PoolpoolpoolpoolPool",
        curve,
        threshold,
        members: seats.map((seat) => ({ party: seat.party, x: shareIdOf(seat.party) })),
        createdMs: 1,
      })).endings,
    sign(taskId, algorithm, signers, messages) {
      const parties = signers.map((at) => seats[at]).filter((seat) => seat !== undefined)
      return run(parties, (seat) => {
        if (seat.group === undefined || seat.secret === undefined) throw new Error("no key yet")
        return {
          protocol: "sign",
          self: seat.party,
          taskId,
          attempt: 1,
          algorithm,
          group: seat.group,
          secret: copy(seat.secret),
          signers: parties.map(({ party }) => party),
          messages: Array.from({ length: messages }, (_, i) => ({
            path: [44, i],
            message: sha256(utf8(`${taskId} ${i}`)),
            taproot: undefined,
          })),
        }
      })
    },
    [Symbol.dispose]() {
      for (const { pool } of seats) pool.close()
    },
  }
}
