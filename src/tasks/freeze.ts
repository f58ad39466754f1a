/**
 * What a freeze is, and what it keeps from happening: while a node or a group is frozen nothing is approved, nothing begins, and
 * no message of a session leaves but its abort. That a freeze is kept, and when it ends, is the store's (store/freezes.ts).
 */
import { CosignerError } from "../errors.ts"
import type { Task } from "../wire/task.ts"
import { type Refusal, refusalOf } from "./plan.ts"

export interface Freeze {
  /** Empty: the whole node, key generation included. */
  readonly groupId: string
  readonly sinceMs: number
  /** Undefined: until somebody lifts it. */
  readonly end: WaitEnd | undefined
  /** For people; told to nobody but this host. */
  readonly reason: string
  /** Who froze: `host`, or the name of an approver. */
  readonly by: string
}

/** The end of a wait that no clock can shorten: both must have come. */
export interface WaitEnd {
  /** Wall clock, ms since 1970. */
  readonly atMs: number
  /** Time in service of this node, ms (store/serviceTime.ts). */
  readonly servedMs: number
}

export const hasEnded = ({ atMs, servedMs }: WaitEnd, nowMs: number, served: number): boolean =>
  nowMs >= atMs && served >= servedMs

export interface FreezePort {
  /** The freeze that one of these groups is under, the node's own first; undefined: none. */
  over(groupIds: readonly string[]): Freeze | undefined
}

/** The groups that a task would use the key of, or make. */
export function groupsOf(task: Task): readonly string[] {
  switch (task.type) {
    case "KeyGen":
    case "KeySign":
      return [task.group_id]
    case "KeyReshare":
      return [task.old_group_id, task.new_group_id]
    case "KeyShareSign":
      return task.details.map(({ group_id }) => group_id)
  }
}

/** E-FRZ-001, in words that WaaS may have: who froze, and why, are this host's. */
export const frozenError = ({ groupId, end }: Freeze): CosignerError =>
  new CosignerError("E-FRZ-001", { groupId, untilMs: end?.atMs })

export function freezeRefusal(task: Task, { freezes }: { readonly freezes: FreezePort }): Refusal | undefined {
  const freeze = freezes.over(groupsOf(task))
  return freeze && refusalOf(frozenError(freeze))
}
