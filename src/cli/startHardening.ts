/**
 * Hardens the process of `start`. Every measure that cannot be taken is reported with its remedy. In production a missing
 * essential measure ends the start, before the password is read.
 */
import type { Config } from "../config/config.ts"
import type { CosignerError } from "../errors.ts"
import { type Environment, openDoors } from "../hardening/environment.ts"
import { harden, isEssential, tracing } from "../hardening/process.ts"

export type TellOperator = (error: CosignerError) => void

/** Throws the first essential shortfall, in production, unless danger_allow_unhardened_process accepts it. */
export function hardenOrRefuse(config: Config, env: Environment, tell: TellOperator): void {
  const doors = openDoors(env)
  const found: readonly CosignerError[] = [...(doors === undefined ? [] : [doors]), ...harden()]
  const strict = config.env === "production" && !config.danger_allow_unhardened_process
  const unacceptable = found.find((error) => strict && isEssential(error))
  if (unacceptable !== undefined) throw unacceptable
  found.forEach(tell)
  const traced = config.env === "production" ? tracing() : undefined
  if (traced !== undefined) tell(traced)
}
