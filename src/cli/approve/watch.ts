/** Watches for waiting tasks: reports each task once while it waits, and asks again if WaaS cannot be reached. */
import { describe, isCode } from "../../errors.ts"
import type { Desk, WaitingTask } from "../../kit/approving/desk.ts"
import { sleep } from "../../sleep.ts"

interface WatchedDesk {
  readonly most: number
  readonly tell: (task: WaitingTask) => void
  readonly note: (text: string) => void
  readonly signal: AbortSignal
  readonly pollMs?: number
}

const POLL_MS = 2_000

/** Returns with the signal. A wrong answer of WaaS ends it. */
export async function watchDesk(desk: Pick<Desk, "waiting">, watched: WatchedDesk): Promise<void> {
  const { most, tell, note, signal, pollMs = POLL_MS } = watched
  let told: ReadonlySet<string> = new Set()
  let lost = ""
  while (!signal.aborted) {
    try {
      const waiting = await desk.waiting(most)
      for (const one of waiting) if (!told.has(one.subject.task)) tell(one)
      told = new Set(waiting.map(({ subject }) => subject.task))
      lost = ""
    } catch (error) {
      if (!isCode(error, "E-WAA-013")) throw error
      if (lost !== error.message) note(`${describe(error)}; it is asked again`)
      lost = error.message
    }
    await sleep(pollMs, signal)
  }
}
