/** sleep: ended by time or by the signal, never by an exception. */
import { expect, test } from "bun:test"
import { sleep } from "../src/sleep.ts"

test("ends with its time", async () => {
  const startMs = performance.now()
  await sleep(20, new AbortController().signal)
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(18)
})

test("ends with the signal, before or during", async () => {
  const abort = new AbortController()
  const sleeping = sleep(2 ** 40, abort.signal)
  abort.abort("because")
  await sleeping
  await sleep(60_000, abort.signal)
})

test("a time that no timer holds is long, not none", async () => {
  const abort = new AbortController()
  let isOver = false
  const sleeping = sleep(2 ** 40, abort.signal).then(() => {
    isOver = true
  })
  await sleep(20, new AbortController().signal)
  expect(isOver).toBe(false)
  abort.abort()
  await sleeping
})
