/** A process whose tasks take their steps eight at a time; says of each step that is durable which it was. Killed by the test. */
import { writeSync } from "node:fs"
import { openStore } from "../../src/store/store.ts"
import { APPROVE, bytesOf, claimOf, password, sessionOf, still } from "./fixtures.ts"

const [path = "", name = ""] = process.argv.slice(2)
const store = openStore(path, password(), { readOnly: false })
const { journal } = store

async function together(
  tasks: readonly string[],
  state: string,
  step: (task: string) => Promise<unknown>,
): Promise<void> {
  await Promise.all(tasks.map((task) => step(task).then(() => writeSync(1, `${task} ${state}\n`))))
}

for (let round = 0; ; round++) {
  const tasks = Array.from({ length: 8 }, (_, n) => `${name}/${round}/${n}`)
  for (const task of tasks) journal.claim(claimOf(task))
  const decision = { verdict: APPROVE, debits: [{ counter: "c", amount: 1 }] }
  await together(tasks, "approved", (task) =>
    journal.approve(
      task,
      1,
      () => decision,
      () => [],
    ),
  )
  await together(tasks, "running", (task) => journal.startSession(sessionOf(task, 1), 1, still))
  await together(tasks, "emitted", (task) => journal.emitted(task, bytesOf(1), 1))
  await together(tasks, "completed", (task) =>
    journal.finish(
      task,
      { state: "completed", outcome: { type: "signatures", signatures: [] } },
      1,
      [],
      sessionOf(task, 1).sid,
    ),
  )
}
