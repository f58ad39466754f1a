/** One Postgres for all tests of a `describe`: the first that asks for it starts it, and it ends after the last. */
import { afterAll } from "bun:test"
import { startPostgres, type TestPostgres } from "./postgres.ts"

export function onePostgres(settings: readonly string[]): () => TestPostgres {
  let started: TestPostgres | undefined
  // Some gigabytes of files.
  afterAll(() => started?.[Symbol.dispose](), 300_000)
  return () => {
    started ??= startPostgres(settings)
    return started
  }
}
