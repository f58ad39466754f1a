/**
 * Figures of Secrets.db with 10 000 groups of 50 kB: how long a start takes beside the password hash, what a commit costs,
 * and that memory does not grow with the file.
 */

import { randomBytes } from "node:crypto"
import { rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { type Bytes, copy } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { GroupPublic, GroupSecret } from "../../src/keys/group.ts"
import { partyOf } from "../../src/keys/party.ts"
import { Secret } from "../../src/secret.ts"
import { createStore, openStore } from "../../src/store/store.ts"
import { temporaryFolder } from "../../test/support/temporaryFolder.ts"

const GROUPS = 10_000
const SHARE_BYTES = 50_000
const OPENINGS = 5
const SMALL_COMMITS = 500

const bytes = (length: number): Bytes => copy(randomBytes(length))
const password = Secret.from(Buffer.from("benchmark password"))
/** So cheap that it does not count: the start is measured beside it. */
const kdf = { memoryKiB: 64, passes: 1, parallelism: 1 }

const parties = [1, 2, 3].map((n) => {
  const party = partyOf(sha256(Uint8Array.of(n)))
  if (party === undefined) throw new Error("32 bytes are a party")
  return party
})

const groupNo = (n: number): GroupPublic => ({
  groupId: `group-${n}`,
  epochId: bytes(32),
  curve: "secp256k1",
  mode: "keygen",
  status: "PREPARED",
  threshold: 2,
  members: parties.map((party, i) => ({ party, shareId: BigInt(i + 1), sharePublicKey: bytes(33) })),
  commitments: [bytes(33), bytes(33)],
  chainCode: bytes(32),
  createdMs: n,
  sid: bytes(32),
  ackView: bytes(32),
})

const secretOf = (group: GroupPublic): GroupSecret => ({
  share: Secret.take(bytes(32)),
  pairs: group.members.slice(1).map(({ party }) => ({
    peer: party,
    pairId: bytes(32),
    zeroSeed: Secret.take(bytes(32)),
    otAlice: Secret.take(bytes(SHARE_BYTES / 4)),
    otBob: Secret.take(bytes(SHARE_BYTES / 4)),
  })),
})

const quantile = (sorted: readonly number[], q: number): number =>
  Number((sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? 0).toFixed(2))

function timed(times: number, act: (i: number) => void): { readonly p50: number; readonly p99: number } {
  const took: number[] = []
  for (let i = 0; i < times; i++) {
    const start = performance.now()
    act(i)
    took.push(performance.now() - start)
  }
  took.sort((a, b) => a - b)
  return { p50: quantile(took, 0.5), p99: quantile(took, 0.99) }
}

const rssMb = (): number => {
  Bun.gc(true)
  return Math.round(process.memoryUsage.rss() / 1e6)
}

/** One object per figure, for the JSON lines of `npm run bench`. */
export async function benchStore(): Promise<object[]> {
  const folder = temporaryFolder("bench").path
  try {
    return measure(join(folder, "secrets.db"))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function measure(path: string): object[] {
  const rssBefore = rssMb()
  const first = createStore(path, password, { identitySeed: Secret.take(bytes(32)), callbackKey: secretKey(), kdf })
  const large = timed(GROUPS, (i) => {
    const group = groupNo(i)
    first.groups.prepare(group, secretOf(group))
  })
  first.close()
  const rssFilled = rssMb()

  let opened = openStore(path, password, { readOnly: false })
  const rssOpened = rssMb()
  const cpuBefore = process.cpuUsage()
  const open = timed(OPENINGS, () => {
    opened.close()
    opened = openStore(path, password, { readOnly: false })
  })
  const cpu = process.cpuUsage(cpuBefore)
  const small = timed(SMALL_COMMITS, () => opened.nextBoot())
  const groups = opened.groups.list()
  const read = timed(SMALL_COMMITS, (i) => {
    const { groupId, epochId } = groups[i] ?? groupNo(0)
    using share = opened.groups.open(groupId, epochId).share
    share.expose()
  })
  opened.close()
  const common = { groups: GROUPS, record_bytes: SHARE_BYTES }
  return [
    {
      op: "store_open",
      ...common,
      file_mb: Math.round(statSync(path).size / 1e6),
      ms: open.p50,
      worst_ms: open.p99,
      // What it takes on a machine that has nothing else to do.
      cpu_ms: Math.round((cpu.user + cpu.system) / 1000 / OPENINGS),
    },
    { op: "store_commit_group", ...common, p50_ms: large.p50, p99_ms: large.p99 },
    { op: "store_commit_small", ...common, p50_ms: small.p50, p99_ms: small.p99 },
    { op: "store_read_group", ...common, p50_ms: read.p50, p99_ms: read.p99 },
    { op: "store_rss", ...common, before_mb: rssBefore, after_filling_mb: rssFilled, after_opening_mb: rssOpened },
  ]
}

const secretKey = (): Secret => Secret.take(bytes(1200))

if (import.meta.main) for (const line of await benchStore()) console.log(JSON.stringify(line))
