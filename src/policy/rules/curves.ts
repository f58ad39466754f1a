/** curves: the curves that a task may use, secp256k1 or ed25519. */

import { itemsOf, requiredOneOf } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { CURVES } from "../request.ts"
import { allow, defineRule, deny } from "../rule.ts"

export const curves = defineRule({
  key: "curves",
  sections: ["key_gen", "key_sign", "key_reshare"],
  code: "E-RSK-008",
  doc: "Curves of the keys that may be used. Keys on other curves are refused.",
  schema: itemsOf(requiredOneOf(CURVES, "secp256k1", "A curve."), CURVES, "Curves of keys."),
  absent: "not asked",
  check: (allowed, { curve }) => [
    allowed.includes(curve) ? allow(`${curve} is allowed`) : deny(`${curve} is not allowed`),
  ],
  lint: (list, linting) => lintList(list, linting, true),
  allows: ({ curve }) => [curve],
  refuses: (request, _, draw) => ({
    setting: draw(4) === 0 ? [] : CURVES.filter((curve) => curve !== request.curve),
    request,
  }),
})
