/** What every error code knows about itself; the catalogue files beside this one hold the codes, one file per area. */

/** fault: disk, network, clock, may be retried. input: the person or program that called us. bug: a broken invariant. */
export type ErrorKind = "fault" | "input" | "bug"

/** Exit codes of the binary. 1 also answers usage errors, as scripts around such nodes expect. */
export const EXIT = { ok: 0, failure: 1, config: 2, secrets: 3, network: 4, refused: 5, bug: 70 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/**
 * One code. `what` says what happened and why, in one sentence without a final full stop; `next` what to type or do.
 * Neither ever contains a secret: the data of a code is public by construction.
 */
export interface CodeEntry<D> {
  readonly kind: ErrorKind
  readonly exit: ExitCode
  readonly what: (data: D) => string
  readonly next: string
}

export const entry = <D = Record<never, never>>(entry: CodeEntry<D>): CodeEntry<D> => entry
