/**
 * Figures of a backup of 10 000 groups of 50 kB: how fast it is written and proven, how long it keeps a node from its work,
 * and that memory stays where it is whatever the size.
 */
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Bytes, copy } from "../../src/bytes.ts"
import { curveNamed } from "../../src/crypto/curve.ts"
import { commitments } from "../../src/crypto/feldman.ts"
import { evaluate } from "../../src/crypto/shamir.ts"
import type { GroupPublic } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { identityOf } from "../../src/mpc/envelope.ts"
import { Secret } from "../../src/secret.ts"
import { createStore, openStore, type Store } from "../../src/store/store.ts"
import { proveBackup, restoreBackup, writeBackup } from "../../src/upkeep/backupWork.ts"

const GROUPS = 10_000
const OT_BYTES = 12_500

const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 }
const digest = (text: string): Bytes => copy(createHash("sha256").update(text).digest())
const word = (text: string): Secret => Secret.from(Buffer.from(text))
const round = (value: number, digits = 1): number => Number(value.toFixed(digits))

const curve = curveNamed("secp256k1")
const parties = [0, 1, 2].map((n) => identityOf(digest(`node ${n}`)).party)
function partyAt(n: number): PartyId {
  const party = parties[n]
  if (party === undefined) throw new TypeError("there are three parties")
  return party
}
const polynomial = [12_345n, 67_890n]
const shareOf = (n: number): bigint => evaluate(curve, polynomial, shareIdOf(partyAt(n)))
/** All groups have one key: what a backup does with them depends on their number alone. */
const members = parties
  .map((party, n) => ({
    party,
    shareId: shareIdOf(party),
    sharePublicKey: curve.encodePoint(curve.multiplyBase(shareOf(n))),
  }))
  .sort((a, b) => (a.party < b.party ? -1 : 1))
const points = commitments(curve, polynomial).map((point) => curve.encodePoint(point))

function fill(store: Store): void {
  for (let n = 0; n < GROUPS; n++) {
    const group: GroupPublic = {
      groupId: `group-${n}`,
      epochId: digest(`epoch ${n}`),
      curve: "secp256k1",
      mode: "keygen",
      status: "PREPARED",
      threshold: 2,
      members,
      commitments: points,
      chainCode: digest("chain code"),
      createdMs: n,
      sid: digest(`sid ${n}`),
      ackView: digest(`view ${n}`),
    }
    const pairs = parties.slice(1).map((peer) => ({
      peer,
      pairId: digest("pair"),
      zeroSeed: Secret.take(digest("seed")),
      otAlice: Secret.take(new Uint8Array(OT_BYTES)),
      otBob: Secret.take(new Uint8Array(OT_BYTES)),
    }))
    store.groups.prepare(group, { share: Secret.take(curve.encodeScalar(shareOf(0))), pairs })
  }
}

/** Runs `act` and samples the resident memory beside it. */
async function measured<T>(act: (sample: () => void) => Promise<T> | T) {
  Bun.gc(true)
  const before = process.memoryUsage.rss()
  let peak = before
  const sample = (): void => {
    peak = Math.max(peak, process.memoryUsage.rss())
  }
  const begun = performance.now()
  const value = await act(sample)
  sample()
  return { value, ms: performance.now() - begun, grewMB: round((peak - before) / 1e6) }
}

export async function benchBackup() {
  const folder = mkdtempSync(join(tmpdir(), "cosigner-bench-"))
  const [db, file] = [join(folder, "secrets.db"), join(folder, "backup")]
  using password = word("benchmark password")
  using sealing = word("password of the backup")
  try {
    using identitySeed = Secret.take(digest("node 0"))
    using callbackKey = Secret.take(new Uint8Array(1200))
    createStore(db, password, { identitySeed, callbackKey, kdf }).close()
    using store = openStore(db, password, { readOnly: false })
    fill(store)
    const megabytes = statSync(db).size / 1e6

    const copied = performance.now()
    using snapshot = store.snapshot(join(folder, "snapshot.db"))
    const copyMs = performance.now() - copied

    let slice = performance.now()
    let longest = 0
    const written = await measured((sample) =>
      writeBackup(file, snapshot, {
        password: sealing,
        chosen: undefined,
        nowMs: 1,
        kdf,
        pause: async () => {
          longest = Math.max(longest, performance.now() - slice)
          sample()
          await new Promise((resume) => setImmediate(resume))
          slice = performance.now()
        },
      }),
    )
    const proven = await measured(() => proveBackup(file, sealing, 1))
    const to = { db: join(folder, "restored", "secrets.db"), password, nowMs: 1, kdf }
    const restored = await measured(() => restoreBackup(file, sealing, to))
    return [
      {
        step: "copy of the database",
        MB: round(megabytes),
        ms: round(copyMs),
        MBperS: round(megabytes / (copyMs / 1000)),
      },
      {
        step: `write, ${GROUPS} groups`,
        MB: round(written.value.bytes / 1e6),
        ms: round(written.ms),
        MBperS: round(megabytes / (written.ms / 1000)),
        memoryMB: written.grewMB,
        longestSliceMs: round(longest),
      },
      { step: "prove", ms: round(proven.ms), groupsPerS: round(GROUPS / (proven.ms / 1000)), memoryMB: proven.grewMB },
      {
        step: "restore",
        ms: round(restored.ms),
        groupsPerS: round(GROUPS / (restored.ms / 1000)),
        memoryMB: restored.grewMB,
      },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
