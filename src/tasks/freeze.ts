/**
 * Defines a freeze and its effect: while a node or a group is frozen, nothing is approved, nothing begins, and no message of a session
 * leaves except its abort. store/freezes.ts stores freezes and ends them.
 */
import { CosignerError } from "../errors.ts"
import type { Task } from "../wire/task.ts"
import { type Refusal, refusalOf } from "./plan.ts"

export interface Freeze {
  /** Empty for the whole node, key generation included. */
  readonly groupId: string
  readonly sinceMs: number
  /** Undefined if only a lifting ends it. */
  readonly end: WaitEnd | undefined
  /** For people on this host; told to nobody else. */
  readonly reason: string
  /** Who froze it: `host`, or the name of an approver. */
  readonly by: string
}

/** The end of a wait by two clocks. Both must have passed, so a jump of one cannot shorten the wait. */
export interface WaitEnd {
  /** Wall clock, ms since 1970. */
  readonly atMs: number
  /** Time in service of this node, ms (store/serviceTime.ts). */
  readonly servedMs: number
}

export const hasEnded = ({ atMs, servedMs }: WaitEnd, nowMs: number, served: number): boolean =>
  nowMs >= atMs && served >= servedMs

export interface FreezePort {
  /** A freeze of the node or of one of these groups, the node's own first; undefined if there is none. */
  over(groupIds: readonly string[]): Freeze | undefined
}

/** The groups whose key a task would use or make. */
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

/** E-FRZ-001 in words that WaaS may read: without who froze, and why. */
export const frozenError = ({ groupId, end }: Freeze): CosignerError =>
  new CosignerError("E-FRZ-001", { groupId, untilMs: end?.atMs })

export function freezeRefusal(task: Task, { freezes }: { readonly freezes: FreezePort }): Refusal | undefined {
  const freeze = freezes.over(groupsOf(task))
  return freeze && refusalOf(frozenError(freeze))
}
