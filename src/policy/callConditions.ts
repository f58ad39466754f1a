/**
 * Conditions on functions by name and on arguments, for contracts with a configured ABI (intents.md 5.2). A dotted path names an
 * argument. If the path leads through lists, all of its values must fit in an allow entry, and one is enough in a deny entry.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { toHex, utf8 } from "../bytes.ts"
import { namespaceOf } from "../intent/caip.ts"
import type { Abi, AbiFunction, AbiParameter } from "../intent/evm/abiJson.ts"
import type { AbiType } from "../intent/evm/abiType.ts"
import { argumentsAt, type NamedValue } from "../intent/evm/namedCall.ts"
import { accountIn } from "./abiCalls.ts"
import { spellingProblem } from "./address.ts"
import { meaningless } from "./doubt.ts"
import { destinationAt, type EffectView } from "./effectView.ts"
import type { AllowEntry, DenyEntry } from "./entrySchema.ts"
import { type Names, parseAmount } from "./names.ts"
import { namedBy, reaches, type Targets, targetsOf } from "./targets.ts"

export interface CallConditions {
  /** Selectors, and functions or operations by name. */
  readonly selectors: ReadonlySet<string> | undefined
  /** Whether functions are named, and not only selectors are given. */
  readonly hasNames: boolean
  readonly arguments: readonly ArgumentCondition[] | undefined
}

interface ArgumentCondition {
  readonly path: readonly string[]
  /** Allowed addresses. */
  readonly targets: Targets | undefined
  /** Allowed integers and texts, as they are written. */
  readonly texts: ReadonlySet<string> | undefined
  /** Allowed truth values and bytes; hex in lower case. */
  readonly words: ReadonlySet<string> | undefined
  readonly max: bigint | undefined
}

type AnyEntry = AllowEntry | DenyEntry

/** Throws the error of `meaningless` for a function or an argument that no ABI has. */
export function callConditionsOf(entry: AnyEntry, names: Names): CallConditions {
  const { selectors, arguments: wanted } = entry
  const bare = (selectors ?? []).filter((text) => !isSelector(text))
  const abis = abisFor(entry, names)
  for (const text of bare) demandFunction(text, entry, abis, names)
  const functions = abis
    .flatMap((abi) => [...abi])
    .filter(([selector, { name }]) => selectors === undefined || isNamed(selectors, selector, name))
    .map(([, found]) => found)
  return {
    selectors: selectors && new Set(selectors.map(selectorOf)),
    hasNames: bare.length > 0,
    arguments: wanted?.map((one) => argumentCondition(one, functions, names)),
  }
}

const SIGNATURE = /^\w+\(.*\)$/
const isSelector = (text: string): boolean => SIGNATURE.test(text) || text.startsWith("0x")

/** For `transfer(address,uint256)` its first four bytes of Keccak; other text as it is written, hex in lower case. */
const selectorOf = (text: string): string =>
  SIGNATURE.test(text)
    ? `0x${toHex(keccak_256(utf8(text)).subarray(0, 4))}`
    : text.startsWith("0x")
      ? text.toLowerCase()
      : text

const isNamed = (texts: readonly string[], selector: string, name: string): boolean =>
  texts.some((text) => text === name || selectorOf(text) === selector)

/** The ABIs of the contracts that the entry names, or all of them. */
function abisFor({ contracts }: AnyEntry, names: Names): readonly Abi[] {
  if (contracts === undefined) return [...names.abis.values()]
  const keys = contracts
    .flatMap((text) => namedBy(text, names, "contracts"))
    .flatMap(({ chain, key }) => {
      if (key === undefined) return []
      return chain === "" ? [...names.abis.keys()].filter((account) => account.endsWith(` ${key}`)) : [key]
    })
  return keys.flatMap((key) => names.abis.get(key) ?? [])
}

/** Outside of EVM chains and TRON, operations have names of their own, which no ABI has. */
function demandFunction(text: string, { contracts }: AnyEntry, abis: readonly Abi[], names: Names): void {
  const meant = (contracts ?? []).flatMap((one) => namedBy(one, names, "contracts"))
  const isByAbi = meant.length > 0 && meant.every(({ chain, key }) => hasAbis(chain, key))
  if (!isByAbi || abis.some((abi) => [...abi.values()].some(({ name }) => name === text))) return
  throw meaningless(
    abis.length === 0
      ? `${text} is a function's name, and none of ${contracts?.join(", ")} has an abi`
      : `no ABI of ${contracts?.join(", ")} has a function ${text}`,
  )
}

/** A bare address has no chain; its spelling shows on which chains it can be. */
const hasAbis = (chain: string, key: string | undefined): boolean =>
  chain === ""
    ? key !== undefined && ["eip155:", "tron:"].some((on) => spellingProblem(on, key) === undefined)
    : ["eip155", "tron"].includes(namespaceOf(chain))

