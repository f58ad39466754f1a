/** Callers whose request another replica works on, at a WaaS that keeps nobody waiting. */
import { expect, test } from "bun:test"
import { RequestEndings } from "../../../src/waas/engine/endings.ts"
import { Errands } from "../../../src/waas/engine/errands.ts"
import type { LiveTasks } from "../../../src/waas/engine/liveTasks.ts"
import type { SignRequest } from "../../../src/waas/store/model.ts"
import type { SharedStore } from "../../../src/waas/store/shared.ts"
import type { WaasStore } from "../../../src/waas/store/store.ts"

test("a caller that may not wait for the end pauses between its looks into the store", async () => {
  const endings = new RequestEndings()
  endings.close()
  const parts: ConstructorParameters<typeof Errands>[0] = {
    shared: { leaveErrand: async () => true } as unknown as SharedStore,
    store: {} as WaasStore,
    live: { worksOn: () => false } as unknown as LiveTasks,
    endings,
    versions: () => expect.unreachable(),
    durably: (work) => work(),
  }
  const request = { signRequestId: "r", status: "Processing", taskIds: ["r"] } as unknown as SignRequest
  const ended: SignRequest = { ...request, status: "Canceled", code: "E-WAA-021" }
  let looks = 0
  let hasTurned = false
  const find = async (): Promise<SignRequest> => {
    // The second look is the first while it waits.
    if (++looks === 2)
      setImmediate(() => {
        hasTurned = true
      })
    return hasTurned ? ended : request
  }
  expect(await new Errands(parts).cancelled("r", find)).toBe(ended)
  expect(looks).toBeLessThan(5)
})
