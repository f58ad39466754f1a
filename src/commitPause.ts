/** How long two commits are apart, so that tasks at work share them: of the node's database and of WaaS's. */

/** So few tasks have the machine to themselves: each waits for the disk alone. */
const FEW = 2
const MS_EACH = 5
/** The longest pause between two commits. */
const MOST_PAUSE_MS = 50

/**
 * After a commit, with so many tasks at work. Each of them has several steps that wait for a commit, one after another; while they
 * compute in turn, a step that waits a little costs no throughput, and several steps cost one sync.
 */
export const commitPauseMs = (atWork: number): number => Math.min(Math.max(atWork - FEW, 0) * MS_EACH, MOST_PAUSE_MS)
