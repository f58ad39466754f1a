/** max_batch: the largest number of messages in one task. */

import { requiredInteger } from "../../settings/schema.ts"
import type { RequestOf } from "../request.ts"
import { allow, defineRule, deny } from "../rule.ts"

export const maxBatch = defineRule({
  key: "max_batch",
  sections: ["key_sign", "key_share_sign"],
  code: "E-RSK-010",
  doc: "The largest number of messages that one task may ask to sign.",
  schema: requiredInteger(1, 1_000_000, 16, "Messages of one task."),
  absent: "not asked",
  check: (max, request) => {
    const size = sizeOf(request)
    return [size <= max ? allow(`${size} of at most ${max}`) : deny(`${size} messages where ${max} are allowed`)]
  },
  allows: (request, _, draw) => sizeOf(request) + draw(3),
  refuses: (request) => refused(request),
})

const sizeOf = (request: RequestOf<"key_sign" | "key_share_sign">): number =>
  request.type === "key_sign" ? request.messages.length : request.groupIds.length

/** The request with every message twice, and a limit one below its number. */
function refused(request: RequestOf<"key_sign" | "key_share_sign">) {
  const setting = sizeOf(request) * 2 - 1
  if (request.type === "key_sign")
    return { setting, request: { ...request, messages: [...request.messages, ...request.messages] } }
  return { setting, request: { ...request, groupIds: [...request.groupIds, ...request.groupIds] } }
}
