/** The signers of a payload that are this key's: those at the paths of the task's messages, derived by the node. */
import { copy } from "../../bytes.ts"
import { encodeBase58 } from "../../keys/base58.ts"
import type { Context } from "../decoder.ts"
import { refuse } from "../problem.ts"
import type { Sign } from "../reading.ts"

interface Signers {
  /** In an offline reading, all signers that the payload names, as it states them. */
  readonly from: readonly string[]
  /** Each of them signs the message itself. */
  readonly signs: readonly Sign[]
}

/** Refuses with E-INT-098 a key that the payload does not ask to sign, with E-INT-006 one that is asked for twice. */
export function signersOf({ messages }: Context, required: readonly string[], data: Uint8Array): Signers {
  if (messages.length === 0) return { from: required, signs: [{ path: undefined, bytes: copy(data) }] }
  const from: string[] = []
  for (const { publicKey, input } of messages) {
    const address = encodeBase58(publicKey)
    if (input !== undefined) refuse("E-INT-006", "messages", "a message names an input, and Solana has none")
    if (from.includes(address)) refuse("E-INT-006", "messages", `${address} is asked for twice`)
    if (!required.includes(address)) refuse("E-INT-098", "signers", `${address} is not among ${required.join(", ")}`)
    from.push(address)
  }
  return { from, signs: messages.map(({ path }) => ({ path, bytes: copy(data) })) }
}
