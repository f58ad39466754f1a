/** Sessions in workers: they end as they would here, a dead worker ends its own alone, and secrets do not stay behind. */

import { expect, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { copy } from "../../src/bytes.ts"
import { encodeGroupSecret } from "../../src/keys/groupCodec.ts"
import { ban, sessionAbort } from "../../src/mpc/blame.ts"
import type { DkgSpec } from "../../src/mpc/session.ts"
import { Secret } from "../../src/secret.ts"
import { MOST_QUEUED } from "../../src/workers/inbound.ts"
import {
  blameOf,
  decodedSpec,
  encodedSecretsOf,
  endingOf,
  plainBlame,
  plainEnding,
  plainRecord,
  recordOf,
  secretsOf,
} from "../../src/workers/messages.ts"
import { startPool } from "../../src/workers/pool.ts"
import { encodedSpec } from "../support/encodedSpec.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { party } from "../tasks/fakes.ts"
import { hosts, own } from "./hosts.ts"

test("key generation and signatures on both curves, several sessions at once", async () => {
  using it = await hosts(3, 2)
  for (const [curve, algorithm] of [
    ["ed25519", "eddsa"],
    ["secp256k1", "ecdsa"],
    ["secp256k1", "bip340"],
  ] as const) {
    const made = await it.keygen(`gen ${algorithm}`, curve, 2)
    expect(made.map((ending) => ending.kind)).toEqual(["done", "done", "done"])
    const all = await Promise.all(
      [0, 1, 2, 3].map((n) => it.sign(`sign ${algorithm} ${n}`, algorithm, n % 2 === 0 ? [0, 1] : [1, 2], 2).endings),
    )
    for (const endings of all) {
      expect(endings.map((ending) => ending.kind)).toEqual(["done", "done"])
      expect(endings[0]).toEqual(endings[1]!) // both hold the same signatures
    }
  }
  expect(it.seats.map(({ pool }) => pool.open())).toEqual([0, 0, 0])
}, 60_000)

test("a cancelled session ends as cancelled, and the worker goes on", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "ed25519", 2)
  // only one of the two begins: it waits for ever
  const lonely = it.sign("lonely", "eddsa", [0, 1], 1)
  lonely.sessions[1]!.cancel("cancelled")
  lonely.sessions[0]!.cancel("deadline")
  expect((await lonely.endings).map((ending) => ending.kind).sort()).toEqual(["cancelled", "deadline"])
  const next = await it.sign("next", "eddsa", [0, 1], 1).endings
  expect(next.map((ending) => ending.kind)).toEqual(["done", "done"])
}, 60_000)

test("closing a pool ends its sessions as crashed", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "ed25519", 2)
  const [first] = it.seats
  const running = it.sign("cut off", "eddsa", [0, 1], 1)
  first!.pool.close()
  running.sessions[1]!.cancel("deadline")
  expect((await running.endings)[0]).toMatchObject({ kind: "crashed" })
}, 60_000)

const secretOf = () => ({
  share: Secret.take(new Uint8Array(32).fill(7)),
  pairs: [],
})

/** A session that asks for nothing. */
const io = {
  send: () => undefined,
  begin: async () => undefined,
  blamed: async () => undefined,
  mayRelease: async () => true,
  record: async () => undefined,
}

const nobodys = () => ({ seed: new Uint8Array(32), nodeSecret: new Uint8Array(32), bootCounter: 1 })

const setUp: DkgSpec = {
  protocol: "dkg",
  self: party(1),
  taskId: "t",
  attempt: 1,
  groupId: "g",
  curve: "ed25519",
  threshold: 2,
  members: [],
  createdMs: 1,
}

test("a share that was prepared is wiped on this side when it is recorded", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "secp256k1", 2)
  for (const { handed } of it.seats) {
    expect(() => handed!.share.expose()).toThrow(TypeError)
    expect(handed!.pairs.length).toBe(1)
    for (const { otAlice, otBob, zeroSeed } of handed!.pairs) {
      for (const secret of [otAlice, otBob, zeroSeed]) expect(() => secret!.expose()).toThrow(TypeError)
    }
  }
}, 60_000)

