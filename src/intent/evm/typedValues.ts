/**
 * Values of EIP-712 data and their hash. A value is read once, for both hashing and showing, so that the two cannot
 * differ. Strict where wallets differ: no member is missing or too many, nothing is null, integers are safe JSON numbers or
 * decimal strings, addresses have their checksum.
 */
import { type Bytes, bigToBe, concat, fromHex, utf8 } from "../../bytes.ts"
import { excerpt, refuse } from "../problem.ts"
import type { AbiType } from "./abiType.ts"
import { addressOf, keccak, parseAddress } from "./address.ts"
import type { JsonNode } from "./jsonTree.ts"
import type { FieldType, TypeGraph } from "./typeGraph.ts"

/** address: EIP-55 text. string: Text. uint, int: bigint. bytes, bytesN: bytes. */
type TypedValue = string | Text | bigint | boolean | Bytes | readonly TypedValue[] | Struct

class Text {
  constructor(readonly text: string) {}
}

/** A struct by the names of its members. Asking for a member that its type does not have is a bug. */
export class Struct {
  constructor(readonly values: ReadonlyMap<string, TypedValue>) {}

  has(name: string): boolean {
    return this.values.has(name)
  }
  address(name: string): string {
    const value = this.values.get(name)
    return typeof value === "string" ? value : wrong(name)
  }
  text(name: string): string {
    const value = this.values.get(name)
    return value instanceof Text ? value.text : wrong(name)
  }
  uint(name: string): bigint {
    const value = this.values.get(name)
    return typeof value === "bigint" ? value : wrong(name)
  }
  bool(name: string): boolean {
    const value = this.values.get(name)
    return typeof value === "boolean" ? value : wrong(name)
  }
  bytes(name: string): Bytes {
    const value = this.values.get(name)
    return value instanceof Uint8Array ? value : wrong(name)
  }
  struct(name: string): Struct {
    const value = this.values.get(name)
    return value instanceof Struct ? value : wrong(name)
  }
  structs(name: string): readonly Struct[] {
    const value = this.values.get(name)
    if (!Array.isArray(value)) return wrong(name)
    return value.map((item: unknown) => (item instanceof Struct ? item : wrong(name)))
  }
}

function wrong(name: string): never {
  throw new TypeError(`${name} has another type in its struct`)
}

interface Hashed<T> {
  readonly value: T
  /** 32 bytes. */
  readonly word: Bytes
}

/** hashStruct of EIP-712. `at` names the value, for problems: `message`, `domain`. */
export function hashStruct(graph: TypeGraph, name: string, from: JsonNode, at: string): Hashed<Struct> {
  const members = graph.members(name)
  if (from.kind !== "object") return refuse("E-INT-030", at, "it is not an object")
  const values = new Map<string, TypedValue>()
  const words: Bytes[] = [graph.typeHash(name)]
  for (const member of members) {
    const value = from.members.get(member.name)
    if (value === undefined) return refuse("E-INT-030", `${at}.${member.name}`, "it is missing")
    const hashed = hashValue(graph, member.type, value, `${at}.${member.name}`)
    values.set(member.name, hashed.value)
    words.push(hashed.word)
  }
  for (const other of from.members.keys()) {
    if (!values.has(other)) refuse("E-INT-030", at, `${excerpt(other)} is no member of its type`)
  }
  return { value: new Struct(values), word: keccak(concat(...words)) }
}

function hashValue(graph: TypeGraph, type: FieldType, from: JsonNode, at: string): Hashed<TypedValue> {
  if (type.kind === "struct") return hashStruct(graph, type.name, from, at)
  if (type.kind === "atom") return hashAtom(type.atom, from, at)
  if (from.kind !== "list") return refuse("E-INT-030", at, "it is not a list")
  if (type.count !== undefined && from.items.length !== type.count)
    refuse("E-INT-030", at, `it has ${from.items.length} items, not ${type.count}`)
  const items = from.items.map((item, i) => hashValue(graph, type.item, item, `${at}[${i}]`))
  return { value: items.map(({ value }) => value), word: keccak(concat(...items.map(({ word }) => word))) }
}

function hashAtom(type: AbiType, from: JsonNode, at: string): Hashed<TypedValue> {
  switch (type.kind) {
    case "bool":
      if (from.kind !== "true" && from.kind !== "false") return refuse("E-INT-030", at, "it is neither true nor false")
      return { value: from.kind === "true", word: bigToBe(from.kind === "true" ? 1n : 0n, 32) }
    case "string": {
      const text = textOf(from, at)
      return { value: new Text(text), word: keccak(utf8(text)) }
    }
    case "bytes": {
      const value = bytesOf(from, at)
      return { value, word: keccak(value) }
    }
    case "fixed": {
      const value = bytesOf(from, at)
      if (value.length !== type.length) refuse("E-INT-030", at, `it has ${value.length} bytes, not ${type.length}`)
      return { value, word: concat(value, new Uint8Array(32 - value.length)) }
    }
    case "address": {
      const account =
        parseAddress(textOf(from, at)) ?? refuse("E-INT-032", at, "it is no address with a valid checksum")
      return { value: addressOf(account), word: concat(new Uint8Array(12), account) }
    }
    case "uint":
    case "int":
      return hashInteger(type, from, at)
    default:
      throw new TypeError("lists and structs are no atoms")
  }
}

const INTEGER = /^(?:0|-?[1-9][0-9]{0,77})$/

function hashInteger(type: { kind: "uint" | "int"; bits: number }, from: JsonNode, at: string): Hashed<bigint> {
  const digits = from.kind === "number" ? from.digits : textOf(from, at)
  if (!INTEGER.test(digits)) refuse("E-INT-030", at, `${excerpt(digits)} is no decimal integer`)
  if (from.kind === "number" && !Number.isSafeInteger(Number(digits)))
    refuse("E-INT-030", at, "a number above 2^53 loses digits; write it as text")
  const value = BigInt(digits)
  const held = type.kind === "uint" ? BigInt.asUintN(type.bits, value) : BigInt.asIntN(type.bits, value)
  if (held !== value) refuse("E-INT-030", at, `it does not fit ${type.kind}${type.bits}`)
  return { value, word: bigToBe(BigInt.asUintN(256, value), 32) }
}

const textOf = (from: JsonNode, at: string): string =>
  from.kind === "text" ? from.text : refuse("E-INT-030", at, "it is not text")

function bytesOf(from: JsonNode, at: string): Bytes {
  const text = textOf(from, at)
  const bytes = text.startsWith("0x") ? fromHex(text.slice(2).toLowerCase()) : undefined
  return bytes ?? refuse("E-INT-030", at, "it is not 0x and pairs of hex digits")
}
