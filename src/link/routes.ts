/**
 * Which of a node's links a frame goes by (formats.md 14.3): what is said of a task goes to its home, the replica that last commanded
 * something about it. Pure but for what it remembers, which is bounded.
 */
import type { FromNode, ToNode } from "../wire/frames.ts"

/** Above the tasks that a node has in work, so that those that it refused or ended push no home of theirs out. */
const MOST_HOMES = 1024

export class Routes<L extends { isOnline(): boolean }> {
  readonly #links: readonly [L, ...L[]]
  readonly #most: number
  /** Least lately commanded first. */
  readonly #homes = new Map<string, L>()
  /** Whose frame is being handled. */
  #speaking: L | undefined
  #turn = 0

  constructor(links: readonly [L, ...L[]], most = MOST_HOMES) {
    this.#links = links
    this.#most = most
  }

  /** While `handle` runs, `link` is the one that speaks: it is what is answered, and the home of what it commands. */
  hear(link: L, frame: ToNode, handle: () => void): void {
    const before = this.#speaking
    this.#speaking = link
    try {
      handle()
    } finally {
      this.#speaking = before
      // Nothing more is said of that task, whoever has it.
      if (frame.kind === "outcomeStored") this.#homes.delete(frame.taskId)
    }
  }

  /** The link that speaks has said task, start or cancel of it. */
  commanded(taskId: string): void {
    if (this.#speaking === undefined) return
    this.#homes.delete(taskId)
    this.#homes.set(taskId, this.#speaking)
    if (this.#homes.size > this.#most) for (const [oldest] of this.#homes) return void this.#homes.delete(oldest)
  }

  /** Empty: what is for whoever is there now, and nobody is. */
  of(frame: FromNode): readonly L[] {
    switch (frame.kind) {
      case "readiness":
        return this.#online()
      case "peer":
        return this.#one()
      case "groups":
        return this.#speaking === undefined ? this.#online() : [this.#speaking]
      case "envelope": {
        // Of no use anywhere else: only the home knows of that attempt.
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

  /** Whether what is to be said of a task again goes by this link. */
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

  /** A replica that does not own a task drops what is said of it. Without any, it waits for the one that is likely to. */
  #everywhere(home: L = this.#links[0]): readonly L[] {
    const online = this.#online()
    return online.length > 0 ? online : [home]
  }

  /** An answer goes where the question came from; the rest by turns, since a peer may have lost a replica that this node has. */
  #one(): readonly L[] {
    if (this.#speaking?.isOnline() === true) return [this.#speaking]
    const online = this.#online()
    const link = online[this.#turn++ % Math.max(1, online.length)]
    return link === undefined ? [] : [link]
  }
}
