/** curves: secp256k1, ed25519. */
import type { CurveName } from "../../crypto/curve.ts"
import type { Section } from "../request.ts"
import { allow, type Check, deny } from "../rule.ts"

export const curves = (section: Section, allowed: readonly CurveName[], asked: CurveName): Check => ({
  rule: `${section}.curves`,
  code: "E-RSK-008",
  ask: () => (allowed.includes(asked) ? allow(`${asked} is allowed`) : deny(`${asked} is not allowed`)),
})
