/**
 * The configuration: the tables together, and the type the program sees. Names are the TOML's own, so that a value in code
 * and a line in the file are found by the same word. Durations are milliseconds here; the rest is as written.
 */
import { type StaticDecode, type TObject, Type } from "@sinclair/typebox"
import type { PathRule } from "../keys/pathRule.ts"
import type { Rules } from "../policy/schema.ts"
import { backup } from "./backup.ts"
import { callback } from "./callback.ts"
import { checkup } from "./checkup.ts"
import { db } from "./db.ts"
import { event } from "./event.ts"
import { log } from "./log.ts"
import { metrics } from "./metrics.ts"
import { boolean, oneOf, tableOf } from "./schema.ts"
import { signing } from "./signing.ts"
import { status } from "./status.ts"
import { websocket } from "./websocket.ts"

export const ENVIRONMENTS = ["development", "sandbox", "production"] as const
export const DEFAULT_FILE = "configs/cosigner.toml"
/** The one table whose inside is not here: policy/schema.ts reads it. */
export const RULES_TABLE = "embedded_risk_control_rules"

/** Every table but the rules. */
export const tables = { db, websocket, callback, event, signing, log, metrics, status, backup, checkup }

export const configSchema = tableOf("The configuration of a node.", {
  env: oneOf(
    ENVIRONMENTS,
    "development",
    "production is strict: wss only, and guarded. Flags: --prod, --dev, --sandbox.",
  ),
  danger_allow_unguarded_signing: boolean(
    false,
    "Lets production start with neither embedded rules nor a callback server: it then signs whatever WaaS asks.",
  ),
  danger_allow_unhardened_process: boolean(
    false,
    "Lets production start where core dumps or tracing cannot be switched off, or with LD_PRELOAD and its like set.",
  ),
  ...tables,
  [RULES_TABLE]: Type.Optional(Type.Unknown({ description: "Risk control by rules inside the node." })),
})

type Tables = StaticDecode<typeof configSchema>

type DeepReadonly<T> = T extends readonly (infer E)[]
  ? readonly DeepReadonly<E>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

export type Config = DeepReadonly<Omit<Tables, "embedded_risk_control_rules" | "signing">> & {
  readonly embedded_risk_control_rules: Rules
  readonly signing: { readonly path_algorithms: readonly PathRule[] }
  /** Where it was read; undefined when no file was there and the defaults stand. */
  readonly source: string | undefined
}

export type { TObject }
