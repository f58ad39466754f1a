/** TOML as text to a document: its tree, and the line of each key. */
import { parse } from "toml"
import { CosignerError } from "../errors.ts"
import { linesOf } from "./tomlLines.ts"
import { type Document, plain, type Tree } from "./tree.ts"

/** `name` is what messages call the file. Throws E-CFG-002 with the line. */
export function parseToml(source: string, name: string): Document {
  try {
    return { name, tree: plain(parse(source)), lineOf: linesOf(source) }
  } catch (cause) {
    const { line, why } = syntaxError(cause)
    throw new CosignerError("E-CFG-002", { where: `${name}:${line}`, why: `this is not TOML: ${why}` }, { cause })
  }
}

/** A syntax error's own `line` points into the parser; its place is in `location`. Other errors have only `line`. */
function syntaxError(cause: unknown): { readonly line: number; readonly why: string } {
  const error: Tree = cause instanceof Error ? { ...cause, message: cause.message, line: readKey(cause, "line") } : {}
  const start = readKey(readKey(error["location"], "start"), "line")
  const found = error["found"]
  const why =
    typeof found === "string" ? `unexpected ${JSON.stringify(found)}` : String(error["message"] ?? "no reason")
  const line = start ?? error["line"]
  return { line: typeof line === "number" ? line : 1, why: why.replace(/\.$/, "") }
}

const readKey = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined
