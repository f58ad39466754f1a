/** What a failure of the Postgres client means: the database is away, or it refused this one thing. */
import { SQL } from "bun"
import { CosignerError, errorText, isCode } from "../../errors.ts"

/** No answer in time. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer"
}

/**
 * Classes of SQLSTATE that say nothing about the statement: lost or refused connections, resources, shutdown, a conflict with
 * another transaction. The rest of class 57 is a statement that was ended by a limit; 25P03 a transaction that was, because its process
 * stood still.
 */
const AWAY = /^(?:08|53[0-3]|57P|58|40001|40P01|25006|25P03|55P03|57014)/

export function isAway(error: unknown): boolean {
  if (error instanceof NoAnswer) return true
  if (error instanceof SQL.PostgresError)
    return error.code !== "ERR_POSTGRES_SERVER_ERROR" || AWAY.test(error.errno ?? "")
  // What TLS and sockets say: `SELF_SIGNED_CERT_IN_CHAIN`, `ECONNRESET`.
  return error instanceof Error && "code" in error && !(error instanceof CosignerError)
}

/** A connection could not be opened for want of the right password, file or database: no answer to what was to be sent on it. */
export const isNotLetIn = (error: unknown): boolean =>
  isCode(error, "E-WAA-073") || (error instanceof SQL.PostgresError && /^(?:28|3D)/.test(error.errno ?? ""))

/** As the trigger of `tasks` says it (postgresSchema.ts). */
const NOT_OURS = "CO001"

/** The client's own failures as E-WAA-070, -071 and -086; everything else passes. No statement and no value is in them. */
export function asStoreError(error: unknown, store: string): unknown {
  if (isAway(error)) return new CosignerError("E-WAA-070", { store, problem: problemOf(error) }, { cause: error })
  if (!(error instanceof SQL.PostgresError)) return error
  if (error.errno === NOT_OURS) return new CosignerError("E-WAA-086", { problem: error.message }, { cause: error })
  return new CosignerError("E-WAA-071", { store, problem: problemOf(error) }, { cause: error })
}

/** `detail` quotes values of rows, so it stays out. */
export function problemOf(error: unknown): string {
  if (error instanceof NoAnswer) return error.message
  if (!(error instanceof SQL.PostgresError)) return codeOf(error) ?? errorText(error)
  return error.errno === undefined ? error.message : `${error.message} (${error.errno})`
}

/** A word such as `SELF_SIGNED_CERT_IN_CHAIN` or `ECONNRESET`. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined
  return /^[A-Z][A-Z0-9_]{2,60}$/.test(error.code) ? error.code : undefined
}
