/** Which copy of WaaS a node works with (formats.md 14.1): the newest one that it was ever shown, and never an older one. */
import { CosignerError } from "../errors.ts"
import { isNewestWaas, isSameToken, type SignedWaasToken, tokenText } from "../wire/waasToken.ts"
import type { FollowedMemory } from "./options.ts"

/**
 * Stores `shown` if it is newer than the remembered token. Returns undefined if the node may work with this WaaS, and E-LNK-022 if
 * it is an older copy; the error is returned and not thrown, because the caller first shows the newer token to that WaaS.
 * The caller has verified the token's signature. Throws what the store throws.
 */
export function follow(memory: FollowedMemory, shown: SignedWaasToken | undefined): CosignerError | undefined {
  const seen = memory.latest()
  if (shown === undefined) {
    return seen === undefined ? undefined : outdated("nothing of how far its database has come", seen)
  }
  if (!isNewestWaas(shown.token, seen?.token)) return outdated(tokenText(shown.token), seen)
  if (seen === undefined || !isSameToken(shown.token, seen.token)) memory.follow(shown)
  return undefined
}

const outdated = (shown: string, seen: SignedWaasToken | undefined): CosignerError =>
  new CosignerError("E-LNK-022", { shown, seen: seen === undefined ? "nothing" : tokenText(seen.token) })
