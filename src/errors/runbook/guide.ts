/** The shape of a runbook entry: what somebody needs at night beyond the line in the log. */

export interface Guide {
  /** What brings it about, the likeliest first. */
  readonly causes: readonly string[]
  /** How to tell them apart. */
  readonly tell: string
  /** What to do, in this order. */
  readonly act: string
  /** How to know that it is over. */
  readonly over: string
}

export const guide = (causes: readonly string[], tell: string, act: string, over: string): Guide => ({
  causes,
  tell,
  act,
  over,
})
