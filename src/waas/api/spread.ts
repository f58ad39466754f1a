/**
 * Spreads calls over turns of the event loop. The runtime hands over at once all calls that have come, and thousands of them would keep
 * the links to nodes waiting.
 */
import { Turns } from "../engine/turns.ts"

/** Bodies of so many characters wait at most: strangers must not be able to fill the memory. Beyond it a call goes on at once. */
const MOST_WAITING = 16 * 1024 * 1024

/** Resolves when the call with this body may go on, in the order of the calls. */
export function spread(): (body: string) => Promise<void> {
  const turns = new Turns()
  let waiting = 0
  return async ({ length }) => {
    if (waiting + length > MOST_WAITING) return
    waiting += length
    await turns.turn()
    waiting -= length
  }
}
