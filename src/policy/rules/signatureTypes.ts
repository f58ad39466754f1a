/** signature_types: ECDSA, EdDSA, Schnorr. */

import type { SignatureName } from "../request.ts"
import { allow, type Check, deny } from "../rule.ts"

export const signatureTypes = (allowed: readonly SignatureName[], asked: SignatureName): Check => ({
  rule: "key_sign.signature_types",
  code: "E-RSK-007",
  ask: () => (allowed.includes(asked) ? allow(`${asked} is allowed`) : deny(`${asked} is not allowed`)),
})
