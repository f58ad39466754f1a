import { expect, test } from "bun:test"
import { createHistory, INTERVAL_MS, POINTS } from "../../../src/ops/port/history.ts"

const START = 1_795_000_000_000 - (1_795_000_000_000 % INTERVAL_MS)

test("points have the rates and the quantiles of their interval", () => {
  const history = createHistory()
  for (let ms = 1; ms <= 100; ms++) history.ended("completed", ms, START + ms)
  history.ended("rejected", undefined, START + INTERVAL_MS - 1)
  history.ended("failed", undefined, START + INTERVAL_MS)
  expect(history.document(START + INTERVAL_MS).points).toEqual([
    { at_ms: START, completed: 100, rejected: 1, failed: 0, p50_ms: 51, p95_ms: 96 },
    { at_ms: START + INTERVAL_MS, completed: 0, rejected: 0, failed: 1, p50_ms: null, p95_ms: null },
  ])
})

test("the window's quantiles are of all its signatures, and not of the newest point", () => {
  const history = createHistory()
  for (let ms = 1; ms <= 100; ms++) history.ended("completed", 1_000, START + ms)
  history.ended("completed", 1, START + INTERVAL_MS)
  const { window, points } = history.document(START + INTERVAL_MS)
  expect(points.at(-1)).toMatchObject({ p50_ms: 1, p95_ms: 1 })
  expect(window).toEqual({ p50_ms: 1_000, p95_ms: 1_000 })
  expect(createHistory().document(START).window).toEqual({ p50_ms: null, p95_ms: null })
})

test("memory is bounded, and what is old is gone", () => {
  const history = createHistory()
  for (let i = 0; i < 5 * POINTS; i++) history.ended("completed", 1, START + i * INTERVAL_MS)
  for (let i = 0; i < 10_000; i++) history.ended("completed", 1, START + 5 * POINTS * INTERVAL_MS)
  const last = START + 5 * POINTS * INTERVAL_MS
  expect(history.document(last).points).toHaveLength(POINTS)
  expect(history.document(last + POINTS * INTERVAL_MS).points).toEqual([])
})

test("a clock that is set back does not mix up the order", () => {
  const history = createHistory()
  history.ended("completed", 1, START + INTERVAL_MS)
  history.ended("completed", 1, START)
  expect(history.document(START + INTERVAL_MS).points).toMatchObject([{ at_ms: START + INTERVAL_MS, completed: 2 }])
})
