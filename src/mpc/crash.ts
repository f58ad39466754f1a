/** How a failure of this node ends a session. */
import { errorText } from "../errors.ts"
import type { Ending } from "./session.ts"

export const crash = (error: unknown, round: number): Extract<Ending, { readonly kind: "crashed" }> => ({
  kind: "crashed",
  reason: round === 0 ? errorText(error) : `in round ${round}: ${errorText(error)}`,
})
