/**
 * One child key has one algorithm: which paths of a secp256k1 group sign ECDSA and which BIP-340 (threshold.md 7.4). The rule is static
 * and depends on the path alone. Nothing is remembered, so a restored backup cannot forget it and a first request cannot poison it.
 *
 * The longest matching prefix decides; if none matches, ECDSA. Ed25519 has one algorithm and needs no rule.
 */
import { CosignerError } from "../errors.ts"
import { formatPath, parsePath } from "./path.ts"

type Secp256k1Algorithm = "ecdsa" | "bip340"

export interface PathRule {
  readonly prefix: readonly number[]
  readonly algorithm: Secp256k1Algorithm
}

/** Purpose 86 is Taproot (BIP-86): Schnorr alone. */
export const DEFAULT_PATH_RULES: readonly PathRule[] = [{ prefix: [86], algorithm: "bip340" }]

/** The one algorithm that this path of a secp256k1 group may be used with. */
export function algorithmOf(
  path: readonly number[],
  rules: readonly PathRule[] = DEFAULT_PATH_RULES,
): Secp256k1Algorithm {
  let best: PathRule | undefined
  for (const rule of rules) {
    const matches = rule.prefix.every((index, level) => path[level] === index)
    if (matches && (best === undefined || rule.prefix.length > best.prefix.length)) best = rule
  }
  return best?.algorithm ?? "ecdsa"
}

/** Whether a message may be signed under this path with this algorithm. The caller checks the curve. */
export const mayUse = (
  path: readonly number[],
  algorithm: Secp256k1Algorithm | "eddsa",
  rules: readonly PathRule[] = DEFAULT_PATH_RULES,
): boolean => algorithm === "eddsa" || algorithmOf(path, rules) === algorithm

/** Rules from a table of path to algorithm, as a configuration has them. Throws E-KEY-006, and E-KEY-001 or -002. */
export function parsePathRules(table: Readonly<Record<string, string>>): readonly PathRule[] {
  const seen = new Set<string>()
  return Object.entries(table).map(([text, algorithm]) => {
    const prefix = parsePath(text)
    if (algorithm !== "ecdsa" && algorithm !== "bip340") {
      throw new CosignerError("E-KEY-006", { rule: text, reason: "the algorithm is neither ecdsa nor bip340" })
    }
    // Two spellings of one path must not have two algorithms.
    const canonical = formatPath(prefix)
    if (seen.has(canonical)) throw new CosignerError("E-KEY-006", { rule: text, reason: "the path is listed twice" })
    seen.add(canonical)
    return { prefix, algorithm }
  })
}
