/**
 * The configuration: all tables together, and the type that the program uses. Names are those of the TOML, so that a value in code
 * and a line in the file have the same name. Durations are milliseconds here; everything else is as written.
 */
import { type StaticDecode, Type } from "@sinclair/typebox"
import { intentSchema } from "../policy/intentTable.ts"
import { operationApprovalsSchema } from "../policy/operations.ts"
import { approverGroupsSchema, approversSchema } from "../policy/people.ts"
import type { Rules } from "../policy/schema.ts"
import type { DeepReadonly } from "../settings/read.ts"
import { boolean, oneOf, tableOf } from "../settings/schema.ts"
import { audit } from "./audit.ts"
import { backup } from "./backup.ts"
import { callback } from "./callback.ts"
import { checkup } from "./checkup.ts"
import { db } from "./db.ts"
import { event } from "./event.ts"
import { log } from "./log.ts"
import { metrics } from "./metrics.ts"
import { policy } from "./policy.ts"
import type { PolicyFiles } from "./policyBundle.ts"
import { rules } from "./rules.ts"
import { signing } from "./signing.ts"
import { status } from "./status.ts"
import { websocket } from "./websocket.ts"

const ENVIRONMENTS = ["development", "sandbox", "production"] as const
export const isProduction = (config: Pick<Config, "env">): boolean => config.env === "production"

export const DEFAULT_FILE = "configs/cosigner.toml"
/** The published name: this file is read as it is if the other one does not exist (formats.md 3). */
export const PUBLISHED_FILE = "configs/cobo-tss-node-config.yaml"
export const RULES_TABLE = "embedded_risk_control_rules"

/** All tables except the rules. */
const tables = {
  db,
  websocket,
  callback,
  event,
  signing,
  log,
  metrics,
  status,
  audit,
  backup,
  checkup,
  policy,
  intent: intentSchema,
  approvers: approversSchema,
  approver_groups: approverGroupsSchema,
  operation_approvals: operationApprovalsSchema,
}

export const configSchema = tableOf("The configuration of a node.", {
  env: oneOf(
    ENVIRONMENTS,
    "development",
    "production is strict: wss only, and guarded. Flags: --prod, --dev, --sandbox.",
  ),
  danger_allow_unguarded_signing: boolean(
    false,
    "Lets a node start with neither embedded rules nor a callback server. It then signs everything that WaaS asks for.",
  ),
  danger_allow_unhardened_process: boolean(
    false,
    "Lets production start although core dumps or tracing cannot be switched off, or LD_PRELOAD or a similar variable is set.",
  ),
  ...tables,
  [RULES_TABLE]: Type.Optional(rules),
})

type Tables = DeepReadonly<StaticDecode<typeof configSchema>>

export type Config = Omit<Tables, typeof RULES_TABLE> & {
  readonly [RULES_TABLE]: Rules
  /** The file that was read; undefined if there was none and the defaults apply. */
  readonly source: string | undefined
  /** The contents of the policy's files, if the policy comes from a bundle; undefined: they are on the disk. */
  readonly policyFiles: PolicyFiles | undefined
}
