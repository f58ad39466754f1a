/**
 * What the log for auditors costs: the leaves of a signature (decision, share, end) on the thread that signs and in the file, and a
 * tile, which is made of 256 leaves in a commit of its own. The leaves join commits that are there anyway: of the disk's sync each has
 * a 64th in this figure.
 */
import { statSync } from "node:fs"
import type { AuditEntry } from "../../src/audit/entry.ts"
import { TILE_WIDTH } from "../../src/audit/tiles.ts"
import { decided, ended, shareLeaves } from "../../src/tasks/audited.ts"
import type { TaskRecord } from "../../src/tasks/ports.ts"
import { encodeTask } from "../../src/wire/task.ts"
import { Folder } from "../../test/store/fixtures.ts"
import { keySign } from "../../test/wire/documents.ts"

const SIGNATURES = 4096
const AT_ONCE = 64
const HASH = "ab".repeat(32)

interface Row {
  readonly op: string
  readonly count: number
  readonly p50_ms: number
  /** That the file grew by, for each. */
  readonly bytes: number | undefined
}

/** A payment that one rule and one callback server have approved. */
const RECORD: TaskRecord = {
  ...{ taskId: keySign.task_id, digest: HASH, type: "KeySign", document: encodeTask(keySign), state: "approved" },
  ...{
    attempt: 1,
    claimedMs: 1,
    updatedMs: 2,
    deadlineMs: 3,
    code: "",
    reason: "",
    outcome: undefined,
    delivered: false,
  },
  verdict: {
    ...{ action: "approve", code: "", reason: "" },
    rules: [
      { rule: "intent", outcome: "allow", reason: `0x${HASH} send 5 USDC on ethereum to 0x${"cd".repeat(20)}` },
      { rule: "embedded_risk_control_rules.key_sign.allow", outcome: "allow", reason: "the entry payroll" },
      { rule: "callback:https://risk.example.com/v1", outcome: "allow", reason: `approved; answer sha256 ${HASH}` },
    ],
  },
}
const DIGEST = new Uint8Array(32)
const SIGNED = { bip32_path: "m", msg_hash: HASH, tweak: "", public_key: HASH, signature: HASH, signature_recovery: "" }
const entries = (): readonly AuditEntry[] => [
  decided(RECORD, HASH),
  shareLeaves(RECORD, DIGEST),
  ended(RECORD, { state: "completed", outcome: { type: "signatures", signatures: [SIGNED] } }, [DIGEST]),
]

/** Many signatures share a commit, so that it is the work that is measured and not the disk; tiles are made as a node makes them. */
export async function benchAudit(): Promise<readonly Row[]> {
  using folder = new Folder()
  using store = folder.create()
  const before = statSync(folder.db).size
  const leaves: number[] = []
  const tiles: number[] = []
  for (let done = 0; done < SIGNATURES; done += AT_ONCE) {
    leaves.push(tookMs(() => store.audit.record(done, ...Array.from({ length: AT_ONCE }, entries).flat())))
    while (store.audit.size / TILE_WIDTH - store.audit.fullTiles >= 1) tiles.push(tookMs(() => store.audit.pack()))
  }
  const bytes = Math.round((statSync(folder.db).size - before) / SIGNATURES)
  return [
    { op: "leaves_of_a_signature", count: SIGNATURES, p50_ms: median(leaves) / AT_ONCE, bytes },
    { op: "tile_of_256_leaves", count: tiles.length, p50_ms: median(tiles), bytes: undefined },
  ].map(({ p50_ms, ...row }) => ({ ...row, p50_ms: Math.round(p50_ms * 1000) / 1000 }))
}

function tookMs(work: () => void): number {
  const startMs = performance.now()
  work()
  return performance.now() - startMs
}

const median = (times: readonly number[]): number => times.toSorted((a, b) => a - b)[times.length >> 1] ?? Number.NaN
