/**
 * Variables that put code into a process before its first line runs, or open one of the runtime's own doors. The lockdown
 * and the build have closed those that can be closed (runtime.md 2); a variable that is still there was put there by
 * somebody who wanted something, and that is worth a word, or a stop.
 */
import { CosignerError } from "../errors.ts"

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

const DOORS =
  /^(?:LD_PRELOAD|LD_AUDIT|LD_LIBRARY_PATH|GCONV_PATH|DYLD_(?:INSERT_LIBRARIES|(?:FALLBACK_)?(?:LIBRARY|FRAMEWORK)_PATH)|BUN_BE_BUN|BUN_OPTIONS|BUN_INSPECT\w*|BUN_JSC_\w+|BUN_CRASH_\w+|BUN_ENABLE_CRASH_\w+)$/

/** One error for all that are set and not empty; their values are not repeated. */
export function openDoors(env: Environment): CosignerError<"E-OPS-006"> | undefined {
  const names = Object.keys(env).filter((name) => DOORS.test(name) && env[name] !== "")
  return names.length === 0 ? undefined : new CosignerError("E-OPS-006", { names: names.sort() })
}
