/** What of readiness reaches WaaS: once per connection and change, by the items that matter to it. */
import { expect, test } from "bun:test"
import { CosignerError } from "../../../src/errors.ts"
import { tellReadiness } from "../../../src/ops/readiness/told.ts"
import type { ReadinessItem } from "../../../src/ops/readiness/watch.ts"
import type { Readiness } from "../../../src/wire/frames.ts"

const item = (name: string, state: ReadinessItem["state"] = "ok", code = ""): ReadinessItem => ({
  name,
  state,
  reason: `${name} is ${state}`,
  code,
  next: "",
  sinceMs: 0,
  checkedMs: 0,
})

test("what is new is told once, after each connection again, and never while the link is down", () => {
  const told: Readiness[] = []
  const link = { phase: "online", connections: 1 }
  let asked = 0
  const problem = new CosignerError("E-TSK-040", { groupId: "g" })
  const { look } = tellReadiness({
    link: () => link,
    open: () => 3,
    most: 256,
    groups: () => {
      asked++
      return [
        {
          groupId: "g",
          signable: [
            { algorithm: "ecdsa", ready: false, problem },
            { algorithm: "bip340", ready: true, problem: undefined },
          ],
          refresh: undefined,
        },
      ]
    },
    tell: (frame) => void told.push(frame),
  })
  const good = ["store", "link", "clock", "workers", "groups"].map((name) => item(name))
  look(good)
  look(good)
  expect(told).toEqual([{ kind: "readiness", code: "", reason: "", open: 3, most: 256, blocked: [], refresh: [] }])
  expect(asked).toBe(0)
  // A share that was not proven lately signs all the same.
  look([...good, item("proof", "failed", "E-STA-016")])
  expect(told.length).toBe(1)
  const full = [item("store", "failed", "E-STA-010"), ...good.slice(1)]
  link.phase = "waiting"
  look(full)
  expect(told.length).toBe(1)
  link.phase = "online"
  look(full)
  expect(told.at(-1)).toMatchObject({ code: "E-STA-010", reason: "store is failed" })
  look([...good.slice(0, 4), item("groups", "failed", "E-STA-018")])
  expect(told.at(-1)).toMatchObject({ code: "", blocked: [{ groupId: "g", algorithm: "ecdsa", code: "E-TSK-040" }] })
  look(good)
  expect(told.length).toBe(4)
  link.connections = 2
  look(good)
  expect(told.length).toBe(5)
  look([item("workers", "waiting"), ...good.slice(0, 3)])
  expect(told.at(-1)?.code).toBe("E-TSK-048")
})

test("a group whose refresh is due is told while it still signs, and when that is over", () => {
  const told: Readiness[] = []
  let isDue = true
  const { look } = tellReadiness({
    link: () => ({ phase: "online", connections: 1 }),
    open: () => 0,
    most: 256,
    groups: () => {
      const due = isDue ? new CosignerError("E-TSK-050", { groupId: "g", count: 4 }) : undefined
      const signable = [{ algorithm: "ecdsa", ready: true, problem: undefined }] as const
      return [
        { groupId: "g", signable, refresh: due },
        { groupId: "h", signable, refresh: undefined },
      ]
    },
    tell: (frame) => void told.push(frame),
  })
  look([item("groups", "ok", "E-TSK-050")])
  look([item("groups", "ok", "E-TSK-050")])
  expect(told).toEqual([{ kind: "readiness", code: "", reason: "", open: 0, most: 256, blocked: [], refresh: ["g"] }])
  isDue = false
  look([item("groups")])
  expect(told.at(-1)).toMatchObject({ refresh: [] })
})
