/**
 * Which of a node's links a frame goes over (formats.md 14.4): a frame about a task goes to the task's home, the replica that last
 * sent task, start or cancel of it. Does no I/O; what it remembers is bounded.
 */
import type { FromNode, ToNode } from "../wire/frames.ts"

/** More than a node has tasks in work, so that homes of tasks that it refused or ended do not push out homes of open ones. */
const MOST_HOMES = 1024

export class Routes<L extends { isOnline(): boolean }> {
  readonly #links: readonly [L, ...L[]]
  readonly #most: number
  /** The home of each task, least recently commanded first. */
  readonly #homes = new Map<string, L>()
  /** The link whose frame is being handled. */
  #speaking: L | undefined
  #turn = 0

  constructor(links: readonly [L, ...L[]], most = MOST_HOMES) {
    this.#links = links
    this.#most = most
  }

  /** While `handle` runs, answers go to `link`, and it becomes the home of the tasks that it commands. */
  hear(link: L, frame: ToNode, handle: () => void): void {
    const before = this.#speaking
    this.#speaking = link
    try {
      handle()
    } finally {
      this.#speaking = before
      // The node sends nothing more about that task, whichever replica owns it.
      if (frame.kind === "outcomeStored") this.#homes.delete(frame.taskId)
    }
  }

  /** The frame being handled is task, start or cancel of this task: its link becomes the task's home. */
  commanded(taskId: string): void {
    if (this.#speaking === undefined) return
    this.#homes.delete(taskId)
    this.#homes.set(taskId, this.#speaking)
    if (this.#homes.size > this.#most) for (const [oldest] of this.#homes) return void this.#homes.delete(oldest)
  }

  /** The links that the frame goes over. Empty for a frame that only connected replicas need, if none is connected. */
  of(frame: FromNode): readonly L[] {
    switch (frame.kind) {
      case "readiness":
        return this.#online()
      case "peer":
        return this.#one()
      case "groups":
        return this.#speaking === undefined ? this.#online() : [this.#speaking]
      case "envelope": {
        // Only the home knows this attempt, so it gets the envelope even while it is away.
        const home = this.#homes.get(frame.taskId)
        return home === undefined ? this.#everywhere() : [home]
      }
      case "report":
      case "later":
      case "awaits": {
        const home = this.#homes.get(frame.taskId)
        return home?.isOnline() === true ? [home] : this.#everywhere(home)
      }
    }
  }

  /** Whether the node repeats over this link what it has to say about the task. */
  concerns(link: L, taskId: string): boolean {
    const home = this.#homes.get(taskId)
    return home === undefined || home === link || !home.isOnline()
  }

  isHome(link: L, taskId: string): boolean {
    return this.#homes.get(taskId) === link
  }

  #online(): readonly L[] {
    return this.#links.filter((link) => link.isOnline())
  }

  /**
   * All links that are up: a replica that does not own the task drops the frame. If none is up, the frame waits at the link of the
   * replica that most likely owns the task.
   */
  #everywhere(home: L = this.#links[0]): readonly L[] {
    const online = this.#online()
    return online.length > 0 ? online : [home]
  }

  /**
   * One link for a peer message: the one that asked, for an answer; otherwise the links take turns, because the receiver may not be
   * connected to every replica that this node is connected to.
   */
  #one(): readonly L[] {
    if (this.#speaking?.isOnline() === true) return [this.#speaking]
    const online = this.#online()
    const link = online[this.#turn++ % Math.max(1, online.length)]
    return link === undefined ? [] : [link]
  }
}
