/**
 * Refuses JSON bodies that two readers could read differently. A caller's data goes through JSON.parse and JSON.stringify on its way to
 * nodes and callback servers; whatever would silently change on that way is refused here.
 */
import { utf8 } from "../../bytes.ts"
import { type JsonNode, parseJsonTree } from "../../intent/evm/jsonTree.ts"
import { attempt } from "../../intent/problem.ts"

/**
 * What is wrong with the text, for the caller; undefined if nothing is. Refused are: text that is not JSON, a repeated member, a lone
 * surrogate, and a number that JSON.parse rounds.
 */
export function problemOfJson(text: string): string | undefined {
  const tree = attempt(() => parseJsonTree(utf8(text)))
  if ("code" in tree) {
    return `it is not JSON, is nested too deep, has a member twice, or a text with half a character: ${tree.at}`
  }
  const at = roundedNumber(tree)
  return at === undefined ? undefined : `a number cannot be kept exactly, write it as a text: character ${at}`
}

/**
 * The position of the first number that cannot be kept exactly. Every number beyond 2^53 counts, even a power of ten, because readers in
 * other languages keep other digits of it.
 */
function roundedNumber(value: JsonNode): number | undefined {
  switch (value.kind) {
    case "number":
      return isExact(value.digits) ? undefined : value.at
    case "object":
      return firstOf(value.members.values())
    case "list":
      return firstOf(value.items)
    default:
      return undefined
  }
}

function firstOf(values: Iterable<JsonNode>): number | undefined {
  for (const value of values) {
    const at = roundedNumber(value)
    if (at !== undefined) return at
  }
  return undefined
}

function isExact(digits: string): boolean {
  const number = Number(digits)
  return Math.abs(number) <= Number.MAX_SAFE_INTEGER && decimal(digits) === decimal(String(number))
}

/** The number as sign, significant digits and power of ten, so that equal values have equal texts. */
function decimal(digits: string): string {
  const [, sign = "", whole = "", fraction = "", power = "0"] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(digits) ?? []
  const significant = `${whole}${fraction}`.replace(/^0+/, "")
  const short = significant.replace(/0+$/, "")
  if (short === "") return "0"
  return `${sign}${short}e${Number(power) - fraction.length + significant.length - short.length}`
}
