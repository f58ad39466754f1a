/**
 * ECDSA by DKLs23 (ePrint 2023/765) in three rounds, exactly t signers, 1..32 messages (threshold.md 5.7, 5.8). Each round has a file:
 * what the round checks of the round before, computes and sends. The order of evaluation is that of threshold.md 14: first everything
 * public about a peer's message, then the checks that touch secrets, under the ban rule of check.ts.
 */
import type { Protocol } from "../exchange.ts"
import type { MessageSignature } from "../session.ts"
import { MAX_BATCH } from "../sid.ts"
import { combine } from "./combine.ts"
import { commit } from "./commit.ts"
import { multiply } from "./multiply.ts"
import { release } from "./release.ts"
import { type EcdsaContext, type SignerContext, signerContextOf, take } from "./signerContext.ts"

/**
 * One signature per message, in their order. Throws E-TSK-009 (signers) or E-TSK-013 (blocked peers) at once, before a session
 * exists, and Blame while the session runs.
 */
export function signEcdsa(context: EcdsaContext): Protocol<readonly MessageSignature[]> {
  const count = context.messages.length
  if (count < 1 || count > MAX_BATCH) throw new RangeError(`a session signs 1 to ${MAX_BATCH} messages`)
  return rounds(signerContextOf(context))
}

function* rounds(signer: SignerContext): Protocol<readonly MessageSignature[]> {
  using scope = new DisposableStack()
  const taken = take(signer, scope)
  const committed = yield* commit(taken)
  const multiplied = yield* multiply(taken, committed)
  const released = yield* release(taken, committed, multiplied)
  return combine(taken, released)
}
