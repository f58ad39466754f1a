/** [checkup]: proofs that every share is still whole, on a schedule. */
import { duration, tableOf } from "../settings/schema.ts"

export const checkup = tableOf("Scheduled check-ups of the key shares. On when an interval is set.", {
  interval: duration("", "How often."),
})
