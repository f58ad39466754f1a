import { expect, test } from "bun:test"
import { silentLog } from "../../src/log.ts"
import { forget, KEEP_DAYS } from "../../src/upkeep/journal.ts"
import { claimOf, Folder } from "../store/fixtures.ts"

const DAY_MS = 86_400_000

test("tasks that ended long ago are forgotten, all of them, and later ones stay", async () => {
  using folder = new Folder()
  using store = folder.create()
  const end = (taskId: string, atMs: number, isDelivered = true) => {
    store.tasks.claim({ ...claimOf(taskId, { deadlineMs: atMs }), nowMs: atMs })
    store.tasks.finish(taskId, { state: "failed", code: "E-TSK-004", reason: "" }, atMs, [])
    if (isDelivered) store.tasks.delivered(taskId)
  }
  for (let n = 0; n < 501; n++) end(`old-${n}`, n)
  end("undelivered", 1, false)
  end("young", 10 * DAY_MS)
  const now = () => (KEEP_DAYS + 35) * DAY_MS
  expect(await forget({ tasks: store.tasks, now, log: silentLog }, new AbortController().signal)).toBe(true)
  expect(store.tasks.list({ limit: 9 }).map(({ taskId }) => taskId)).toEqual(["young", "undelivered"])
}, 30_000)

test("a store that cannot write is told, and the node goes on", async () => {
  const said: string[] = []
  const log = { ...silentLog, error: (message: string) => void said.push(message) }
  const tasks = {
    prune: () => {
      throw new Error("the disk is full")
    },
  }
  expect(await forget({ tasks, now: Date.now, log }, new AbortController().signal)).toBe(false)
  expect(said.length).toBe(1)
})
