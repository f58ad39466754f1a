/** Signing requests that ended long ago, and their tasks, leave the database where the operator says so. */
import { decode } from "./rows.ts"
import type { SqlDatabase, SqlStatement } from "./sql.ts"

/** Not while a node may still have a word to say of one of its tasks, nor where a transaction shows it. */
const forgotten = ({ json }: SqlDatabase): string => `
  SELECT id, body FROM sign_requests
  WHERE ended_ms < ?
    AND NOT EXISTS (SELECT 1 FROM transactions WHERE transactions.id = sign_requests.id)
    AND NOT EXISTS (SELECT 1 FROM ${json.texts("sign_requests.body", "taskIds", "own")}
      JOIN tasks ON tasks.id = own.value WHERE tasks.live = 1)
  ORDER BY ended_ms LIMIT ?`

/** Of those that ended before that moment the oldest, at most so many; how many they were. */
export async function forgetEnded(db: SqlDatabase, beforeMs: number, most: number): Promise<number> {
  const rows = await db.all<{ readonly id: string; readonly body: string }>(forgotten(db), [beforeMs, most])
  const removals = rows.flatMap(({ id, body }): readonly SqlStatement[] => [
    ...decode<{ readonly taskIds: readonly string[] }>(body).taskIds.map(
      (taskId): SqlStatement => ({ sql: "DELETE FROM tasks WHERE id = ?", values: [taskId] }),
    ),
    { sql: "DELETE FROM sign_requests WHERE id = ?", values: [id] },
  ])
  await db.write(removals)
  return rows.length
}