test("a specification that no session can be made of ends its own session alone", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "ed25519", 2)
  const { group, party, pool, secret } = it.seats[0]!
  const running = it.sign("running", "eddsa", [0, 1], 1)
  const spec = { protocol: "sign", self: party, taskId: "t", attempt: -1, algorithm: "eddsa" } as const
  const messages = [{ path: [1], message: new Uint8Array(1), taproot: undefined }]
  const signers = it.seats.map((seat) => seat.party)
  const bad = pool.startSession({ ...spec, group: group!, secret: copy(secret!), signers, messages }, io)
  expect(await bad.ending).toMatchObject({ kind: "crashed" })
  expect((await running.endings).map((ending) => ending.kind)).toEqual(["done", "done"])
  expect(it.deaths).toEqual([])
}, 60_000)

test("the encoded secret leaves this thread with its session; what no worker takes is overwritten, what none can read ends the session", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "ed25519", 2)
  const { group, party, pool, secret } = it.seats[0]!
  const signers = it.seats.map((seat) => seat.party)
  const messages = [{ path: [1], message: new Uint8Array(1), taproot: undefined }]
  const spec = {
    protocol: "sign",
    self: party,
    taskId: "t",
    attempt: 1,
    algorithm: "eddsa",
    signers,
    messages,
  } as const
  const handed = copy(secret!)
  const running = pool.startSession({ ...spec, group: group!, secret: handed }, io)
  expect(handed.length).toBe(0)
  running.cancel("cancelled")
  expect(await running.ending).toEqual({ kind: "cancelled" })

  const cut = copy(secret!.subarray(1))
  const unreadable = pool.startSession({ ...spec, group: group!, secret: cut }, io)
  expect(cut.length).toBe(0)
  expect(await unreadable.ending).toMatchObject({ kind: "crashed", reason: expect.stringContaining("E-KEY-007") })
  expect(it.deaths).toEqual([])

  const nobody = await startPool({ ...own, size: 0, identity: nobodys(), onDeath: () => undefined })
  const kept = copy(secret!)
  expect(await nobody.startSession({ ...spec, group: group!, secret: kept }, io).ending).toMatchObject({
    kind: "crashed",
  })
  expect(kept).toEqual(new Uint8Array(secret!.length))
}, 60_000)

test("a share that a worker prepares for a session that is over is overwritten unread", async () => {
  const folder = temporaryFolder("pool").path
  const program = join(folder, "late.js")
  writeFileSync(
    program,
    `self.onmessage = ({ data }) => {
       if (data.kind === "init") postMessage({ kind: "ready" })
       if (data.kind === "ping") postMessage({ kind: "pong", at: data.at })
       if (data.kind !== "start") return
       const { session } = data
       postMessage({ kind: "ended", session, ending: { kind: "cancelled" } })
       const record = { kind: "prepared", group: {}, secret: new Uint8Array(64).fill(7) }
       postMessage({ kind: "call", session, call: 1, what: { kind: "record", record } })
     }`,
  )
  const late: Uint8Array[] = []
  const spawn = (): Worker => {
    const worker = new Worker(pathToFileURL(program))
    worker.addEventListener("message", ({ data }) => {
      if (data.kind === "call") late.push(data.what.record.secret)
    })
    return worker
  }
  const pool = await startPool({ ...own, spawn, size: 1, identity: nobodys(), onDeath: () => undefined })
  expect(await pool.startSession(setUp, io).ending).toEqual({ kind: "cancelled" })
  await pool.ping()
  expect(late).toEqual([new Uint8Array(64)])
  pool.close()
  rmSync(folder, { recursive: true })
})

test("a closed pool begins no session, and keeps no share of one", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "ed25519", 2)
  const { group, party, pool, secret } = it.seats[0]!
  pool.close()
  const kept = copy(secret!)
  const { algorithm, attempt, protocol } = { algorithm: "eddsa", attempt: 1, protocol: "sign" } as const
  const spec = { protocol, self: party, taskId: "t", attempt, algorithm, group: group!, secret: kept }
  const { ending } = pool.startSession({ ...spec, signers: [], messages: [] }, io)
  expect(await ending).toEqual({ kind: "crashed", reason: "no session worker is alive" })
  expect(kept).toEqual(new Uint8Array(secret!.length))
})

