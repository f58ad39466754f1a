/** Tasks that nodes are to be asked for: in order within a vault, and the vaults take turns, so a long queue delays only its own vault. */

/** After so many vaults in a row that have to wait, a round ends; the next round begins with the vault after them. */
const MOST_WAITING = 32

export class FairQueue {
  /** The tasks of each vault, by vault id, in the order of the vaults' turns. */
  readonly #vaults = new Map<string, string[]>()

  get size(): number {
    return [...this.#vaults.values()].reduce((sum, { length }) => sum + length, 0)
  }

  add(vaultId: string, taskId: string): void {
    const waiting = this.#vaults.get(vaultId)
    if (waiting === undefined) this.#vaults.set(vaultId, [taskId])
    else waiting.push(taskId)
  }

  /**
   * Offers the first task of each vault in turn. A task that is "taken" or "gone" leaves the queue; one that "waits" stays the first of
   * its vault. Ends when `most` tasks were taken, or when all vaults (at most MOST_WAITING in a row) have to wait.
   */
  async serve(most: number, offer: (taskId: string) => Promise<"taken" | "gone" | "waits">): Promise<void> {
    let taken = 0
    let waited = 0
    while (taken < most && waited < Math.min(this.#vaults.size, MOST_WAITING)) {
      const [next] = this.#vaults
      if (next === undefined) return
      const [vaultId, waiting] = next
      const [taskId] = waiting
      const answer = taskId === undefined ? "gone" : await offer(taskId)
      // The vault's next turn comes after all others.
      this.#vaults.delete(vaultId)
      if (answer !== "waits") waiting.shift()
      if (waiting.length > 0) this.#vaults.set(vaultId, waiting)
      if (answer === "taken") taken++
      waited = answer === "waits" ? waited + 1 : 0
    }
  }
}