function argumentCondition(
  wanted: NonNullable<AllowEntry["arguments"]>[number] | NonNullable<DenyEntry["arguments"]>[number],
  functions: readonly AbiFunction[],
  names: Names,
): ArgumentCondition {
  const path = wanted.name.split(".")
  const max = "max" in wanted ? wanted.max : undefined
  const types = functions.flatMap(({ parameters }) => typesAt(parameters, path))
  if (types.length === 0) throw meaningless(`no function of an ABI that is meant has an argument ${wanted.name}`)
  if (wanted.in === undefined && max === undefined) throw meaningless(`the argument ${wanted.name} has no condition`)
  if (max !== undefined && !types.every(({ kind }) => kind === "uint" || kind === "int"))
    throw meaningless(`the argument ${wanted.name} is no integer, and has no max`)
  const account = wanted.in?.find((text) => text.startsWith("@"))
  if (account !== undefined && !types.every(({ kind }) => kind === "address"))
    throw meaningless(`the argument ${wanted.name} is no address, and cannot be ${account}`)
  // In a deny entry such a value would match nothing, and refuse nothing.
  const never = wanted.in?.find((text) => !types.some((type) => canBe(type, text)))
  if (never !== undefined) throw meaningless(`the argument ${wanted.name} can never be ${never}`)
  return {
    path,
    targets: wanted.in && types.some(({ kind }) => kind === "address") ? targetsOf(wanted.in, names, "to") : undefined,
    // A text that looks like hex must keep its case.
    texts: wanted.in && new Set(wanted.in),
    words: wanted.in && new Set(wanted.in.map((text) => (text.startsWith("0x") ? text.toLowerCase() : text))),
    max: max === undefined ? undefined : boundOf(max, names),
  }
}

/** Whether a value of this type may be written like this. */
function canBe(type: AbiType, text: string): boolean {
  switch (type.kind) {
    case "uint":
      return /^(?:0|[1-9]\d*)$/.test(text)
    case "int":
      return /^(?:0|-?[1-9]\d*)$/.test(text)
    case "bool":
      return text === "true" || text === "false"
    case "fixed":
      return HEX.test(text) && text.length === 2 + 2 * type.length
    case "bytes":
      return HEX.test(text)
    case "address":
      return text.startsWith("@") || !text.startsWith("0x") || /^0x[\da-f]{40}$/i.test(text)
    default:
      return true
  }
}

const HEX = /^0x(?:[\da-f]{2})*$/i

/** `250000 USDC`, or base units. */
function boundOf(text: string, names: Names): bigint {
  if (!/^(?:0|[1-9]\d{0,77})$/.test(text)) {
    const { max } = parseAmount(text, names)
    if (max === undefined) throw meaningless(`${text} is no bound`)
    return max
  }
  return BigInt(text)
}

function typesAt(parameters: readonly AbiParameter[], [name, ...rest]: readonly string[]): readonly AbiType[] {
  return parameters
    .filter((parameter) => parameter.name === name)
    .flatMap(({ type, fields }) => (rest.length > 0 ? typesAt(fields, rest) : [elementOf(type)]))
    .filter(({ kind }) => kind !== "tuple")
}

const elementOf = (type: AbiType): AbiType => (type.kind === "list" ? elementOf(type.item) : type)

// ---- asking them -----------------------------------------------------------------------------------------------------

/** For an allow entry: whether it names the function. */
export const selects = ({ selectors }: CallConditions, { call, selector }: EffectView): boolean =>
  selectors === undefined ||
  (selector !== undefined && selectors.has(selector)) ||
  (call.is === "known" && selectors.has(call.value.name))

/** For an allow entry: whether every value of every argument fits. */
export function argumentsFit({ arguments: wanted }: CallConditions, view: EffectView): boolean {
  if (wanted === undefined) return true
  const { call } = view
  if (call.is !== "known") return false
  return wanted.every((one) => {
    const values = argumentsAt(call.value, one.path)
    return values.length > 0 && values.every((value) => holds(one, value, view))
  })
}

/** For a deny entry: whether it may name the function. A call that no ABI reads may have any name. */
export function maySelect({ selectors, hasNames }: CallConditions, { call, selector }: EffectView): boolean {
  if (selectors === undefined || selector === undefined || selectors.has(selector)) return true
  if (call.is === "known") return selectors.has(call.value.name)
  return hasNames && selector.startsWith("0x")
}

/** For a deny entry: whether it may mean some value of every argument. */
export function argumentsMayFit({ arguments: wanted }: CallConditions, view: EffectView): boolean {
  const { call } = view
  if (wanted === undefined || call.is !== "known") return true
  return wanted.every((one) => {
    const values = argumentsAt(call.value, one.path)
    return values.length === 0 || values.some((value) => holds(one, value, view))
  })
}

/** Whether the value fits. It is known, and an ABI is configured for its chain, so allow and deny entries judge it alike. */
function holds({ targets, texts, words, max }: ArgumentCondition, value: NamedValue, view: EffectView): boolean {
  if (max !== undefined && !(value.kind === "integer" && value.value >= 0n && value.value <= max)) return false
  if (texts === undefined) return true
  switch (value.kind) {
    case "address": {
      const { reading, accounts } = view.intent
      const to = destinationAt(accountIn(value.bytes, reading.chain), reading.chain, accounts)
      return targets !== undefined && reaches(targets, { is: "known", value: to })
    }
    case "integer":
      return texts.has(value.value.toString())
    case "word":
      return words?.has(value.text) === true
    case "text":
      return texts.has(value.text)
    default:
      return false
  }
}
