/**
 * ECDSA: DKG and signatures of n parties in this process, whole sessions through the runner (signed and sealed
 * envelopes), one thread. Times are wall time of all parties divided by their number (and by the batch); bytes are what
 * leaves one party per message. The counts do not depend on how busy the machine is.
 */
import { createECDH } from "node:crypto"
import { type Bytes, concat, u32be, utf8 } from "../../src/bytes.ts"
import { K1 } from "../../src/crypto/curve.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { type Rng, sessionRandom } from "../../src/crypto/random.ts"
import { shareIdOf } from "../../src/crypto/shamir.ts"
import { hasMemory, makeMemory, useMemory } from "../../src/crypto/wasm.ts"
import { DerivationCache } from "../../src/keys/derive.ts"
import type { GroupPublic, GroupSecret } from "../../src/keys/group.ts"
import { type Member, type PartyId, partyBytes } from "../../src/keys/party.ts"
import { dkg, dkgShape } from "../../src/mpc/dkg/dkg.ts"
import { startOtSetup } from "../../src/mpc/dkls/otSetup.ts"
import { GadgetCache } from "../../src/mpc/dkls/pairs.ts"
import { ecdsaShape } from "../../src/mpc/dkls/shape.ts"
import { signEcdsa } from "../../src/mpc/dkls/sign.ts"
import { type Identity, identityOf } from "../../src/mpc/envelope.ts"
import type { Protocol } from "../../src/mpc/exchange.ts"
import { type Run, runSession } from "../../src/mpc/run.ts"
import type { DkgSpec, MessageToSign, SessionIo, SessionResult, SetUpSuite, SignSpec } from "../../src/mpc/session.ts"
import type { SessionShape } from "../../src/mpc/shape.ts"
import { ascending, dkgSid, signSid } from "../../src/mpc/sid.ts"
import { signingKeys } from "../../src/mpc/signingKey.ts"
import { Secret } from "../../src/secret.ts"

export interface BenchLine {
  /** `ecdsa_dkg` is a key generation of suite 1, `ecdsa_dkg_tried` one of suite 3, in which the key signs first. */
  readonly op: "ecdsa_dkg" | "ecdsa_dkg_tried" | "ecdsa_sign"
  readonly t: number
  readonly n: number
  readonly batch: number
  readonly ms_per_party: number
  readonly bytes_per_party: number
  readonly share_bytes: number
  /** Of one party, for one session. */
  readonly ops: Counts
}

export interface Counts {
  /** Native multiplications on P-256. */
  readonly ecdh: number
  /** Short native hashes: leaf keys and pads. */
  readonly sha256: number
  /** secp256k1: constant time, variable time, decompressions. */
  readonly secret_mul: number
  readonly public_mul: number
  readonly decode: number
}

/** A group as its nodes hold it after a DKG; secrets as bytes, because a session wipes what it is given. */
interface Node {
  readonly identity: Identity
  readonly group: GroupPublic
  readonly openSecret: () => GroupSecret
}

/** Keys one level below the root, known to the nodes after the first signature: a new one costs 0.1 to 0.2 ms per level. */
const CHILDREN = 8
/** Signatures before the measured ones; the engine's last compiler takes hold of the hot loops after about a hundred. */
const WARM = 150

export async function benchEcdsa(): Promise<BenchLine[]> {
  // as session workers do
  if (!hasMemory()) useMemory(makeMemory())
  const lines: BenchLine[] = []
  for (const [t, n, dkgRuns, signRuns] of [
    [2, 3, 5, 60],
    [3, 5, 1, 20],
    [5, 9, 1, 10],
  ] as const) {
    lines.push((await benchDkg(t, n, dkgRuns, undefined)).line)
    const made = await benchDkg(t, n, dkgRuns, 3)
    lines.push(made.line)
    for (const batch of [1, 16]) lines.push(await benchSign(made.nodes, t, batch, Math.ceil(signRuns / batch)))
  }
  return lines
}

async function benchDkg(
  t: number,
  n: number,
  runs: number,
  suite: SetUpSuite | undefined,
): Promise<{ line: BenchLine; nodes: readonly Node[] }> {
  // The first run is counted, and warms up.
  let { result: last, ops } = await counted(n, () => keygen(t, n, 0, suite))
  const times: number[] = []
  for (let run = 1; run <= runs; run++) {
    const start = performance.now()
    last = await keygen(t, n, run, suite)
    times.push((performance.now() - start) / n)
  }
  const { nodes, bytes } = last
  return {
    line: {
      op: suite === undefined ? "ecdsa_dkg" : "ecdsa_dkg_tried",
      t,
      n,
      batch: 1,
      ...figures(times, bytes / n, nodes),
      ops,
    },
    nodes,
  }
}

