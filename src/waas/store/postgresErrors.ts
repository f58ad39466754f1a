/** What a failure of the Postgres client means: the database is away, or it refused this one statement. */
import { SQL } from "bun"
import { CosignerError, errorText, isCode } from "../../errors.ts"

/** No answer in time. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer"
}

/**
 * SQLSTATEs for which the same statement may succeed later: lost or refused connections (08), resources (53), shutdown (57P), system
 * errors (58), conflicts with other transactions (40001, 40P01, 55P03), a server that is read-only (25006), limits on the time of a
 * statement (57014) or of an idle transaction (25P03).
 */
const AWAY = /^(?:08|53[0-3]|57P|58|40001|40P01|25006|25P03|55P03|57014)/

/** Whether the error says that the database is away, and nothing about the statement. */
export function isAway(error: unknown): boolean {
  if (error instanceof NoAnswer) return true
  if (error instanceof SQL.PostgresError)
    return error.code !== "ERR_POSTGRES_SERVER_ERROR" || AWAY.test(error.errno ?? "")
  // Errors of TLS and sockets, with codes such as `SELF_SIGNED_CERT_IN_CHAIN` or `ECONNRESET`.
  return error instanceof Error && "code" in error && !(error instanceof CosignerError)
}

/** Whether a connection could not be opened because of its password, a file or the database's name. Nothing was sent on it then. */
export const isNotLetIn = (error: unknown): boolean =>
  isCode(error, "E-WAA-073") || (error instanceof SQL.PostgresError && /^(?:28|3D)/.test(error.errno ?? ""))

/** The SQLSTATE of the trigger that protects tasks of other replicas (postgresSchema.ts). */
const NOT_OURS = "CO001"

/** Failures of the client as E-WAA-070, -071 or -086, without statements or values; any other error as it is. */
export function asStoreError(error: unknown, store: string): unknown {
  if (isAway(error)) return new CosignerError("E-WAA-070", { store, problem: problemOf(error) }, { cause: error })
  if (!(error instanceof SQL.PostgresError)) return error
  if (error.errno === NOT_OURS) return new CosignerError("E-WAA-086", { problem: error.message }, { cause: error })
  return new CosignerError("E-WAA-071", { store, problem: problemOf(error) }, { cause: error })
}

/** What failed, for people. Leaves out `detail`, which quotes values of rows. */
export function problemOf(error: unknown): string {
  if (error instanceof NoAnswer) return error.message
  if (!(error instanceof SQL.PostgresError)) return codeOf(error) ?? errorText(error)
  return error.errno === undefined ? error.message : `${error.message} (${error.errno})`
}

/** The error's code, if it is a word such as `SELF_SIGNED_CERT_IN_CHAIN` or `ECONNRESET`. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return undefined
  return /^[A-Z][A-Z0-9_]{2,60}$/.test(error.code) ? error.code : undefined
}
