/** What waits for a worker is bounded: who floods a session ends that session, and costs no memory and no other session. */

import { afterAll, expect, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { copy, utf8 } from "../../src/bytes.ts"
import type { CurveName } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { Member } from "../../src/keys/party.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { dkgShape } from "../../src/mpc/dkg/dkg.ts"
import { startOtSetup } from "../../src/mpc/dkls/otSetup.ts"
import { ecdsaShape } from "../../src/mpc/dkls/shape.ts"
import { HEADER_LENGTH, identityOf, SIGNATURE_LENGTH } from "../../src/mpc/envelope.ts"
import { frostShape } from "../../src/mpc/frost/sign.ts"
import { ED25519_SHA512, SECP256K1_SHA256_TR } from "../../src/mpc/frost/suite.ts"
import { reshareShape } from "../../src/mpc/reshare/reshare.ts"
import { TAG_LENGTH } from "../../src/mpc/seal.ts"
import type { Algorithm, DkgSpec, Ending, ReshareSpec, SessionSpec, SignSpec } from "../../src/mpc/session.ts"
import type { SessionShape } from "../../src/mpc/shape.ts"
import { Secret } from "../../src/secret.ts"
import { MOST_QUEUED, mostQueued, queuedBytes } from "../../src/workers/inbound.ts"
import { type Pool, startPool } from "../../src/workers/pool.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { hosts } from "./hosts.ts"

// ---- a worker that is busy ---------------------------------------------------------------------------------------------

const folder = temporaryFolder("inbound").path
afterAll(() => rmSync(folder, { recursive: true }))

/** Takes nothing from its queue but what ends a session, and says how much had been queued for that by then. */
const BUSY = `
  const queued = new Map()
  let all = 0
  self.onmessage = ({ data }) => {
    if (data.kind === "init") postMessage({ kind: "ready" })
    if (data.kind === "start") queued.set(data.session, 0)
    if (data.kind === "deliver") {
      queued.set(data.session, queued.get(data.session) + 1)
      all++
    }
    if (data.kind !== "cancel") return
    const reason = data.reason + " after " + queued.get(data.session) + " of " + all
    postMessage({ kind: "ended", session: data.session, ending: { kind: "crashed", reason } })
  }`

async function busyPool(most = MOST_QUEUED): Promise<Pool> {
  const program = join(folder, "busy.js")
  writeFileSync(program, BUSY)
  const identity = { seed: new Uint8Array(32), nodeSecret: new Uint8Array(32), bootCounter: 1 }
  const spawn = () => new Worker(pathToFileURL(program))
  return startPool({ size: 1, identity, spawn, onDeath: () => {}, mostQueued: most })
}

const members = (count: number): readonly Member[] =>
  Array.from({ length: count }, (_, i) => identityOf(sha256(utf8(`inbound ${i}`))).party)
    .sort()
    .map((party) => ({ party, x: shareIdOf(party) }))

const dkg = (count: number, curve: CurveName = "secp256k1", threshold = 2): DkgSpec => ({
  protocol: "dkg",
  self: members(count)[0]!.party,
  taskId: "t",
  attempt: 1,
  groupId: "g",
  curve,
  threshold,
  members: members(count),
  createdMs: 1,
})

const io = {
  send: () => undefined,
  begin: async () => undefined,
  blamed: async () => undefined,
  mayRelease: async () => true,
  record: async () => undefined,
}

test("a session that is sent more than it can need ends, and is queued no more than that; others are not touched", async () => {
  const pool = await busyPool()
  const spec = dkg(2)
  const [flooded, other] = [pool.startSession(spec, io), pool.startSession(spec, io)]
  const fits = Math.floor(mostQueued(spec) / queuedBytes(1000))
  for (let n = 0; n < 10 * fits; n++) flooded.deliver(new Uint8Array(1000))
  for (let n = 0; n < fits; n++) other.deliver(new Uint8Array(1000))
  expect(await flooded.ending).toEqual({ kind: "crashed", reason: `flooded after ${fits} of ${fits}` })
  other.cancel("deadline")
  expect(await other.ending).toEqual({ kind: "crashed", reason: `deadline after ${fits} of ${2 * fits}` })
  // Many small ones are no way around it.
  const third = pool.startSession(spec, io)
  for (let n = 0; n < mostQueued(spec); n += 500) third.deliver(new Uint8Array(0))
  const empty = Math.floor(mostQueued(spec) / queuedBytes(0))
  const reason = `flooded after ${empty} of ${2 * fits + empty}`
  expect(await third.ending).toEqual({ kind: "crashed", reason })
  flooded.deliver(new Uint8Array(1000)) // over: nobody is there
  pool.close()
}, 20_000)

test("too much in all ends the session that most is queued for, one at a time, and what ended counts no more", async () => {
  const unit = queuedBytes(1000)
  const pool = await busyPool(10 * unit)
  const [small, large, next] = [1, 2, 3].map(() => pool.startSession(dkg(2), io))
  const send = (session: typeof small, count: number): void => {
    for (let n = 0; n < count; n++) session!.deliver(new Uint8Array(1000))
  }
  send(small, 3)
  send(large, 7)
  send(next, 1) // the eleventh
  expect(await large!.ending).toEqual({ kind: "crashed", reason: "flooded after 7 of 11" })
  send(next, 6)
  // Ten again: 3 and 7. The end of one makes room.
  small!.cancel("cancelled")
  expect(await small!.ending).toEqual({ kind: "crashed", reason: "cancelled after 3 of 17" })
  const last = pool.startSession(dkg(2), io)
  send(last, 3)
  send(next, 1)
  expect(await next!.ending).toEqual({ kind: "crashed", reason: "flooded after 8 of 21" })
  last.cancel("cancelled")
  expect(await last.ending).toEqual({ kind: "crashed", reason: "cancelled after 3 of 21" })
  pool.close()
}, 20_000)

// ---- real workers --------------------------------------------------------------------------------------------------------

const kinds = (endings: readonly Ending[]): readonly string[] => endings.map(({ kind }) => kind)

test("a flood in one go ends its session as flooded; the same in a stream that the worker keeps up with does not", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "ed25519", 2)
  const junk = copy(new Uint8Array(4096).fill(7))
  const lonely = it.sign("lonely", "eddsa", [0, 1], 1)
  const [first, second] = lonely.sessions
  for (let n = 0; n < 500; n++) first!.deliver(junk)
  second!.cancel("deadline")
  expect(kinds(await lonely.endings)).toEqual(["flooded", "deadline"])

  const waiting = it.seats.map(({ pool }) => pool)
  const streamed = it.sign("streamed", "eddsa", [0, 1], 1)
  for (let n = 0; n < 500; n++) {
    streamed.sessions[0]!.deliver(junk)
    if (n % 20 === 0) await waiting[0]!.ping()
  }
  expect(kinds(await streamed.endings)).toEqual(["done", "done"])
  expect(it.deaths).toEqual([])
}, 60_000)

