/**
 * Reshare 2-of-3 -> 2-of-3 as a host runs it, envelopes signed and sealed and relayed in this process, on one thread: two old
 * dealers, all three members stay. Wall time of all parties divided by their number; bytes are what leaves one party.
 */
import type { CurveName } from "../../src/crypto/curve.ts"
import { encodeGroupSecret } from "../../src/keys/groupCodec.ts"
import { Cluster, partyAt } from "../../test/mpc/cluster.ts"
import { dealGroup } from "../../test/mpc/dealer.ts"
import { reshareSpecs } from "../../test/mpc/reshare/specs.ts"
import { makeMembers } from "../../test/mpc/specs.ts"

export interface BenchLine {
  readonly op: string
  readonly t: number
  readonly n: number
  readonly ms_per_party: number
  readonly bytes_per_party: number
  readonly share_bytes: number
}

export async function benchReshare(): Promise<readonly BenchLine[]> {
  return [await line("ed25519", 9), await line("secp256k1", 5)]
}

async function line(curve: CurveName, runs: number): Promise<BenchLine> {
  const members = makeMembers(3)
  const old = dealGroup(curve, 2, members, "bench")
  const times: number[] = []
  let bytes = 0
  let shareBytes = 0
  for (let run = 0; run <= runs; run++) {
    bytes = 0
    const change = { taskId: `bench ${run}`, createdMs: 1_800_000_000_000 + run }
    const specs = reshareSpecs(old, { dealers: [partyAt(0), partyAt(1)], members, threshold: 2 }, change)
    const begun = performance.now()
    const ends = await new Cluster({
      relay: ({ envelope }) => {
        bytes += envelope.bytes.length
        return [envelope.bytes]
      },
      onRecord: (_, record) => {
        if (record.kind === "prepared") shareBytes = encodeGroupSecret(record.secret).length
      },
    }).run(specs)
    // The first warms up.
    if (run > 0) times.push(performance.now() - begun)
    if ([...ends.values()].some(({ ending }) => ending.kind !== "done")) throw new Error("a reshare failed")
  }
  const median = times.sort((a, b) => a - b)[times.length >> 1] ?? 0
  return {
    op: `${curve}_reshare`,
    t: 2,
    n: 3,
    ms_per_party: Math.round((median / 3) * 100) / 100,
    bytes_per_party: Math.round(bytes / 3),
    share_bytes: shareBytes,
  }
}
