/** Deadlines as a node keeps them: by the wall clock, and gone with what they were for. */
import { afterEach, expect, jest, setSystemTime, test } from "bun:test"
import { alarmAt } from "../../src/ops/alarm.ts"

afterEach(() => {
  jest.useRealTimers()
  setSystemTime()
})

test("an alarm fires at its moment, and one whose moment has passed has fired already", async () => {
  expect(alarmAt(Date.now()).signal.aborted).toBe(true)
  expect(alarmAt(Date.now() - 1).signal.aborted).toBe(true)
  const { signal } = alarmAt(Date.now() + 20)
  expect(signal.aborted).toBe(false)
  await new Promise((resolve) => signal.addEventListener("abort", resolve))
})

test("an alarm that is disposed never fires", async () => {
  const { signal } = (() => {
    using alarm = alarmAt(Date.now() + 5)
    return alarm
  })()
  await Bun.sleep(20)
  expect(signal.aborted).toBe(false)
})

test("a deadline beyond what a timer can hold does not fire early", () => {
  jest.useFakeTimers({ now: 0 })
  const dayMs = 24 * 3_600_000
  using alarm = alarmAt(50 * dayMs)
  for (let day = 0; day < 50; day++) {
    expect(alarm.signal.aborted).toBe(false)
    jest.advanceTimersByTime(dayMs)
  }
  expect(alarm.signal.aborted).toBe(true)
})

test("a clock that is set back does not put the deadline off", async () => {
  using alarm = alarmAt(Date.now() + 50)
  const { promise, resolve } = Promise.withResolvers<void>()
  alarm.signal.addEventListener("abort", () => resolve())
  setSystemTime(new Date(Date.now() - 3_600_000))
  await promise
  expect(alarm.signal.aborted).toBe(true)
})

test("a clock that jumps past the deadline fires it soon", () => {
  jest.useFakeTimers({ now: 0 })
  using alarm = alarmAt(3_600_000)
  jest.setSystemTime(7_200_000)
  jest.advanceTimersByTime(30_000)
  expect(alarm.signal.aborted).toBe(true)
})
