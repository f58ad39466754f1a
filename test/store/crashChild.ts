/**
 * A process that commits as fast as it can and says so after each commit: `<step> <generation>`. It is killed by the test,
 * or ends at a disk that is full. Arguments: file, first step, and for how many bytes of OT state a group has.
 */
import { writeSync } from "node:fs"
import { CosignerError } from "../../src/errors.ts"
import { openStore, type Store } from "../../src/store/store.ts"
import { APPROVE, bytesOf, claimOf, groupNo, groupSecret, password, sessionOf, still } from "./fixtures.ts"

export const STEPS = 7

/** Step s works on task floor(s / 7); each step is one commit. */
export function step(store: Store, s: number, otBytes: number): void {
  const n = Math.floor(s / STEPS)
  const taskId = `t${n}`
  const acts = [
    () => store.tasks.claim(claimOf(taskId)),
    () =>
      store.tasks.approve(
        taskId,
        s,
        () => ({ verdict: APPROVE, debits: [{ counter: "all", amount: 1 }] }),
        () => [{ eventId: taskId, eventType: "e", createdMs: 1, body: taskId }],
      ),
    () => store.tasks.startSession(sessionOf(taskId, 1), s, still),
    () => store.tasks.emitted(taskId, bytesOf(n), s),
    () => store.tasks.endSession(sessionOf(taskId, 1).sid, "done", s, []),
    () => store.groups.prepare(groupNo(taskId, 0), groupSecret(0, otBytes)),
    () => store.tasks.finish(taskId, { state: "failed", code: "E-TSK-020", reason: taskId }, s, []),
  ]
  acts[s % STEPS]?.()
}

if (import.meta.main) {
  const [path = "", first = "0", otBytes = "0"] = process.argv.slice(2)
  try {
    const store = openStore(path, password(), { readOnly: false })
    store.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
    writeSync(1, `open ${store.generation}\n`)
    for (let s = Number(first); ; s++) {
      step(store, s, Number(otBytes))
      writeSync(1, `${s} ${store.generation}\n`)
    }
  } catch (error) {
    writeSync(1, `error ${error instanceof CosignerError ? error.code : String(error)}\n`)
    process.exit(3)
  }
}
