/**
 * YAML as text to a document: the published format of a node's configuration. Only what a configuration needs is accepted: one
 * document, plain tables, lists and scalars; no anchors or aliases, no tags, no key twice.
 *
 * A key without a value, and an optional key with an empty text, counts as not set, because templates of that format list
 * every key like this. A text may be written without quotes, even where YAML would read a number or a switch.
 */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type Scalar, visit, type YAMLMap } from "yaml"
import { CosignerError } from "../errors.ts"
import { type Document, type KeyPath, type LineOf, plain, type Tree } from "./tree.ts"

/** Reads the tree that `schema` expects; check.ts finds the problems of its keys. Throws E-CFG-002 with the line. */
export function parseYaml(source: string, name: string, schema: TSchema): Document {
  return new YamlReader(source, name).read(schema)
}

/** The meaning of the parser's codes, in words that repeat nothing of the file. */
const WORDS: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "the key stands twice",
  MULTIPLE_DOCS: "a second document begins",
  TAB_AS_INDENT: "tabs cannot indent",
  TAG_RESOLVE_FAILED: "tags are not read",
  BAD_INDENT: "the indentation is wrong, or a bracket is not closed",
}

class YamlReader {
  readonly #source: string
  readonly #name: string
  readonly #counter = new LineCounter()
  readonly #lines = new Map<string, number>()

  constructor(source: string, name: string) {
    this.#source = source
    this.#name = name
  }

  read(schema: TSchema): Document {
    const top = this.#parse()
    if (top !== null && !isMap(top) && !(isScalar(top) && top.value === null))
      this.#refuse(this.#lineOf(top), "the file is no table of keys")
    const tree = isMap(top) ? this.#table(top, schema, []) : {}
    return { name: this.#name, tree: this.#plain(tree), lineOf: this.#lineOfPath() }
  }

  #parse() {
    const options = { lineCounter: this.#counter, schema: "core", strict: true, uniqueKeys: true, prettyErrors: false }
    const document = this.#bounded(() => parseDocument(this.#source, options))
    const [problem] = [...document.errors, ...document.warnings]
    if (problem !== undefined)
      this.#refuse(this.#counter.linePos(problem.pos[0]).line, WORDS[problem.code] ?? `malformed (${problem.code})`)
    visit(document, {
      Alias: (_, node) => this.#refuse(this.#lineOf(node), "aliases are not read: write the value out"),
      Node: (_, node) => {
        if (isNode(node) && "anchor" in node && node.anchor !== undefined)
          this.#refuse(this.#lineOf(node), "anchors are not read: write each value out")
      },
    })
    return document.contents
  }

  /** The parser recurses as deeply as the text nests. */
  #bounded<T>(parse: () => T): T {
    try {
      return parse()
    } catch (error) {
      if (error instanceof RangeError) return this.#refuse(1, "it is nested too deeply")
      throw error
    }
  }

  #table(map: YAMLMap, schema: TSchema | undefined, path: KeyPath): Tree {
    const tree: Tree = {}
    for (const { key, value } of map.items) {
      if (!isScalar(key)) return this.#refuse(this.#lineOf(map), "a key is a plain word")
      const word = textOf(key)
      const at = [...path, word]
      this.#note(at, this.#lineOf(key))
      const inner = schemaOf(schema, word)
      const found = this.#value(value, inner, at)
      const isUnset = found === null || found === undefined || (found === "" && isOptional(schema, word))
      if (!isUnset)
        Object.defineProperty(tree, word, { value: found, enumerable: true, writable: true, configurable: true })
    }
    return tree
  }

  #value(node: unknown, schema: TSchema | undefined, path: KeyPath): unknown {
    if (isMap(node)) return this.#table(node, schema, path)
    if (isSeq(node)) {
      const inner = schema !== undefined && KindGuard.IsArray(schema) ? schema.items : undefined
      return node.items.map((item, i) => {
        this.#note([...path, i], this.#lineOf(item))
        return this.#value(item, inner, [...path, i])
      })
    }
    if (!isScalar(node)) return undefined
    const isText = schema !== undefined && KindGuard.IsString(schema)
    return isText && node.value !== null && typeof node.value !== "string" ? textOf(node) : node.value
  }

  #plain(tree: Tree): Tree {
    try {
      return plain(tree)
    } catch (error) {
      if (error instanceof CosignerError || !(error instanceof Error)) throw error
      return this.#refuse(1, error.message)
    }
  }

  #lineOf(node: unknown): number {
    const range = isNode(node) ? node.range : undefined
    return this.#counter.linePos(range?.[0] ?? 0).line
  }

  #note(path: KeyPath, line: number): void {
    this.#lines.set(JSON.stringify(path), line)
  }

  #lineOfPath(): LineOf {
    return (path) => {
      for (let length = path.length; length > 0; length--) {
        const line = this.#lines.get(JSON.stringify(path.slice(0, length)))
        if (line !== undefined) return line
      }
      return 1
    }
  }

  #refuse(line: number, why: string): never {
    throw new CosignerError("E-CFG-002", { where: `${this.#name}:${line}`, why: `this YAML cannot be read: ${why}` })
  }
}

/** A scalar as written in the file, if a text is wanted. */
const textOf = (scalar: Scalar): string => scalar.source ?? String(scalar.value)

const propertyOf = (schema: TSchema | undefined, key: string): TSchema | undefined => {
  if (schema === undefined || !KindGuard.IsObject(schema) || !Object.hasOwn(schema.properties, key)) return undefined
  return schema.properties[key]
}

function schemaOf(schema: TSchema | undefined, key: string): TSchema | undefined {
  if (schema !== undefined && KindGuard.IsRecord(schema)) return Object.values<TSchema>(schema.patternProperties)[0]
  return propertyOf(schema, key)
}

const isOptional = (schema: TSchema | undefined, key: string): boolean => {
  const property = propertyOf(schema, key)
  return property !== undefined && KindGuard.IsOptional(property)
}
