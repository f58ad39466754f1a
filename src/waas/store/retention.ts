/** Signing requests that ended long ago, and their tasks, leave the database where the operator says so. */
import type { Database } from "bun:sqlite"

/** Not while a node may still have a word to say of one of its tasks, nor where a transaction shows it. */
const FORGOTTEN = `
  SELECT id, body FROM sign_requests
  WHERE ended_ms < ?
    AND NOT EXISTS (SELECT 1 FROM transactions WHERE transactions.id = sign_requests.id)
    AND NOT EXISTS (SELECT 1 FROM json_each(sign_requests.body, '$.taskIds') AS own
      JOIN tasks ON tasks.id = own.value WHERE tasks.live = 1)
  ORDER BY ended_ms LIMIT ?`

/** Of those that ended before that moment the oldest, at most so many; how many they were. In a transaction of the caller. */
export function forgetEnded(db: Database, beforeMs: number, most: number): number {
  const rows = db.query<{ id: string; body: string }, [number, number]>(FORGOTTEN).all(beforeMs, most)
  const tasks = db.query<unknown, [string]>(
    "DELETE FROM tasks WHERE id IN (SELECT value FROM json_each(?, '$.taskIds'))",
  )
  const requests = db.query<unknown, [string]>("DELETE FROM sign_requests WHERE id = ?")
  for (const { id, body } of rows) {
    tasks.run(body)
    requests.run(id)
  }
  return rows.length
}
