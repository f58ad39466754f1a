/** allowed_root_keys: the root key of the group, from this node's own record, is named. */
import { allow, type Check, deny, some } from "../rule.ts"

export const allowedRootKeys = (allowed: readonly string[], rootPubKey: string): Check => ({
  rule: "key_sign.allowed_root_keys",
  code: "E-RSK-006",
  ask: () =>
    allowed.includes(rootPubKey) ? allow("the root key is allowed") : deny(`not allowed: ${some([rootPubKey])}`),
})