test("workers that die are replaced, also when the first replacement cannot start", async () => {
  const folder = temporaryFolder("pool").path
  const program = join(folder, "worker.js")
  // Answers init; dies of any session; and cannot start while there is a file "broken".
  writeFileSync(
    program,
    `import { existsSync } from "node:fs"
     if (existsSync(${JSON.stringify(join(folder, "broken"))})) throw new Error("a secret that a message quotes")
     self.onmessage = ({ data }) => {
       if (data.kind === "init") postMessage({ kind: "ready" })
       else throw new Error("a secret that a message quotes")
     }`,
  )
  const deaths: string[] = []
  const pool = await startPool({
    size: 1,
    identity: nobodys(),
    spawn: () => new Worker(pathToFileURL(program)),
    mostQueued: MOST_QUEUED,
    onDeath: (reason) => {
      deaths.push(reason)
      if (deaths.length === 2) rmSync(join(folder, "broken"))
    },
  })
  writeFileSync(join(folder, "broken"), "")
  pool.ping()
  while (deaths.length < 2 || pool.alive() === 0) await Bun.sleep(20)
  pool.close()
  rmSync(folder, { recursive: true })
  expect(deaths.length).toBe(2)
  expect(deaths.join()).not.toContain("secret")
}, 60_000)

test("what crosses the border arrives whole, and the sender's secret bytes are gone", async () => {
  using it = await hosts(2, 1)
  await it.keygen("gen", "ed25519", 2)
  const group = it.seats[0]!.group!
  const secret = secretOf()
  const before = encodeGroupSecret(secret)
  const spec = {
    protocol: "sign" as const,
    self: it.seats[0]!.party,
    taskId: "t",
    attempt: 1,
    algorithm: "eddsa" as const,
    group,
    secret,
    signers: [],
    messages: [],
  }
  const encoded = encodedSpec(spec)
  const [bytes] = encodedSecretsOf(encoded)
  const crossed = structuredClone(encoded, { transfer: [bytes!.buffer] })
  expect(bytes!.length).toBe(0)
  const [arrived] = secretsOf(decodedSpec(crossed))
  expect(encodeGroupSecret(arrived!)).toEqual(before)
  expect(encodedSecretsOf(crossed)).toEqual([new Uint8Array(before.length)])

  const record = recordOf(structuredClone(plainRecord({ kind: "prepared", group, secret: secretOf() })))
  expect(record.kind === "prepared" && encodeGroupSecret(record.secret)).toEqual(before)
  const blame = ban(it.seats[1]!.party, "consistency check")
  expect(blameOf(structuredClone(plainBlame(blame)))).toEqual(blame)
  const ending = { kind: "blamed" as const, blame: sessionAbort("view mismatch") }
  expect(endingOf(structuredClone(plainEnding(ending)))).toEqual(ending)
}, 60_000)

test("a worker that is started under locked memory computes in the memory that was made before", () => {
  const at = (path: string) => JSON.stringify(join(import.meta.dir, "..", "..", "src", path))
  const program = `
    import { makeMemory, useMemory } from ${at("crypto/wasm.ts")}
    import { rvoleKernel } from ${at("crypto/rvoleKernel.ts")}
    import { lockMemory, sealCode } from ${at("hardening/process.ts")}
    const memory = makeMemory()
    lockMemory()
    sealCode()
    useMemory(memory)
    using kernel = rvoleKernel()
    kernel.mask([1n, 2n, 3n])
    console.log(kernel.flipped.slice(0, 3).map((bytes) => bytes[0]).join())`
  const { stdout, exitCode } = Bun.spawnSync([process.execPath, "-e", program])
  expect([stdout.toString(), exitCode]).toEqual(["1,2,3\n", 0])
})
