/**
 * Derivation paths as text and as numbers. Only non-hardened indices exist here: hardening needs the private key, which
 * no node has. pathRule.ts says what a path may be used for, derive.ts what it derives.
 */
import { CosignerError } from "../errors.ts"

/** First hardened index of BIP-32; all our indices are below it. */
export const HARDENED = 0x8000_0000

/** Deeper paths are refused: BIP-32 would go to 255, real wallets to 6, and every level costs a point addition. */
export const MAX_DEPTH = 32

// 32 levels of a slash and ten digits, the leading m, and room for spaces.
const MAX_TEXT = 512
const SEGMENT = /^(?:0|[1-9][0-9]{0,9})$/
const HARDENED_SEGMENT = /^[0-9]+['’hH]$/

/**
 * Indices of a path: `m/44/60/0/0/5`, also without `m` or with a leading slash; `m` is the root. Spaces are ignored.
 * Throws E-KEY-001 for anything else, E-KEY-002 for a hardened index in either spelling (a mark, or 2^31 and above).
 */
export function parsePath(text: string): number[] {
  if (text.length > MAX_TEXT) throw malformed(`${text.slice(0, 32)}…`, `it is longer than ${MAX_TEXT} characters`)
  const bare = text.replaceAll(" ", "")
  if (bare === "") throw malformed(text, "it is empty")
  if (bare === "m" || bare === "/m") return []
  const segments = bare.replace(/^\/?m\/|^\//, "").split("/")
  if (segments.length > MAX_DEPTH) throw malformed(text, `it has more than ${MAX_DEPTH} levels`)
  return segments.map((segment) => {
    if (HARDENED_SEGMENT.test(segment)) throw new CosignerError("E-KEY-002", { path: text })
    if (!SEGMENT.test(segment)) throw malformed(text, `${JSON.stringify(segment)} is not a decimal index`)
    const index = Number(segment)
    if (index >= 2 * HARDENED) throw malformed(text, `${segment} does not fit 32 bits`)
    if (index >= HARDENED) throw new CosignerError("E-KEY-002", { path: text })
    return index
  })
}

/** The canonical text of a path: `m`, `m/44/60/0/0/5`. */
export const formatPath = (path: readonly number[]): string => ["m", ...path].join("/")

const malformed = (path: string, reason: string) => new CosignerError("E-KEY-001", { path, reason })
