/** The configuration file as bytes and as a TOML tree; what its keys mean is check.ts's. */

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs"
import { parse } from "toml"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"

/** A table of TOML, as parsed: nothing about it is known yet. */
export type Tree = Record<string, unknown>

const MAX_BYTES = 4 * 1024 * 1024

/** Undefined if the default file is not there: a first `init` needs none. A file that was named must be there. */
export function readSource(file: string, named: boolean): string | undefined {
  let fd: number
  try {
    // Without waiting: the far end of a pipe may never come.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    const code = errnoOf(cause) ?? "unknown error"
    if (code === "ENOENT" && !named) return undefined
    throw new CosignerError("E-CFG-001", { file, why: code === "ENOENT" ? "there is no such file" : code }, { cause })
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new CosignerError("E-CFG-001", { file, why: "it is not a regular file" })
    if (stat.size > MAX_BYTES)
      throw new CosignerError("E-CFG-001", { file, why: `it is larger than ${MAX_BYTES} bytes` })
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(readFileSync(fd))
  } catch (cause) {
    if (cause instanceof CosignerError) throw cause
    throw new CosignerError("E-CFG-001", { file, why: "it is not UTF-8 text" }, { cause })
  } finally {
    closeSync(fd)
  }
}

export function parseToml(source: string, name: string): Tree {
  try {
    return plain(parse(source))
  } catch (cause) {
    const { line, why } = syntaxError(cause)
    throw new CosignerError("E-CFG-002", { where: `${name}:${line}`, why }, { cause })
  }
}

/** The parser's objects have no prototype and so may hold any key; ours have one, and one key must not reach it. */
function plain(table: Readonly<Tree>): Tree {
  if (Object.hasOwn(table, "__proto__")) throw Object.assign(new Error("no key may be called __proto__"), { line: 1 })
  const inner = (value: unknown): unknown =>
    Array.isArray(value) ? value.map(inner) : isTree(value) ? plain(value) : value
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, inner(value)]))
}

export const isTree = (value: unknown): value is Tree =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)

/** A syntax error's own `line` points into the parser; its place is in `location`. Other errors have `line` alone. */
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
