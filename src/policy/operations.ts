/**
 * [[operation_approvals]]: operations of the host, other than signing, that people must order first (approvals.md 7). A group name
 * without a group can order nothing: the operation is refused until somebody corrects the name.
 */
import { type StaticDecode, Type } from "@sinclair/typebox"
import { MAX_OPERATION_ORDERS } from "../approvals/orderLimits.ts"
import type { DeepReadonly } from "../settings/read.ts"
import { entryOf, listOf, oneOf, requiredInteger, word } from "../settings/schema.ts"

const OPERATIONS = ["export_share", "restore"] as const

const entry = entryOf("People who must order an operation before this host does it.", {
  for: Type.Array(oneOf(OPERATIONS, undefined, "An operation."), {
    minItems: 1,
    maxItems: OPERATIONS.length,
    uniqueItems: true,
    example: ["export_share", "restore"],
    description: "`export_share`: cosigner export-share. `restore`: cosigner backup restore.",
    expected: 'a list of "export_share", "restore"',
  }),
  group: word("treasury", "A name of [[approver_groups]]."),
  min: requiredInteger(1, MAX_OPERATION_ORDERS, 2, "How many different members of the group must order it."),
})

export type OperationEntry = DeepReadonly<StaticDecode<typeof entry>>

export const operationApprovalsSchema = listOf(entry, {
  description:
    "Operations of the host that need signed orders of people. They bind the command and the running node. Anybody who has the database and its password can read it with another program.",
  expected: "a list of at most 16 tables",
  maxItems: 16,
})
