/** A burst of messages is handled in order, over as many turns of the event loop as it needs, and within a bound of memory. */
import { expect, test } from "bun:test"
import { Incoming } from "../../src/link/incoming.ts"

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Each message takes 5 ms of a clock that only messages move. */
function burst() {
  let nowMs = 0
  const handled: number[] = []
  const incoming = new Incoming<number>(
    (message) => {
      nowMs += 5
      handled.push(message)
    },
    () => nowMs,
  )
  return { incoming, handled }
}

test("a burst leaves the event loop to others every 8 ms, and keeps its order", async () => {
  const { incoming, handled } = burst()
  for (let message = 1; message <= 5; message++) incoming.take(message, 100)
  expect(handled).toEqual([1, 2])
  await nextTurn()
  expect(handled).toEqual([1, 2, 3, 4])
  incoming.take(6, 100)
  expect(handled).toEqual([1, 2, 3, 4])
  await nextTurn()
  expect(handled).toEqual([1, 2, 3, 4, 5, 6])
})

test("one at a time is handled at once, turn after turn", async () => {
  const { incoming, handled } = burst()
  for (let message = 1; message <= 3; message++) {
    incoming.take(message, 100)
    expect(handled.at(-1)).toBe(message)
    await nextTurn()
  }
})

test("no more than 4 MiB wait: the oldest are handled at once", () => {
  const { incoming, handled } = burst()
  for (let message = 1; message <= 10; message++) incoming.take(message, 1024 * 1024)
  expect(handled).toEqual([1, 2, 3, 4, 5, 6])
})

test("before the connection's end is told, what waits is handled; after a close nothing is", async () => {
  const ended = burst()
  for (let message = 1; message <= 4; message++) ended.incoming.take(message, 100)
  ended.incoming.finish()
  expect(ended.handled).toEqual([1, 2, 3, 4])
  const closed = burst()
  for (let message = 1; message <= 4; message++) closed.incoming.take(message, 100)
  closed.incoming.close()
  await nextTurn()
  expect(closed.handled).toEqual([1, 2])
})
