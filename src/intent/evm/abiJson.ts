/**
 * A contract's ABI as compilers write it (the JSON of the Solidity ABI specification), read strictly, because a function that is
 * misread would give arguments wrong names. Only functions are kept; events, errors and constructors are not calls.
 * A problem is a value with its place in the file.
 */
import { excerpt, attempt as whereverRefused } from "../problem.ts"
import { type AbiType, elementaryType, parseSignature } from "./abiType.ts"
import { type JsonNode, type ObjectNode, parseJsonTree } from "./jsonTree.ts"

/** By selector: `0x` and 8 hex digits in lower case. */
export type Abi = ReadonlyMap<string, AbiFunction>

export interface AbiFunction {
  readonly name: string
  /** `exactInput((bytes,address,uint256))`. */
  readonly text: string
  readonly parameters: readonly AbiParameter[]
}

export interface AbiParameter {
  /** Its own name, or its position if it has none: `0`. */
  readonly name: string
  readonly type: AbiType
  /** For a tuple, also for one in a list. */
  readonly fields: readonly AbiParameter[]
}

interface AbiProblem {
  /** Both from 1. */
  readonly line: number
  readonly column: number
  readonly why: string
}

/** Functions of one file. */
const MAX_FUNCTIONS = 4096
/** Bound on the fewest words that one function's arguments can take: no payload has room for more. */
const MAX_WORDS = 32_768
/** Brackets behind one type. */
const MAX_LISTS = 8

export const isAbiProblem = (read: Abi | AbiProblem): read is AbiProblem => "why" in read

/** Reads a file that is the ABI, or a build's artifact with the member `abi`. */
export function readAbi(bytes: Uint8Array): Abi | AbiProblem {
  const text = new TextDecoder().decode(bytes)
  const tree = whereverRefused(() => parseJsonTree(bytes))
  if ("code" in tree) return placed(text, Number(/\d+$/.exec(tree.at)?.[0] ?? 0), tree.message.replace(/^[^:]*: /, ""))
  try {
    return functionsOf(tree)
  } catch (error) {
    if (error instanceof Misfit) return placed(text, error.at, error.message)
    throw error
  }
}

class Misfit extends Error {
  override readonly name = "Misfit"
  constructor(
    readonly at: number,
    why: string,
  ) {
    super(why)
  }
}

const misfit = ({ at }: { readonly at: number }, why: string): never => {
  throw new Misfit(at, why)
}

function placed(text: string, at: number, why: string): AbiProblem {
  const before = text.slice(0, at).split("\n")
  return { line: before.length, column: (before.at(-1) ?? "").length + 1, why }
}

function functionsOf(tree: JsonNode): Abi {
  const entries = listIn(tree.kind === "object" ? (tree.members.get("abi") ?? misfit(tree, "it has no abi")) : tree)
  const functions = new Map<string, AbiFunction>()
  for (const entry of entries) {
    if (entry.kind !== "object") return misfit(entry, "an entry of an ABI is an object")
    const type = entry.members.get("type")
    // The first compilers omitted the type of functions.
    const kind = type === undefined ? "function" : textOf(type)
    if (!KINDS.has(kind)) misfit(type ?? entry, `${excerpt(kind)} is no type of an ABI's entry`)
    if (kind !== "function") continue
    const read = functionOf(entry)
    const { selector } = parseSignature(read.text)
    const other = functions.get(selector)
    if (other !== undefined)
      misfit(
        entry,
        other.text === read.text
          ? `${read.text} stands twice`
          : `${read.text} and ${other.text} have the same selector ${selector}`,
      )
    functions.set(selector, read)
    if (functions.size > MAX_FUNCTIONS) misfit(entry, `it has more than ${MAX_FUNCTIONS} functions`)
  }
  return functions.size === 0 ? misfit(tree, "it has no function") : functions
}

const KINDS: ReadonlySet<string> = new Set(["function", "constructor", "receive", "fallback", "event", "error"])
const IDENTIFIER = /^[A-Za-z_$][\w$]{0,255}$/

