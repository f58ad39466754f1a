/**
 * Who asked for a task, for conditions on `initiators`. If the node knows approvers, they are the people whose signed request it
 * verified. If it knows none, it is extra_info.transaction.initiator, which WaaS states without proof.
 */
import type { People, Presented } from "./people.ts"

export function initiatorsOf(
  extraInfo: Readonly<Record<string, unknown>>,
  { approvers }: People,
  { requestedBy }: Presented,
): readonly string[] {
  if (approvers.size > 0) return [...requestedBy].toSorted()
  const stated = statedInitiator(extraInfo)
  return stated === undefined ? [] : [stated]
}

/** The initiator that WaaS states. */
export function statedInitiator({ transaction }: Readonly<Record<string, unknown>>): string | undefined {
  const initiator: unknown =
    typeof transaction === "object" && transaction !== null ? Reflect.get(transaction, "initiator") : undefined
  return typeof initiator === "string" && initiator !== "" ? initiator : undefined
}

/** Whether `initiators` decides here and nobody has signed yet: then the task waits for that statement instead of being refused. */
export const awaitsInitiator = (
  entries: readonly { readonly initiators?: unknown }[],
  { approvers }: People,
  { requestedBy }: Presented,
): boolean => approvers.size > 0 && requestedBy.size === 0 && entries.some(({ initiators }) => initiators !== undefined)
