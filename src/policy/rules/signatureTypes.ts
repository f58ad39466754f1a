/** signature_types: the kinds of signature that a task may ask for: ECDSA, EdDSA, Schnorr. */

import { itemsOf, requiredOneOf } from "../../settings/schema.ts"
import { lintList } from "../listLint.ts"
import { SIGNATURE_TYPES, type SignatureName } from "../request.ts"
import { allow, defineRule, deny } from "../rule.ts"
import { curves } from "./curves.ts"

const CURVE_OF: Readonly<Record<SignatureName, string>> = { ECDSA: "secp256k1", Schnorr: "secp256k1", EdDSA: "ed25519" }

export const signatureTypes = defineRule({
  key: "signature_types",
  sections: ["key_sign"],
  code: "E-RSK-007",
  doc: "Kinds of signature that are allowed. All others are refused.",
  schema: itemsOf(
    requiredOneOf(SIGNATURE_TYPES, "ECDSA", "A kind of signature."),
    SIGNATURE_TYPES,
    "Kinds of signature that may be made.",
  ),
  absent: "not asked",
  check: (allowed, { signatureType }) => [
    allowed.includes(signatureType) ? allow(`${signatureType} is allowed`) : deny(`${signatureType} is not allowed`),
  ],
  lint: (types, linting) => {
    lintList(types, linting, true)
    const allowed = curves.valueIn(linting.section)
    const dead = allowed === undefined ? [] : types.filter((type) => !allowed.some((curve) => curve === CURVE_OF[type]))
    if (dead.length === 0) return
    if (dead.length === types.length)
      linting.report("error", "contradiction: none of these types exists on the allowed curves")
    else linting.report("warning", `unreachable: ${dead.join(", ")} does not exist on the allowed curves`)
  },
  allows: ({ signatureType }) => [signatureType],
  refuses: (request, _, draw) => ({
    setting: SIGNATURE_TYPES.filter((type) => type !== request.signatureType).slice(draw(2)),
    request,
  }),
})
