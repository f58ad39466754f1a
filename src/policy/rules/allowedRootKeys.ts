/** allowed_root_keys: the list must name the root key of the group, taken from this node's own record. */

import { itemsOf, word } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { allow, defineRule, deny, some } from "../rule.ts"

export const allowedRootKeys = defineRule({
  key: "allowed_root_keys",
  sections: ["key_sign"],
  code: "E-RSK-006",
  doc: "Root keys of the groups that may be used. This node's own record of the group must have one of them.",
  schema: itemsOf(word("xpub...", "An extended public key."), ["xpub..."], "Root keys that may sign."),
  absent: "not asked",
  check: (allowed, { rootPubKey }) => [
    allowed.includes(rootPubKey) ? allow("the root key is allowed") : deny(`not allowed: ${some([rootPubKey])}`),
  ],
  lint: (list, linting) => lintList(list, linting, true),
  allows: ({ rootPubKey }) => ["another", rootPubKey],
  refuses: (request, _, draw) => ({ setting: ["another", "and-another"].slice(draw(3)), request }),
})
