/** How a failure of this node ends a session. */
import { errorText } from "../errors.ts"
import type { Ending } from "./session.ts"
import { inWords, type Stage } from "./stages.ts"

export const crash = (error: unknown, stage: Stage | undefined): Extract<Ending, { readonly kind: "crashed" }> => ({
  kind: "crashed",
  reason: stage === undefined ? errorText(error) : `in ${inWords(stage)}: ${errorText(error)}`,
})
