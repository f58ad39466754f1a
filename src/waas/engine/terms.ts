/** The terms of an attempt, which its start tells all signers: suite, nonce, reader of payloads and signers. */
import type { CosignerError } from "../../errors.ts"
import type { StartTerms } from "../../wire/signed.ts"
import type { WaasTask } from "../store/model.ts"
import { hasChoice, type Situation } from "./quorum.ts"
import { agreed } from "./versions.ts"

/**
 * The terms of the next attempt, made anew for each because a node may run another release since the signers were chosen. Undefined in
 * suite 1, which has none; E-WAA-028 if the signers share no suite or reader.
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

/** Whether nodes run a protocol for the task. A KeyShareSign needs none: one node signs by itself. */
export const hasSession = ({ type }: WaasTask): boolean => type !== "KeyShareSign"
