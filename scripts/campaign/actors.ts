/** The processes of a campaign by their names: how they are ended, and stopped for a while. */
import type { Actor } from "../../src/kit/demo/processes.ts"

export class Actors {
  readonly #byName = new Map<string, Actor>()

  add(actor: Actor): void {
    this.#byName.set(actor.name, actor)
  }

  get(name: string): Actor | undefined {
    return this.#byName.get(name)
  }

  async end(name: string, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    await this.#byName.get(name)?.end(signal)
  }

  /** In the order of their names: nodes before WaaS. */
  async endAll(): Promise<void> {
    const names = [...this.#byName.keys()].sort((a, b) => a.localeCompare(b))
    for (const name of names) await this.end(name, "SIGTERM")
  }

  /** Stopped for so long, its connections open. */
  async pause(name: string, ms: number): Promise<void> {
    const pid = this.get(name)?.pid
    if (pid === undefined) return
    process.kill(pid, "SIGSTOP")
    await Bun.sleep(ms)
    process.kill(pid, "SIGCONT")
  }
}
