/**
 * Why a rule has no answer, where the reason is known and may be shown: it quotes the node's own configuration or counts the
 * effects of a payload, never a payload's text. Any other error that a rule throws becomes E-RSK-001, without its message.
 */
import { type Code, CosignerError, errorText, isCode } from "../errors.ts"

/** A name or an amount of the configuration has no meaning. Until it is corrected, every task is refused. */
export const meaningless = (reason: string): CosignerError => new CosignerError("E-RSK-023", { reason })

/** A limit cannot compute what an effect takes from it. */
export const uncountable = (reason: string): CosignerError => new CosignerError("E-RSK-022", { reason })

/** The error that stopped a rule: its code, and a text for people. */
export function doubtOf(error: unknown): { readonly code: Code; readonly reason: string } {
  if (isCode(error, "E-RSK-022") || isCode(error, "E-RSK-023")) return { code: error.code, reason: error.data.reason }
  return { code: "E-RSK-001", reason: errorText(error) }
}
