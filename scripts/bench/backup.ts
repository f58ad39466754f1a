/**
 * Figures of a backup of groups of 50 kB: how fast it is written and proven, how long it keeps a node from its work, and that
 * memory does not grow with the number of groups. Every phase runs in a process of its own, with few groups and with many:
 *
 *     memoryMB        by how much its resident memory grew at most, as the program runs
 *     rss_growth_mb   the same without the optimising compiler, whose own memory (10 to 15 MB, for a moment) comes when a
 *                     loop has run long enough, whatever it is about
 */

import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Bytes, copy } from "../../src/bytes.ts"
import { curveNamed } from "../../src/crypto/curve.ts"
import { commitments } from "../../src/crypto/feldman.ts"
import { evaluate } from "../../src/crypto/shamir.ts"
import { collecting, proveBackup, restoreBackup, writeBackup } from "../../src/jobs/backupWork.ts"
import type { GroupPublic } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { identityOf } from "../../src/mpc/envelope.ts"
import { Secret } from "../../src/secret.ts"
import { createStore, openStore, type Store, snapshotOf } from "../../src/store/store.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"

const FEW = 2_000
const MANY = 10_000
/** What the ids of that many more groups, and chance, may make of a difference. */
const FLAT_MB = 10
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

function fill(store: Store, groups: number): void {
  for (let n = 0; n < groups; n++) {
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

const PHASES = ["fill", "write", "prove", "restore"] as const
type Phase = (typeof PHASES)[number]

/** What a process says of its phase. */
interface Measured {
  readonly ms: number
  readonly grewMB: number
  /** Of writing alone. */
  readonly copyMs: number
  readonly longestSliceMs: number
}

const placesIn = (folder: string) => ({
  db: join(folder, "secrets.db"),
  file: join(folder, "backup"),
  snapshot: join(folder, "snapshot.db"),
  restored: join(folder, "restored", "secrets.db"),
})

/** One phase in this process. */
async function run(phase: Phase, folder: string, groups: number): Promise<Measured> {
  const { db, file, snapshot: copyTo, restored } = placesIn(folder)
  using password = word("benchmark password")
  using sealing = word("password of the backup")
  let [copyMs, longestSliceMs] = [0, 0]
  const before = residentMB("VmRSS")
  const begun = performance.now()
  switch (phase) {
    case "fill": {
      using identitySeed = Secret.take(digest("node 0"))
      using callbackKey = Secret.take(new Uint8Array(1200))
      createStore(db, password, { identitySeed, callbackKey, kdf }).close()
      using store = openStore(db, password, { readOnly: false })
      fill(store, groups)
      break
    }
    case "write": {
      using snapshot = snapshotOf(db, password, copyTo)
      copyMs = performance.now() - begun
      const collect = collecting()
      let slice = performance.now()
      const pause = async (): Promise<void> => {
        longestSliceMs = Math.max(longestSliceMs, performance.now() - slice)
        await new Promise((resume) => setImmediate(resume))
        await collect()
        slice = performance.now()
      }
      await writeBackup(file, snapshot, { password: sealing, chosen: undefined, nowMs: 1, kdf, pause })
      break
    }
    case "prove":
      proveBackup(file, sealing, 1)
      break
    case "restore":
      restoreBackup(file, sealing, { db: restored, password, nowMs: 1, kdf })
  }
  const ms = performance.now() - begun - copyMs
  return { ms, copyMs, longestSliceMs, grewMB: residentMB("VmHWM") - before }
}

/** Resident memory of this process: now, or its peak. Where there is no /proc, the peak stands for both. */
function residentMB(which: "VmRSS" | "VmHWM"): number {
  if (!existsSync("/proc/self/status")) return process.resourceUsage().maxRSS / 1e3
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1]) / 1e3
}

/** One phase in a process that does nothing else. */
async function apart(phase: Phase, folder: string, groups: number, isOptimised = true): Promise<Measured> {
  const { file, restored } = placesIn(folder)
  if (phase === "write") rmSync(file, { force: true })
  if (phase === "restore") rmSync(dirname(restored), { recursive: true, force: true })
  const child = Bun.spawn([process.execPath, import.meta.path, phase, folder, String(groups)], {
    env: { ...process.env, ...(isOptimised ? {} : { BUN_JSC_useFTLJIT: "0" }) },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  })
  const [said, exit] = await Promise.all([new Response(child.stdout).text(), child.exited])
  if (exit !== 0) throw new Error(`the phase ${phase} failed`)
  return JSON.parse(said)
}

/** By how much each phase grew at most, MB, without the optimising compiler. */
export type Growth = Readonly<Record<"write" | "prove" | "restore", number>>

/** In a folder of its own, which is removed. */
export async function growthWith(groups: number): Promise<Growth> {
  const folder = temporaryFolder("bench").path
  try {
    await apart("fill", folder, groups)
    return await growthIn(folder, groups)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const growthIn = async (folder: string, groups: number): Promise<Growth> => ({
  write: (await apart("write", folder, groups, false)).grewMB,
  prove: (await apart("prove", folder, groups, false)).grewMB,
  restore: (await apart("restore", folder, groups, false)).grewMB,
})

async function measure(folder: string, groups: number) {
  mkdirSync(folder)
  await apart("fill", folder, groups)
  const growth = await growthIn(folder, groups)
  const written = await apart("write", folder, groups)
  const { db, file } = placesIn(folder)
  const [megabytes, bytes] = [statSync(db).size / 1e6, statSync(file).size]
  const rows: Row[] = [
    {
      step: "copy of the database",
      groups,
      MB: round(megabytes),
      ms: round(written.copyMs),
      MBperS: round(megabytes / (written.copyMs / 1000)),
    },
    {
      step: `write, ${groups} groups`,
      groups,
      MB: round(bytes / 1e6),
      ms: round(written.ms),
      MBperS: round(megabytes / (written.ms / 1000)),
      memoryMB: round(written.grewMB),
      rss_growth_mb: round(growth.write),
      longestSliceMs: round(written.longestSliceMs),
    },
  ]
  for (const step of ["prove", "restore"] as const) {
    const { ms, grewMB } = await apart(step, folder, groups)
    const groupsPerS = round(groups / (ms / 1000))
    rows.push({ step, groups, ms: round(ms), groupsPerS, memoryMB: round(grewMB), rss_growth_mb: round(growth[step]) })
  }
  return { rows, growth }
}

type Row = Readonly<Record<string, string | number | boolean>>

export async function benchBackup(): Promise<readonly Row[]> {
  const folder = temporaryFolder("bench").path
  try {
    const few = await measure(join(folder, "few"), FEW)
    const many = await measure(join(folder, "many"), MANY)
    const more = (phase: keyof Growth): number => round(many.growth[phase] - few.growth[phase])
    const [write, prove, restore] = [more("write"), more("prove"), more("restore")]
    return [
      ...few.rows,
      ...many.rows,
      {
        step: "memory",
        from_groups: FEW,
        to_groups: MANY,
        write_more_mb: write,
        prove_more_mb: prove,
        restore_more_mb: restore,
        flat: Math.max(write, prove, restore) <= FLAT_MB,
      },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const [name, folder = "", groups] = process.argv.slice(2)
  const phase = PHASES.find((candidate) => candidate === name)
  if (phase === undefined) throw new Error(`no such phase: ${name}`)
  console.log(JSON.stringify(await run(phase, folder, Number(groups))))
}
