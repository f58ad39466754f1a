/** Tasks that wait to be asked for: in order within a vault, and the vaults take turns, so that a long queue delays its own vault. */

/** How many vaults in a row may have to wait before the round is broken off; the next one goes on behind them. */
const MOST_WAITING = 32

export class FairQueue {
  /** In the order of their turns. */
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
   * Offers the first of each vault in turn: "taken" and "gone" leave the queue, "waits" stays at the head of its vault. Ends when
   * `most` were taken, or when everybody has to wait.
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
      // To the end of the round.
      this.#vaults.delete(vaultId)
      if (answer !== "waits") waiting.shift()
      if (waiting.length > 0) this.#vaults.set(vaultId, waiting)
      if (answer === "taken") taken++
      waited = answer === "waits" ? waited + 1 : 0
    }
  }
}
