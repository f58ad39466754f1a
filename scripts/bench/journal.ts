/**
 * What the journal costs a signature: the durable steps of one task, from its claim to its result, one task after another and many at
 * once. `p50_ms` is of one task; `commits` are those of the database per task.
 */
import type { Decision } from "../../src/policy/decision.ts"
import type { Store } from "../../src/store/store.ts"
import { APPROVE, bytesOf, claimOf, Folder, sessionOf, still } from "../../test/store/fixtures.ts"

const RUNS = [
  { atOnce: 1, tasks: 20 },
  { atOnce: 16, tasks: 128 },
  { atOnce: 128, tasks: 512 },
] as const

interface Row {
  readonly op: string
  readonly at_once: number
  readonly tasks: number
  readonly p50_ms: number
  readonly per_second: number
  readonly commits: number
}

export async function benchJournal(): Promise<readonly Row[]> {
  using folder = new Folder()
  using store = folder.create()
  const rows: Row[] = []
  for (const { atOnce, tasks } of RUNS) rows.push(await measured(store, atOnce, tasks))
  return rows
}

async function measured(store: Store, atOnce: number, tasks: number): Promise<Row> {
  const times: number[] = []
  const before = store.generation
  const begunMs = performance.now()
  let left = tasks
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const startMs = performance.now()
      await signed(store, `task ${atOnce} ${left}`)
      times.push(performance.now() - startMs)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
  const tookMs = performance.now() - begunMs
  const median = times.toSorted((a, b) => a - b)[tasks >> 1] ?? Number.NaN
  return {
    op: "journal_of_a_signature",
    at_once: atOnce,
    tasks,
    p50_ms: rounded(median),
    per_second: rounded((tasks / tookMs) * 1000),
    commits: rounded((store.generation - before) / tasks),
  }
}

async function signed({ journal }: Store, taskId: string): Promise<void> {
  const decide = (): Decision => ({ verdict: APPROVE, debits: [{ counter: "hour", amount: 1 }] })
  const row = sessionOf(taskId, 1)
  journal.claim(claimOf(taskId))
  await journal.approve(taskId, 1, decide, () => [])
  await journal.startSession(row, 1, still)
  await journal.emitted(taskId, bytesOf(1), 1)
  const result = { state: "completed", outcome: { type: "signatures", signatures: [] } } as const
  await journal.finish(taskId, result, 1, [], row.sid)
  void journal.delivered(taskId)
}

const rounded = (value: number): number => Math.round(value * 100) / 100
