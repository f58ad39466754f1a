/** [checkup]: scheduled proofs that every share is still whole. */
import { duration, tableOf } from "../settings/schema.ts"

export const checkup = tableOf("Scheduled check-ups of the key shares. On when an interval is set.", {
  interval: duration("", "How often."),
})
