/** Deletes signing requests that ended long ago, with their tasks, if the operator has configured it. */
import { decode } from "./rows.ts"
import type { SqlDatabase, SqlStatement } from "./sql.ts"

/** Selects the oldest requests to delete. Keeps a request while one of its tasks is live, and one that a transaction refers to. */
const forgettable = ({ json }: SqlDatabase): string => `
  SELECT id, body FROM sign_requests
  WHERE ended_ms < ?
    AND NOT EXISTS (SELECT 1 FROM transactions WHERE transactions.id = sign_requests.id)
    AND NOT EXISTS (SELECT 1 FROM ${json.texts("sign_requests.body", "taskIds", "own")}
      JOIN tasks ON tasks.id = own.value WHERE tasks.live = 1)
  ORDER BY ended_ms LIMIT ?`

/** Deletes the oldest requests that ended before `beforeMs`, at most `most`. Returns how many. */
export async function forgetEnded(db: SqlDatabase, beforeMs: number, most: number): Promise<number> {
  const rows = await db.all<{ readonly id: string; readonly body: string }>(forgettable(db), [beforeMs, most])
  const removals = rows.flatMap(({ id, body }): readonly SqlStatement[] => [
    ...decode<{ readonly taskIds: readonly string[] }>(body).taskIds.map(
      (taskId): SqlStatement => ({ sql: "DELETE FROM tasks WHERE id = ?", values: [taskId] }),
    ),
    { sql: "DELETE FROM sign_requests WHERE id = ?", values: [id] },
  ])
  await db.write(removals)
  return rows.length
}
