/**
 * The runtime flags that build.ts compiles into the binary, and the check at start that they are there (platform.md 2).
 * With them no variable and no file of the working directory can put code into the process: no eval, no preload, no
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
