/**
 * The types of EIP-712 data as one graph: everything that the primary type and the domain need is declared, nothing else is,
 * and nothing contains itself. Then encodeType has exactly one meaning and expresses everything in the types.
 */
import { type Bytes, utf8 } from "../../bytes.ts"
import { excerpt, refuse } from "../problem.ts"
import { type AbiType, elementaryType } from "./abiType.ts"
import { keccak } from "./address.ts"
import type { JsonNode } from "./jsonTree.ts"

export const DOMAIN = "EIP712Domain"

export type FieldType =
  | { readonly kind: "atom"; readonly atom: AbiType }
  | { readonly kind: "list"; readonly item: FieldType; readonly count: number | undefined }
  | { readonly kind: "struct"; readonly name: string }

interface TypeMember {
  readonly name: string
  readonly type: FieldType
  readonly text: string
}

const MAX_TYPES = 128
const MAX_DIMENSIONS = 8
/** Length of one encodeType. */
const MAX_TEXT = 64 * 1024

const NAME = /^[A-Za-z_$][A-Za-z0-9_$]{0,254}$/
const TYPE = /^([A-Za-z_$][A-Za-z0-9_$]{0,254})((?:\[(?:[1-9][0-9]{0,5})?\])*)$/

export class TypeGraph {
  readonly #types: ReadonlyMap<string, readonly TypeMember[]>
  readonly #closures = new Map<string, ReadonlySet<string>>()
  readonly #texts = new Map<string, string>()
  readonly #hashes = new Map<string, Bytes>()

  /** `types` of the typed data. Refuses with E-INT-029. */
  constructor(
    types: JsonNode,
    readonly primary: string,
  ) {
    this.#types = declared(types)
    if (primary === DOMAIN) refuse("E-INT-029", "primaryType", "it is the domain")
    const used = new Set([...this.#closure(primary, []), ...this.#closure(DOMAIN, [])])
    for (const name of this.#types.keys()) {
      if (!used.has(name)) refuse("E-INT-029", `types.${name}`, "nothing uses it")
    }
    if (this.#closure(DOMAIN, []).size > 1 || this.#closure(primary, []).has(DOMAIN))
      refuse("E-INT-029", `types.${DOMAIN}`, "the domain is no part of other types, and they are none of it")
  }

  members(name: string): readonly TypeMember[] {
    return this.#types.get(name) ?? refuse("E-INT-029", "types", `${excerpt(name)} is not declared`)
  }

  /** `Mail(Person from,Person to)Person(string name)`. */
  encodeType(name: string): string {
    const known = this.#texts.get(name)
    if (known !== undefined) return known
    const others = [...this.#closure(name, [])].filter((other) => other !== name).sort()
    const text = [name, ...others].map((one) => this.#declaration(one)).join("")
    if (text.length > MAX_TEXT) refuse("E-INT-029", `types.${name}`, `its text is longer than ${MAX_TEXT}`)
    this.#texts.set(name, text)
    return text
  }

  typeHash(name: string): Bytes {
    const hash = this.#hashes.get(name) ?? keccak(utf8(this.encodeType(name)))
    this.#hashes.set(name, hash)
    return hash
  }

  #declaration(name: string): string {
    return `${name}(${this.members(name)
      .map((member) => `${member.text} ${member.name}`)
      .join(",")})`
  }

  /** The type and everything that it needs. `path` is how it was reached: a type that is on the path contains itself. */
  #closure(name: string, path: readonly string[]): ReadonlySet<string> {
    const known = this.#closures.get(name)
    if (known !== undefined) return known
    if (path.includes(name)) refuse("E-INT-029", `types.${name}`, "it contains itself")
    const found = new Set([name])
    for (const { type } of this.members(name)) {
      const inner = structOf(type)
      if (inner === undefined) continue
      for (const other of this.#closure(inner, [...path, name])) found.add(other)
    }
    this.#closures.set(name, found)
    return found
  }
}

function structOf(type: FieldType): string | undefined {
  if (type.kind === "list") return structOf(type.item)
  return type.kind === "struct" ? type.name : undefined
}

function declared(types: JsonNode): ReadonlyMap<string, readonly TypeMember[]> {
  if (types.kind !== "object") return refuse("E-INT-029", "types", "it is not an object")
  if (types.members.size > MAX_TYPES) refuse("E-INT-029", "types", `more than ${MAX_TYPES} types`)
  const found = new Map<string, readonly TypeMember[]>()
  for (const [name, members] of types.members) {
    if (!NAME.test(name) || looksElementary(name))
      refuse("E-INT-029", "types", `${excerpt(name)} is no name of a struct`)
    if (members.kind !== "list") return refuse("E-INT-029", `types.${name}`, "it is not a list")
    found.set(
      name,
      members.items.map((member, i) => memberOf(member, `types.${name}[${i}]`)),
    )
    const names = new Set(found.get(name)?.map((member) => member.name))
    if (names.size !== members.items.length) refuse("E-INT-029", `types.${name}`, "a member stands twice")
  }
  return found
}

/** Names that other readers might take for elementary types, including aliases and future types. */
const looksElementary = (name: string): boolean =>
  /^(?:u?int|u?fixed|bytes)[0-9x]*$|^(?:address|bool|string|function|byte)$/.test(name)

function memberOf(member: JsonNode, at: string): TypeMember {
  if (member.kind !== "object" || member.members.size !== 2)
    return refuse("E-INT-029", at, "it is not a name and a type")
  const name = member.members.get("name")
  const type = member.members.get("type")
  if (name?.kind !== "text" || !NAME.test(name.text)) return refuse("E-INT-029", at, "its name is none")
  if (type?.kind !== "text") return refuse("E-INT-029", at, "its type is none")
  return { name: name.text, text: type.text, type: parseType(type.text, at) }
}

function parseType(text: string, at: string): FieldType {
  const [, word, dimensions] = TYPE.exec(text) ?? []
  if (word === undefined || dimensions === undefined) return refuse("E-INT-029", at, `${excerpt(text)} is no type`)
  const atom = elementaryType(word)
  if (atom === undefined && looksElementary(word)) refuse("E-INT-029", at, `${excerpt(text)} is no type of EIP-712`)
  const base: FieldType = atom === undefined ? { kind: "struct", name: word } : { kind: "atom", atom }
  const counts = [...dimensions.matchAll(/\[(\d*)\]/g)].map(([, count]) => count)
  if (counts.length > MAX_DIMENSIONS) refuse("E-INT-029", at, `more than ${MAX_DIMENSIONS} dimensions`)
  return counts.reduce<FieldType>(
    (item, count) => ({ kind: "list", item, count: count === "" ? undefined : Number(count) }),
    base,
  )
}
