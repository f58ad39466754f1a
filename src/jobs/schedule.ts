/** Decides when repeated work is due: after its interval, across restarts, and a little later after a failure. */
import { sleep } from "../sleep.ts"

/** A failure is tried again after this, unless the interval is shorter. */
const RETRY_MS = 10 * 60 * 1000

export interface Repeated {
  readonly everyMs: number
  /** When it was last done with success; undefined: never. */
  readonly lastMs: () => number | undefined
  /** True if it succeeded. */
  readonly action: (signal: AbortSignal) => Promise<boolean>
  /** Called with an exception of lastMs or action, which is a failure like any other. */
  readonly failed: (error: unknown) => void
  readonly now: () => number
}

/** Resolves once `signal` has fired and no work runs any more; never rejects. */
export async function repeat({ everyMs, lastMs, action, failed, now }: Repeated, signal: AbortSignal): Promise<void> {
  const retryMs = Math.min(everyMs, RETRY_MS)
  let notBeforeMs = 0
  while (!signal.aborted) {
    try {
      const dueMs = Math.max((lastMs() ?? 0) + everyMs, notBeforeMs)
      if (dueMs > now()) {
        await sleep(dueMs - now(), signal)
        continue
      }
      const isDone = await action(signal)
      notBeforeMs = now() + (isDone ? everyMs : retryMs)
    } catch (error) {
      failed(error)
      await sleep(retryMs, signal)
    }
  }
}