function functionOf(entry: ObjectNode): AbiFunction {
  const named = entry.members.get("name") ?? misfit(entry, "a function has no name")
  const name = textOf(named)
  if (!IDENTIFIER.test(name)) misfit(named, `${excerpt(name)} is no name of a function`)
  const parameters = parametersOf(entry, "inputs")
  const words = parameters.reduce((sum, { type }) => sum + wordsOf(type), 0)
  if (words > MAX_WORDS) misfit(entry, `the arguments of ${name} are larger than any payload`)
  return { name, text: `${name}(${parameters.map(({ type }) => typeText(type)).join(",")})`, parameters }
}

function parametersOf(entry: ObjectNode, member: "inputs" | "components"): readonly AbiParameter[] {
  const list = listIn(entry.members.get(member) ?? misfit(entry, `there are no ${member}`))
  const seen = new Set<string>()
  return list.map((item, place) => {
    if (item.kind !== "object") return misfit(item, "a parameter is an object")
    const parameter = parameterOf(item, place)
    if (seen.has(parameter.name)) misfit(item, `two parameters are called ${parameter.name}`)
    seen.add(parameter.name)
    return parameter
  })
}

function parameterOf(item: ObjectNode, place: number): AbiParameter {
  const named = item.members.get("name")
  const name = named === undefined ? "" : textOf(named)
  if (name !== "" && !IDENTIFIER.test(name)) misfit(named ?? item, `${excerpt(name)} is no name of a parameter`)
  const typed = item.members.get("type") ?? misfit(item, "a parameter has no type")
  const [, word = "", suffix = ""] = /^([^[]*)(.*)$/s.exec(textOf(typed)) ?? []
  const fields = word === "tuple" ? parametersOf(item, "components") : []
  if (word === "tuple" && fields.length === 0) misfit(item, "a tuple has no components")
  if (word !== "tuple" && item.members.has("components")) misfit(item, "only a tuple has components")
  const base = word === "tuple" ? tupleOf(fields) : elementaryType(word)
  if (base === undefined) return misfit(typed, `${excerpt(word)} is no type of the ABI that is read here`)
  return { name: name === "" ? String(place) : name, type: listsOf(base, suffix, typed), fields }
}

const tupleOf = (fields: readonly AbiParameter[]): AbiType => ({ kind: "tuple", items: fields.map(({ type }) => type) })

function listsOf(base: AbiType, suffix: string, at: JsonNode): AbiType {
  const lists = [...suffix.matchAll(/\[([1-9]\d{0,4})?\]/g)]
  if (lists.map(([text]) => text).join("") !== suffix || lists.length > MAX_LISTS)
    misfit(at, `${excerpt(suffix)} is no list that is read here`)
  return lists.reduce<AbiType>(
    (item, [, count]) => ({ kind: "list", item, count: count === undefined ? undefined : Number(count) }),
    base,
  )
}

/** The shortest encoding, with one element in each list. */
function wordsOf(type: AbiType): number {
  if (type.kind === "tuple") return type.items.reduce((sum, item) => sum + wordsOf(item), 0)
  return type.kind === "list" ? (type.count ?? 1) * wordsOf(type.item) : 1
}

/** The type as signatures spell it. */
function typeText(type: AbiType): string {
  switch (type.kind) {
    case "uint":
    case "int":
      return `${type.kind}${type.bits}`
    case "fixed":
      return `bytes${type.length}`
    case "tuple":
      return `(${type.items.map(typeText).join(",")})`
    case "list":
      return `${typeText(type.item)}[${type.count ?? ""}]`
    default:
      return type.kind
  }
}

const textOf = (value: JsonNode): string => (value.kind === "text" ? value.text : misfit(value, "it is no text"))

const listIn = (value: JsonNode): readonly JsonNode[] =>
  value.kind === "list" ? value.items : misfit(value, "it is no list")
