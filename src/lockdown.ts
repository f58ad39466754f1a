/**
 * The lockdown of the process: the runtime flags that build.ts compiles into the binary, and the check at start that they are there
 * (runtime.md 2). With them no variable and no file of the working directory can put code into the process: no eval, no preload, no
 * module from disk, no native add-on, no debugger port.
 */

export const LOCKDOWN: readonly string[] = [
  "--disallow-code-generation-from-strings=strict",
  "--no-addons",
  "--no-ffi-cc",
]

/** The first lockdown flag that `execArgv` lacks, or undefined if it holds all of them. */
export const missingLockdown = (execArgv: readonly string[]): string | undefined =>
  LOCKDOWN.find((flag) => !execArgv.includes(flag))

/** Variables that would switch off a protection of the runtime, with the values that do not. */
const DISARMING: ReadonlyMap<string, readonly string[]> = new Map([
  // certificates of WaaS, callback and event servers would not be checked
  ["NODE_TLS_REJECT_UNAUTHORIZED", ["1"]],
  // requests would be printed, tokens included
  ["BUN_CONFIG_VERBOSE_FETCH", ["", "0", "false"]],
])

/** The first such variable in `env`, or undefined. */
export function disarmingVariable(env: Readonly<Record<string, string | undefined>>): string | undefined {
  for (const [name, harmless] of DISARMING) {
    const value = env[name]
    if (value !== undefined && !harmless.includes(value)) return name
  }
  return undefined
}
