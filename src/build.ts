/** What this program was built from. build.ts at the root defines COSIGNER_BUILD; a run from source has none. */

interface Build {
  /** `v0.1.0` */
  readonly version: string
  /** compiled: the binary, which must be locked down. source: run by bun while developing. */
  readonly mode: "compiled" | "source"
  readonly commit: string
  /** `20260112T111204`, UTC: the time of the commit, so that a build can be repeated. */
  readonly time: string
}

declare const COSIGNER_BUILD: Build | undefined

export const build: Build =
  typeof COSIGNER_BUILD === "undefined"
    ? { version: "v0.0.0-source", mode: "source", commit: "unknown", time: "unknown" }
    : COSIGNER_BUILD
