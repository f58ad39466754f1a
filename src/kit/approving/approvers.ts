/**
 * An approvers file: [[approvers]], [[approver_groups]] and [intent] as in the nodes' configuration, in a file of their own, for
 * programs that read, sign and verify elsewhere.
 */
import { readAbis } from "../../config/abiFiles.ts"
import { intentSchema } from "../../policy/intentTable.ts"
import { type Names, namesIn } from "../../policy/names.ts"
import { approverGroupsSchema, approversSchema, peopleIn } from "../../policy/people.ts"
import { parseDocument, readSource } from "../../settings/file.ts"
import { readSettings } from "../../settings/read.ts"
import { tableOf } from "../../settings/schema.ts"

const fileSchema = tableOf("What approvers know.", {
  approvers: approversSchema,
  approver_groups: approverGroupsSchema,
  intent: intentSchema,
})

/** Throws E-CFG-001 to E-CFG-003, and E-CFG-015. */
export function readApprovers(file: string): Names {
  const { value } = readSettings(fileSchema, parseDocument(readSource(file, true), file, fileSchema))
  return namesIn(value.intent, readAbis(value.intent), peopleIn(value.approvers, value.approver_groups))
}
