/** Calls that come together leave the event loop to others in between, unless so much waits that it would fill the memory. */
import { expect, test } from "bun:test"
import { silentLog } from "../../../src/log.ts"
import { createApi } from "../../../src/waas/api/server.ts"
import { spread } from "../../../src/waas/api/spread.ts"
import { ApiFailure } from "../../../src/waas/failure.ts"
import { Rig } from "../../support/waas.ts"
import { newIdentity } from "../../wire/documents.ts"

function spin(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** How many calls of a burst were verified before the event loop did something else. */
async function verifiedAtOnce(calls: number): Promise<number> {
  await using rig = await Rig.open()
  let verified = 0
  let atOnce: number | undefined
  const api = createApi({
    context: rig.context(),
    responseKey: newIdentity(),
    bodyBytes: 8 * 1024 * 1024,
    log: silentLog,
    authenticate: async () => ({
      publicKey: "a",
      async prove() {
        if (verified++ === 0)
          setImmediate(() => {
            atOnce = verified
          })
        spin(3)
        throw new ApiFailure(2024, "signature verification failed")
      },
    }),
  })
  const call = () => api(new Request("http://waas/v2/wallets"))
  await Promise.all(Array.from({ length: calls }, call))
  expect(verified).toBe(calls)
  return atOnce ?? verified
}

test("a burst of small calls does not hold the event loop until all are verified", async () => {
  expect(await verifiedAtOnce(30)).toBeLessThan(10)
})

test("with 16 MiB waiting the next call goes on at once", async () => {
  const inTurn = spread()
  spin(10)
  let isFirstOn = false
  const first = inTurn("x".repeat(15 * 1024 * 1024)).then(() => {
    isFirstOn = true
  })
  await inTurn("x".repeat(2 * 1024 * 1024))
  expect(isFirstOn).toBe(false)
  await first
})
