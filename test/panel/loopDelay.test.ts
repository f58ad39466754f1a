/** How late the main thread is: what is measured is what happened, and each window begins anew. */
import { expect, test } from "bun:test"
import { type DelayMeter, delayMeter } from "../../src/panel/loopDelay.ts"

const STALL_MS = 200

function standStill(): void {
  for (const end = performance.now() + STALL_MS; performance.now() < end; );
}

/** Of one window. */
const most = (meter: DelayMeter): number => Math.max(...Array.from({ length: 10 }, () => meter.read().maxMs))

test("a thread that stood still is told in the window in which it did, and in no other one", async () => {
  const meter = delayMeter()
  try {
    expect(meter.last()).toEqual({ p50Ms: 0, p99Ms: 0, maxMs: 0 })
    // It is told by a timer of its own, for the first time of nothing.
    while (most(meter) === 0) await Bun.sleep(1)
    standStill()
    while (most(meter) < STALL_MS / 2) await Bun.sleep(1)
    expect(meter.last().p99Ms).toBeGreaterThan(STALL_MS / 2)
    // Nothing was measured since.
    most(meter)
    expect(meter.last()).toEqual({ p50Ms: 0, p99Ms: 0, maxMs: 0 })
  } finally {
    meter.stop()
  }
})
