/** How long two commits are apart, so that tasks at work share them: of the node's database and of WaaS's. */

/** Few tasks have the machine to themselves: each waits for the disk alone. */
const FEW = 4
const MS_EACH = 1.5
/** The longest pause between two commits. */
export const MOST_PAUSE_MS = 20

/**
 * After a commit, with so many sessions at work. Each of them has several steps that wait for a commit, one after another; while
 * they compute in turn, a step that waits a little costs no throughput, and several steps cost one sync.
 */
export const commitPauseMs = (atWork: number): number => (atWork <= FEW ? 0 : Math.min(MOST_PAUSE_MS, atWork * MS_EACH))