async function keygen(
  t: number,
  n: number,
  run: number,
  suite: SetUpSuite | undefined,
): Promise<{ nodes: readonly Node[]; bytes: number }> {
  const identities = Array.from({ length: n }, (_, i) => identityOf(sha256(utf8(`bench node ${i}`))))
  const members = ascending(identities.map(({ party }): Member => ({ party, x: shareIdOf(partyBytes(party)) })))
  const kept = new Map<PartyId, { readonly group: GroupPublic; readonly openSecret: () => GroupSecret }>()
  const bytes = await together(identities, (self, keep) => {
    const spec: DkgSpec = {
      protocol: "dkg",
      self,
      taskId: "bench",
      attempt: run + 1,
      groupId: "bench",
      curve: "secp256k1",
      threshold: t,
      members,
      createdMs: 0,
      ...(suite && { suite }),
    }
    const sid = dkgSid(spec)
    keep((group, secret) => kept.set(self, { group, openSecret: copyOf(secret) }))
    return { sid, shape: dkgShape(spec, startOtSetup), protocol: dkg(spec, sid, startOtSetup, rngFor(sid)) }
  })
  const nodes = identities.map((identity): Node => {
    const record = kept.get(identity.party)
    if (record === undefined) throw new Error("a node kept nothing")
    return { identity, ...record }
  })
  return { nodes, bytes: bytes.total }
}

async function benchSign(all: readonly Node[], t: number, batch: number, runs: number): Promise<BenchLine> {
  const nodes = all.slice(0, t)
  const caches = { gadgets: new GadgetCache(), derived: new DerivationCache() }
  const { result, ops } = await counted(t, () => signOnce(nodes, batch, 0, caches))
  const warmUp = Math.ceil(WARM / batch)
  const times: number[] = []
  for (let run = 1; run <= warmUp + runs; run++) {
    const start = performance.now()
    await signOnce(nodes, batch, run, caches)
    if (run > warmUp) times.push((performance.now() - start) / t / batch)
  }
  return { op: "ecdsa_sign", t, n: all.length, batch, ...figures(times, result / t / batch, nodes), ops }
}

/** What a host keeps from session to session. */
interface Caches {
  readonly gadgets: GadgetCache
  readonly derived: DerivationCache
}

async function signOnce(nodes: readonly Node[], batch: number, run: number, caches: Caches): Promise<number> {
  const signers = nodes.map(({ identity }) => identity.party).sort()
  const messages = Array.from({ length: batch }, (_, n): MessageToSign => {
    return { path: [n % CHILDREN], message: sha256(concat(u32be(run), u32be(n))), taproot: undefined }
  })
  const bytes = await together(
    nodes.map(({ identity }) => identity),
    (self) => {
      const node = nodes.find(({ identity }) => identity.party === self)
      if (node === undefined) throw new Error("no such node")
      const { group } = node
      const secret = node.openSecret()
      const spec: SignSpec = {
        protocol: "sign",
        algorithm: "ecdsa",
        self,
        taskId: "bench",
        attempt: run + 1,
        group,
        secret,
        signers,
        messages,
      }
      const keys = signingKeys(group, "ecdsa", messages, caches.derived)
      const sid = signSid(spec, keys)
      const context = {
        ...{ sid, self, group, secret, signers, gadgets: caches.gadgets, rng: rngFor(sid) },
        messages: keys.map((key, n) => ({
          digest: messages[n]?.message ?? new Uint8Array(32),
          tweak: key.offset,
          publicKey: key.publicKey,
        })),
      }
      return { sid, shape: ecdsaShape(self, signers, batch), protocol: signaturesOf(context) }
    },
  )
  return bytes.total
}

function* signaturesOf(context: Parameters<typeof signEcdsa>[0]): Protocol<SessionResult> {
  return { kind: "signatures", signatures: yield* signEcdsa(context) }
}

interface Started {
  readonly sid: Bytes
  readonly shape: SessionShape
  readonly protocol: Protocol<SessionResult>
}
type Keep = (take: (group: GroupPublic, secret: GroupSecret) => void) => void

