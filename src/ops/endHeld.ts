/** Ends what a freeze, or a log in doubt, forbids: running attempts, and their messages that still wait to be sent. */
import type { Link } from "../link/link.ts"
import { isAbort } from "../mpc/envelope.ts"
import type { Store } from "../store/store.ts"
import { groupsOf } from "../tasks/freeze.ts"
import type { TaskRunner } from "../tasks/runner.ts"
import { decodeRecordedTask } from "../wire/task.ts"

export function endHeld(store: Store, tasks: TaskRunner, link: Link | undefined): void {
  tasks.frozen()
  link?.withdraw(({ taskId, envelope }) => {
    const record = store.journal.get(taskId)
    const task = record === undefined ? undefined : decodeRecordedTask(record.document)
    const isHeld =
      task === undefined ||
      "problem" in task ||
      store.freezes.over(groupsOf(task)) !== undefined ||
      store.witnessing.doubt !== undefined
    return isHeld && !isAbort(envelope)
  })
}
