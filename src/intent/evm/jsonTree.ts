/**
 * JSON (RFC 8259) from a stranger as a tree that keeps what JSON.parse drops: a member that occurs twice, the digits of a
 * number, the place of each value. Bounded in depth; linear in time. A member called `__proto__` is a member like any other.
 */
import { excerpt, refuse } from "../problem.ts"

export type JsonNode = ObjectNode | ListNode | TextNode | NumberNode | WordNode

interface PlacedNode {
  /** Where it begins: an offset in characters. */
  readonly at: number
}
export interface ObjectNode extends PlacedNode {
  readonly kind: "object"
  readonly members: ReadonlyMap<string, JsonNode>
}
interface ListNode extends PlacedNode {
  readonly kind: "list"
  readonly items: readonly JsonNode[]
}
interface TextNode extends PlacedNode {
  readonly kind: "text"
  readonly text: string
}
interface NumberNode extends PlacedNode {
  readonly kind: "number"
  /** As it is written. */
  readonly digits: string
}
interface WordNode extends PlacedNode {
  readonly kind: "true" | "false" | "null"
}

const MAX_DEPTH = 32
/** Number of objects, lists, texts, numbers and words together. */
const MAX_VALUES = 100_000

/** Refuses with E-INT-028. */
export function parseJsonTree(bytes: Uint8Array): JsonNode {
  return new TreeReader(decoded(bytes)).whole()
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return refuse("E-INT-028", "byte 0", "it is not UTF-8")
  }
}

const SPACE = /[ \t\n\r]*/y
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const WORD = /true|false|null/y

function unquoted(quoted: string): string | undefined {
  try {
    const text: unknown = JSON.parse(quoted)
    return typeof text === "string" ? text : undefined
  } catch {
    return undefined
  }
}

class TreeReader {
  #at = 0
  #values = 0

  constructor(readonly text: string) {}

  whole(): JsonNode {
    const value = this.#value(0)
    this.#match(SPACE)
    if (this.#at < this.text.length) this.#refuse(`characters after its end: ${this.text.length - this.#at}`)
    return value
  }

  #refuse(found: string): never {
    return refuse("E-INT-028", `character ${this.#at}`, found)
  }

  #value(depth: number): JsonNode {
    if (depth > MAX_DEPTH) this.#refuse(`it is nested deeper than ${MAX_DEPTH}`)
    if (++this.#values > MAX_VALUES) this.#refuse(`it has more than ${MAX_VALUES} values`)
    this.#match(SPACE)
    const at = this.#at
    const first = this.text[at]
    if (first === "{") return this.#object(depth)
    if (first === "[") return this.#list(depth)
    if (first === '"') return { kind: "text", at, text: this.#string() }
    const digits = this.#match(NUMBER)
    if (digits !== undefined) return { kind: "number", at, digits }
    const word = this.#match(WORD)
    if (word === "true" || word === "false" || word === "null") return { kind: word, at }
    return this.#refuse("there is no value")
  }

  #object(depth: number): JsonNode {
    const at = this.#at++
    const members = new Map<string, JsonNode>()
    if (this.#skip("}")) return { kind: "object", at, members }
    do {
      this.#match(SPACE)
      const name = this.#string()
      if (members.has(name)) this.#refuse(`the member ${excerpt(name)} stands twice`)
      if (!this.#skip(":")) this.#refuse("there is no colon")
      members.set(name, this.#value(depth + 1))
    } while (this.#skip(","))
    if (!this.#skip("}")) this.#refuse("an object does not end")
    return { kind: "object", at, members }
  }

  #list(depth: number): JsonNode {
    const at = this.#at++
    const items: JsonNode[] = []
    if (this.#skip("]")) return { kind: "list", at, items }
    do items.push(this.#value(depth + 1))
    while (this.#skip(","))
    if (!this.#skip("]")) this.#refuse("a list does not end")
    return { kind: "list", at, items }
  }

  #string(): string {
    const start = this.#at
    if (this.text[start] !== '"') this.#refuse("there is no text")
    let end = start + 1
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === "\\" ? 2 : 1
    const text = unquoted(this.text.slice(start, end + 1)) ?? this.#refuse("a text is not as JSON writes it")
    // Half a surrogate pair has no UTF-8 bytes, and libraries differ in what they hash instead.
    if (!text.isWellFormed()) this.#refuse("a text holds half a character")
    this.#at = end + 1
    return text
  }

  /** Whether `letter` comes next, after white space; if so, advances past it. */
  #skip(letter: string): boolean {
    this.#match(SPACE)
    const isNext = this.text[this.#at] === letter
    if (isNext) this.#at++
    return isNext
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }
}
