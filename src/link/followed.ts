/** Which WaaS a node goes on with (formats.md 14.1): the newest copy that it was shown, and none that is older. */
import { CosignerError } from "../errors.ts"
import { isNewestWaas, isSameToken, type SignedWaasToken, tokenText } from "../wire/waasToken.ts"
import type { FollowedMemory } from "./options.ts"

/**
 * Remembers what is newer than what was seen; undefined if the node goes on with that WaaS. The token's signature was checked. Throws
 * what the store throws. E-LNK-022 is returned, for the other side to be told first.
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
