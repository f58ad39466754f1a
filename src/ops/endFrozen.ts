/** What a freeze ends at once. */
import type { Link } from "../link/link.ts"
import { isAbort } from "../mpc/envelope.ts"
import type { Store } from "../store/store.ts"
import { groupsOf } from "../tasks/freeze.ts"
import type { TaskRunner } from "../tasks/runner.ts"
import { decodeRecordedTask } from "../wire/task.ts"

/** What runs under a freeze ends, and what of it waits to be sent is taken back. */
export function endFrozen(store: Store, tasks: TaskRunner, link: Link | undefined): void {
  tasks.frozen()
  link?.withdraw(({ taskId, envelope }) => {
    const record = store.journal.get(taskId)
    const task = record === undefined ? undefined : decodeRecordedTask(record.document)
    const isFrozen = task === undefined || "problem" in task || store.freezes.over(groupsOf(task)) !== undefined
    return isFrozen && !isAbort(envelope)
  })
}
