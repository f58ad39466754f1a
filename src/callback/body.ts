/**
 * The body of a request to a callback server: TSSCallbackRequest, versions 1 and 2 (formats.md 1.3, 1.7, 1.8, 1.10). All
 * four fields are always present; details and extra_info are JSON texts and never empty, because some servers crash otherwise.
 */
import { signedJson } from "../approvals/json.ts"
import { secondsText } from "../approvals/statement.ts"
import type { Word } from "../approvals/word.ts"
import { type Intents, intentsJson, NO_INTENTS, taskIntentHash } from "../tasks/intents.ts"
import { REQUEST_TYPES, requestDetail } from "../wire/requestDetail.ts"
import type { Task } from "../wire/task.ts"

export type CallbackVersion = 1 | 2

interface CallbackRequestBody {
  readonly request_id: string
  readonly request_type: number
  readonly request_detail: string
  readonly extra_info: string
}

const text = (body: CallbackRequestBody): string => JSON.stringify(body)

export const pingBody = (): string => text({ request_id: "", request_type: 0, request_detail: "", extra_info: "" })

/** `intents`: what this node read in the task's payloads. Servers of version 2 get it, and ignore fields that they do not know. */
export function taskBody(
  version: CallbackVersion,
  requestId: string,
  task: Task,
  intents: Intents = NO_INTENTS,
  words: readonly Word[] = [],
): string {
  return text({
    request_id: requestId,
    request_type: REQUEST_TYPES[task.type],
    request_detail: JSON.stringify(version === 1 ? detailV1(task) : requestDetail(task)),
    extra_info: JSON.stringify(version === 1 ? extraInfoV1(task) : extraInfoV2(task, intents, words)),
  })
}

function extraInfoV2(
  { extra_info }: Task,
  intents: Intents,
  words: readonly Word[],
): Readonly<Record<string, unknown>> {
  const hash = taskIntentHash(intents)
  return {
    ...extra_info,
    ...(hash === undefined ? {} : { intent: intentsJson(intents), intent_hash: hash }),
    ...(words.length === 0 ? {} : { approvals: words.map(approvalJson) }),
  }
}

/** Statements that the node has verified itself. A server that has the same keys can verify them again. */
const approvalJson = ({ statement, signed }: Word): Readonly<Record<string, unknown>> => ({
  approver: statement.approver,
  decision: statement.decision,
  not_after: secondsText(statement.notAfter),
  nonce: statement.nonce,
  ...signedJson(signed),
})

function detailV1(task: Task): Readonly<Record<string, unknown>> {
  const { biz_task_id: _, ...detail } = requestDetail(task)
  return detail
}

/** TransactionType numbers of version 1, by the kind of destination of version 2. */
const OPERATIONS: Readonly<Record<string, number>> = { Address: 100, EVM_Contract: 200 }
const SIGN_MESSAGE = 300

/**
 * Version 1 has a flat record. Its fields are filled from the objects of version 2 as far as these have them; a field
 * without counterpart is left out, as old nodes did.
 */
function extraInfoV1(task: Task): Readonly<Record<string, unknown>> {
  const info = task.extra_info
  if (task.type !== "KeySign")
    return { cobo_id: task.biz_task_id, api_request_id: textAt(info, "tss_request", "tss_request_id") ?? "" }
  const kind = textAt(info, "transaction", "destination", "destination_type") ?? ""
  const known = {
    cobo_id: textAt(info, "transaction", "cobo_id") ?? task.biz_task_id,
    api_request_id: textAt(info, "transaction", "request_id") ?? "",
    operation: OPERATIONS[kind] ?? (kind.includes("Signature") ? SIGN_MESSAGE : undefined),
    coin: textAt(info, "transaction", "token_id"),
    from_address: textAt(info, "source_addresses", "0", "address"),
    to_address: textAt(info, "transaction", "destination", "account_output", "address"),
    amount: textAt(info, "transaction", "destination", "account_output", "amount"),
    note: textAt(info, "transaction", "description"),
    raw_tx_hex: textAt(info, "transaction", "raw_tx_info", "unsigned_raw_tx"),
  }
  return Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined))
}

function textAt(from: unknown, ...path: readonly string[]): string | undefined {
  let at = from
  for (const key of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, key)) return undefined
    at = Reflect.get(at, key)
  }
  return typeof at === "string" ? at : undefined
}