test("a worker's queue is free again when it has been taken, for every session of the pool", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "ed25519", 2)
  for (let n = 0; n < 8; n++) {
    const one = it.sign(`one ${n}`, "eddsa", [0, 1], 1)
    for (let m = 0; m < 20; m++) one.sessions[0]!.deliver(new Uint8Array(4096))
    expect(kinds(await one.endings)).toEqual(["done", "done"])
  }
}, 60_000)

// ---- how much a protocol needs -------------------------------------------------------------------------------------------

/** Everything that peers may honestly send: each message once, and each a report with the broadcasts of all. */
function honestBytes({ rounds, participants }: SessionShape): number {
  const around = HEADER_LENGTH + SIGNATURE_LENGTH
  const peers = participants.length - 1
  let bytes = 0
  let broadcasts = 0
  for (const { broadcast, direct } of rounds) {
    const sizes = [...(broadcast?.values() ?? [])]
    for (const size of sizes) bytes += queuedBytes(around + size)
    for (const size of direct?.from.values() ?? []) bytes += queuedBytes(around + size + TAG_LENGTH)
    for (const size of [...sizes, Math.max(0, ...sizes)]) broadcasts += 4 + around + size
  }
  return bytes + peers * queuedBytes(around + 2 + broadcasts)
}

function sign(count: number, algorithm: Algorithm, messages: number): readonly [SessionSpec, SessionShape] {
  const signers = members(count)
  const parties = signers.map(({ party }) => party)
  const spec: SignSpec = {
    protocol: "sign",
    self: parties[0]!,
    taskId: "t",
    attempt: 1,
    algorithm,
    group: {} as never,
    secret: { share: Secret.take(new Uint8Array(32)), pairs: [] },
    signers: parties,
    messages: Array.from({ length: messages }, () => ({ path: [], message: new Uint8Array(32), taproot: undefined })),
  }
  if (algorithm === "ecdsa") return [spec, ecdsaShape(spec.self, parties, messages)]
  const suite = algorithm === "eddsa" ? ED25519_SHA512 : SECP256K1_SHA256_TR
  const requests = Array.from({ length: messages }, () => ({}) as never)
  return [spec, frostShape({ suite, self: spec.self, signers, requests })]
}

function reshare(dealers: number, count: number, curve: CurveName): readonly [SessionSpec, SessionShape] {
  const spec: ReshareSpec = {
    ...dkg(count, curve, count),
    protocol: "reshare",
    mode: "extend",
    oldGroupId: "a",
    newGroupId: "b",
    rootPublicKey: new Uint8Array(curve === "ed25519" ? 32 : 33),
    chainCode: new Uint8Array(32),
    oldThreshold: dealers,
    dealers: members(dealers),
    newThreshold: count,
    members: members(count),
    old: undefined,
  }
  return [spec, reshareShape(spec, startOtSetup)]
}

test("no honest session comes near its bound: everything its peers can say fits twice, for every size and protocol", () => {
  for (const count of [2, 3, 5, 9, 17, 32]) {
    const cases = (["secp256k1", "ed25519"] as const).flatMap((curve) => [
      [dkg(count, curve, 2), dkgShape(dkg(count, curve, 2), startOtSetup)] as const,
      [dkg(count, curve, count), dkgShape(dkg(count, curve, count), startOtSetup)] as const,
      reshare(2, count, curve),
      reshare(count, count, curve),
      reshare(count, 2, curve),
    ])
    for (const threshold of new Set([2, Math.ceil(count / 3) + 1, count])) {
      const spec = { ...dkg(count, "secp256k1", Math.min(threshold, count)), suite: 3 } as const
      cases.push([spec, dkgShape(spec, startOtSetup)])
    }
    const signatures = (["ecdsa", "eddsa", "bip340"] as const).flatMap((algorithm) =>
      [1, 2, 16, 32].map((messages) => sign(count, algorithm, messages)),
    )
    for (const [spec, shape] of [...cases, ...signatures]) {
      expect(mostQueued(spec) / honestBytes(shape)).toBeGreaterThan(2)
    }
  }
  expect(mostQueued(sign(32, "ecdsa", 32)[0])).toBeLessThan(128 * 1024 * 1024)
})
