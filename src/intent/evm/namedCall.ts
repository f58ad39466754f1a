/**
 * Call data read by a contract's own ABI, with the names of its arguments. The data must be the one encoding that the ABI's encoder
 * writes; other data is unread, with a reason. A reading does not depend on it, so two nodes with different ABIs have the same reading.
 */
import { toHex } from "../../bytes.ts"
import { attempt, refuse } from "../problem.ts"
import { AbiAddress, type AbiValue, Args, decodeArguments } from "./abi.ts"
import type { Abi, AbiParameter } from "./abiJson.ts"

export interface NamedCall {
  readonly name: string
  /** `exactInput((bytes,address,uint256))`. */
  readonly signature: string
  readonly arguments: readonly NamedArgument[]
}

export interface NamedArgument {
  readonly name: string
  readonly value: NamedValue
}

/** An address has 20 bytes. Its spelling depends on the chain, and costs a hash. */
export type NamedValue =
  | { readonly kind: "address"; readonly bytes: Uint8Array }
  | { readonly kind: "integer"; readonly value: bigint }
  /** true, false, or `0x` hex in lower case. */
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly NamedValue[] }
  | { readonly kind: "tuple"; readonly fields: readonly NamedArgument[] }

export interface UnreadCall {
  readonly unread: string
}

/** Values of one call. */
const MAX_VALUES = 4096

export const isUnread = (call: NamedCall | UnreadCall): call is UnreadCall => "unread" in call

/** `data` with its selector. Never throws. */
export function namedCall(abi: Abi, data: Uint8Array): NamedCall | UnreadCall {
  const selector = `0x${toHex(data.subarray(0, 4))}`
  const found = abi.get(selector)
  if (found === undefined) return { unread: `its ABI has no function ${selector}` }
  const types = found.parameters.map(({ type }) => type)
  const named = attempt(() => {
    const { values } = decodeArguments(types, data.subarray(4), "data")
    return new Naming().fields(found.parameters, values)
  })
  if ("code" in named) return { unread: `${named.message} (${named.at})` }
  return { name: found.name, signature: found.text, arguments: named }
}

class Naming {
  #values = 0

  fields(parameters: readonly AbiParameter[], values: readonly AbiValue[]): readonly NamedArgument[] {
    return parameters.map((parameter, i) => ({ name: parameter.name, value: this.#value(parameter, values[i]) }))
  }

  #value(parameter: AbiParameter, value: AbiValue | undefined): NamedValue {
    if (++this.#values > MAX_VALUES) refuse("E-INT-003", "data", `more than ${MAX_VALUES} arguments`)
    if (value === undefined) throw new TypeError("a decoded call has a value for each parameter")
    if (value instanceof AbiAddress) return { kind: "address", bytes: value.bytes }
    if (value instanceof Args) return this.#several(parameter, value.values)
    if (typeof value === "bigint") return { kind: "integer", value }
    if (typeof value === "boolean") return { kind: "word", text: String(value) }
    const text = parameter.type.kind === "string" ? textIn(value) : undefined
    return text === undefined ? { kind: "word", text: `0x${toHex(value)}` } : { kind: "text", text }
  }

  #several({ name, type, fields }: AbiParameter, values: readonly AbiValue[]): NamedValue {
    if (type.kind !== "list") return { kind: "tuple", fields: this.fields(fields, values) }
    const item: AbiParameter = { name, type: type.item, fields }
    return { kind: "list", items: values.map((value) => this.#value(item, value)) }
  }
}

/** Everything at a dotted path, `params.recipient`; for lists every element. Empty if nothing has that path. */
export function argumentsAt(call: NamedCall, path: readonly string[]): readonly NamedValue[] {
  let reached: readonly NamedValue[] = [{ kind: "tuple", fields: call.arguments }]
  for (const name of path)
    reached = reached
      .flatMap(elements)
      .flatMap((value) =>
        value.kind === "tuple" ? value.fields.filter((field) => field.name === name).map((field) => field.value) : [],
      )
  return reached.flatMap(elements)
}

function textIn(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

const elements = (value: NamedValue): readonly NamedValue[] =>
  value.kind === "list" ? value.items.flatMap(elements) : [value]

/** Every address among its arguments. */
export function addressesIn(call: NamedCall): readonly Uint8Array[] {
  const among = (value: NamedValue): readonly Uint8Array[] => {
    if (value.kind === "address") return [value.bytes]
    if (value.kind === "list") return value.items.flatMap(among)
    return value.kind === "tuple" ? value.fields.flatMap((field) => among(field.value)) : []
  }
  return call.arguments.flatMap((argument) => among(argument.value))
}
