/** A call with the names of its arguments on one line: `exactInput(params: (recipient: 0x…, amountIn: 5))`. */
import { printable } from "../problem.ts"
import type { NamedArgument, NamedCall, NamedValue } from "./namedCall.ts"

/** Characters of all arguments together. An argument that has begun is finished, because addresses are never shortened. */
const MAX_CHARACTERS = 1000
/** Characters of one text or one run of bytes. */
const MAX_PIECE = 130

/** `spell` writes an address as its chain does, with its names. */
export function callText(call: NamedCall, spell: (address: Uint8Array) => string): string {
  const writer = new CallLine(spell)
  const line = `${call.name}(${writer.fields(call.arguments)})`
  return writer.left === 0 ? line : `${line} and ${writer.left} values more`
}

class CallLine {
  /** Number of values that did not fit. */
  left = 0
  #written = 0

  constructor(readonly spell: (address: Uint8Array) => string) {}

  fields(fields: readonly NamedArgument[]): string {
    return this.#all(
      fields.map(
        ({ name, value }) =>
          () =>
            `${name}: ${this.#value(value)}`,
      ),
    )
  }

  #all(writers: readonly (() => string)[]): string {
    const parts: string[] = []
    for (const write of writers) {
      if (this.#written < MAX_CHARACTERS) parts.push(write())
      else this.left++
    }
    return parts.length < writers.length ? [...parts, "…"].join(", ") : parts.join(", ")
  }

  #value(value: NamedValue): string {
    if (value.kind === "tuple") return `(${this.fields(value.fields)})`
    if (value.kind === "list") return `[${this.#all(value.items.map((item) => () => this.#value(item)))}]`
    const text = this.#leaf(value)
    this.#written += text.length
    return text
  }

  #leaf(value: Exclude<NamedValue, { readonly kind: "tuple" | "list" }>): string {
    switch (value.kind) {
      case "address":
        return this.spell(value.bytes)
      case "integer":
        return value.value.toString()
      case "word":
        return cut(value.text, (value.text.length - 2) / 2, "bytes")
      case "text":
        return printable(JSON.stringify(cut(value.text, value.text.length, "characters")))
    }
  }
}

const cut = (text: string, size: number, unit: string): string =>
  text.length <= MAX_PIECE ? text : `${text.slice(0, MAX_PIECE)}… (${size} ${unit})`
