/** What a start says beside its number. */
import type { CosignerError } from "../../errors.ts"
import type { StartTerms } from "../../wire/signed.ts"
import type { WaasTask } from "../store/model.ts"
import { hasChoice, type Situation } from "./quorum.ts"
import { agreed } from "./versions.ts"

/**
 * What the next start says beside its number; asked anew for each attempt, because a node may have been replaced by another release
 * since the signers were chosen. Undefined in suite 1.
 */
export function termsOf(
  record: WaasTask,
  signers: readonly string[],
  at: Situation,
): StartTerms | undefined | CosignerError {
  const { type, taskVersion = 1 } = record
  const suite = agreed("suites", signers, at.versions, taskVersion === 1 ? 1 : 2)
  if (typeof suite !== "number") return suite
  if (suite < 2) return undefined
  if (type !== "KeySign") return { suite: suite === 2 ? 2 : 3, nonce: at.newNonce() }
  const reader = agreed("readers", signers, at.versions)
  if (typeof reader !== "number") return reader
  const terms = { suite: 2, nonce: at.newNonce(), reader } as const
  return hasChoice(record) ? { ...terms, signers } : terms
}

export const hasSession = ({ type }: WaasTask): boolean => type !== "KeyShareSign"
