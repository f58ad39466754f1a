/** How long two commits are apart, so that tasks at work share them: of the node's database and of WaaS's. */

/** Few tasks have the machine to themselves: each waits for the disk alone. */
const FEW = 4
const MS_EACH = 4
/** The longest pause between two commits. */
const MOST_PAUSE_MS = 40

/**
 * After a commit, with so many sessions at work. Each of them has several steps that wait for a commit, one after another; while
 * they compute in turn, a step that waits a little costs no throughput, and several steps cost one sync.
 */
export const commitPauseMs = (atWork: number): number => Math.min(Math.max(atWork - FEW, 0) * MS_EACH, MOST_PAUSE_MS)
