/**
 * Questions to the status port of the real binary, from many clients at once, on a journal with more ended tasks than the port shows: they
 * cost the main thread nothing. What it does for the port is counted in records that it decrypts, and not in time.
 */
import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { utf8 } from "../../src/bytes.ts"
import { Secret } from "../../src/secret.ts"
import { openStore } from "../../src/store/store.ts"
import { claimOf, REJECT } from "../store/fixtures.ts"
import { makeNode, PASSWORD } from "../support/nodeProcess.ts"
import { readPrometheus } from "./metrics/parsers.ts"

setDefaultTimeout(120_000)

const TASKS = 1_200
const SHOWN = 1_000

/** All tasks at once: their steps share commits. */
async function fill(db: string): Promise<void> {
  using store = openStore(db, Secret.take(utf8(PASSWORD)), { readOnly: false })
  const ends = Array.from({ length: TASKS }, (_, i) => {
    store.journal.claim({ ...claimOf(`task-${i}`), deadlineMs: Date.now() + 60_000, nowMs: Date.now() })
    return store.journal.approve(
      `task-${i}`,
      Date.now(),
      () => ({ verdict: REJECT, debits: [] }),
      () => [],
    )
  })
  await Promise.all(ends)
}

test("loops of GET /tasks make the main thread open no record, and a probe is answered among them", async () => {
  using node = await makeNode()
  await fill(join(node.dir, "db", "secrets.db"))
  node.configure('[status]\nenable = true\nlisten = "127.0.0.1:0"\n')
  await using it = node.start()
  const port = /127\.0\.0\.1:(\d+)/.exec(await it.line(/status port open/))?.[1]
  const url = `http://127.0.0.1:${port}`
  const get = (path: string) => fetch(`${url}${path}`, { keepalive: false, signal: AbortSignal.timeout(10_000) })
  const metric = async (name: string) => {
    const answer = await get("/metrics")
    // beyond its share the reader is told to wait
    if (answer.status !== 200) return undefined
    return readPrometheus(await answer.text()).get(name)?.samples[0]?.value
  }
  const opened = () => metric("cosigner_store_records_opened_total")
  const page = async (skip: number): Promise<readonly string[] | undefined> => {
    const answer = await get(`/tasks?skip=${skip}&limit=1`)
    const { tasks } = (await answer.json()) as { tasks?: readonly { task_id: string }[] }
    return tasks?.map(({ task_id }) => task_id)
  }
  while ((await page(SHOWN - 1))?.length !== 1) await Bun.sleep(200)
  expect(await page(0)).toEqual([`task-${TASKS - 1}`])
  expect(await page(SHOWN)).toEqual([])

  for (const clients of [4, 64]) {
    await Bun.sleep(1_100)
    const before = await opened()
    if (before === undefined) throw new Error("nobody has asked for a second")
    const answers = new Map<number, number>()
    let probes = 0
    const until = performance.now() + 2_000
    const loop = async (path: string) => {
      while (performance.now() < until) {
        const answer = await get(path)
        await answer.arrayBuffer()
        answers.set(answer.status, (answers.get(answer.status) ?? 0) + 1)
      }
    }
    const probe = async () => {
      while (performance.now() < until) {
        expect((await get("/healthz")).status).toBe(200)
        probes += 1
        await Bun.sleep(50)
      }
    }
    await Promise.all([...Array.from({ length: clients }, (_, i) => loop(`/tasks?limit=100&skip=${i}`)), probe()])
    expect(answers.get(200)).toBeGreaterThan(60)
    expect([...answers.keys()].every((status) => status === 200 || status === 429)).toBe(true)
    expect(probes).toBeGreaterThan(5)
    let after = await opened()
    while (after === undefined) {
      await Bun.sleep(200)
      after = await opened()
    }
    expect(after).toBe(before)
  }
})