/** Runs one session of all of them over a relay that is a function call; throws unless everybody ends well. */
async function together(
  identities: readonly Identity[],
  start: (self: PartyId, keep: Keep) => Started,
): Promise<{ total: number }> {
  const runs = new Map<PartyId, Run>()
  const all = Promise.withResolvers<void>()
  let total = 0
  for (const identity of identities) {
    let take: Parameters<Keep>[0] = () => {}
    const started = start(identity.party, (how) => {
      take = how
    })
    const io: SessionIo = {
      send(envelope) {
        total += envelope.length
        for (const [party, run] of runs) if (party !== identity.party) run.deliver(envelope)
      },
      async record(record) {
        if (record.kind === "prepared") take(record.group, record.secret)
      },
      blamed: async () => {},
      mayRelease: async () => true,
    }
    runs.set(identity.party, runSession({ ...started, identity, begin: () => all.promise }, started.protocol, io))
  }
  all.resolve()
  for (const run of runs.values()) {
    const ending = await run.ending
    if (ending.kind !== "done") throw new Error(`a session ended as ${JSON.stringify(ending)}`)
  }
  return { total }
}

function copyOf(secret: GroupSecret): () => GroupSecret {
  const share = secret.share.expose().slice()
  const pairs = secret.pairs.map((pair) => ({
    peer: pair.peer,
    pairId: pair.pairId,
    zeroSeed: pair.zeroSeed.expose().slice(),
    otAlice: pair.otAlice?.expose().slice() ?? new Uint8Array(0),
    otBob: pair.otBob?.expose().slice() ?? new Uint8Array(0),
  }))
  return () => ({
    share: Secret.from(share),
    pairs: pairs.map((pair) => ({
      ...pair,
      zeroSeed: Secret.from(pair.zeroSeed),
      otAlice: Secret.from(pair.otAlice),
      otBob: Secret.from(pair.otBob),
    })),
  })
}

const shareBytes = ({ openSecret }: Node): number => {
  const { share, pairs } = openSecret()
  return pairs.reduce(
    (sum, pair) =>
      sum + 32 + pair.pairId.length + pair.zeroSeed.length + (pair.otAlice?.length ?? 0) + (pair.otBob?.length ?? 0),
    share.length,
  )
}

const rngFor = (sid: Bytes): Rng => {
  const random = (length: number) => crypto.getRandomValues(new Uint8Array(length))
  return sessionRandom(
    { system: random(64), kernel: random(32), nodeSecret: random(32), bootCounter: 1, sessionCounter: 1 },
    sid,
  )
}

function figures(times: number[], bytes: number, nodes: readonly Node[]) {
  const sorted = times.toSorted((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  const [node] = nodes
  return {
    ms_per_party: Math.round(100 * median) / 100,
    bytes_per_party: Math.round(bytes),
    share_bytes: node === undefined ? 0 : shareBytes(node),
  }
}

/** Counts what one party of `parties` does in `work`, by watching the entrances to native and curve arithmetic. */
async function counted<T>(parties: number, work: () => Promise<T>): Promise<{ result: T; ops: Counts }> {
  const seen: Record<keyof Counts, number> = { ecdh: 0, sha256: 0, secret_mul: 0, public_mul: 0, decode: 0 }
  const ecdh: object = Object.getPrototypeOf(createECDH("prime256v1"))
  const watched: readonly [keyof Counts, object, string][] = [
    ["ecdh", ecdh, "computeSecret"],
    ["ecdh", ecdh, "getPublicKey"],
    ["sha256", Bun.SHA256, "hash"],
    ["secret_mul", K1, "multiply"],
    ["secret_mul", K1, "multiplyBase"],
    ["secret_mul", K1, "multiplyOnce"],
    ["secret_mul", K1, "multiplyBaseOnce"],
    ["public_mul", K1, "multiplyPublic"],
    ["public_mul", K1, "multiplyBasePublic"],
    ["decode", K1, "decodePoint"],
  ]
  const restore = watched.map(([count, target, name]) => watch(target, name, () => seen[count]++))
  try {
    const result = await work()
    const perParty = (count: keyof Counts): number => Math.round(seen[count] / parties)
    const ops: Counts = {
      ecdh: perParty("ecdh"),
      sha256: perParty("sha256"),
      secret_mul: perParty("secret_mul"),
      public_mul: perParty("public_mul"),
      decode: perParty("decode"),
    }
    return { result, ops }
  } finally {
    for (const undo of restore) undo()
  }
}

function watch(target: object, name: string, seen: () => void): () => void {
  const original: unknown = Reflect.get(target, name)
  if (typeof original !== "function") throw new Error(`${name} is not a function`)
  const watching = function (this: unknown, ...args: unknown[]): unknown {
    seen()
    return Reflect.apply(original, this, args)
  }
  if (!Reflect.set(target, name, watching)) throw new Error(`${name} cannot be watched`)
  return () => void Reflect.set(target, name, original)
}
