/** The text of an error code with placeholders for its data: `what` is a function, so it is called with stand-ins. */
import { type Code, codes } from "../../src/errors.ts"

/** What a stand-in for a time becomes where a text formats it. */
const EPOCH = new Date(0).toISOString()

/** `<path> is in use by <holder>`; a stand-in says its own name however a text uses it. */
export function templateOf(code: Code): string {
  const what: (data: never) => unknown = codes[code].what
  try {
    return String(what(standIns("name")))
  } catch (error) {
    // a text that makes a date of a number wants a number
    if (!(error instanceof RangeError)) throw error
    return String(what(standIns("zero"))).replaceAll(EPOCH, "<time>")
  }
}

type Mode = "name" | "zero"

// The data of a code has a type of its own; the stand-in passes for each of them.
const standIns = (mode: Mode): never => new Proxy({}, { get: (_, key) => standIn(String(key), mode) }) as never

function standIn(name: string, mode: Mode): unknown {
  const shown = mode === "zero" ? 0 : `<${nice(name)}>`
  return new Proxy(() => undefined, {
    get: (_, key) => {
      if (key === Symbol.toPrimitive) return () => shown
      if (key === "toJSON") return () => shown
      return typeof key === "symbol" ? undefined : standIn(`${name}.${key}`, mode)
    },
    // a method of it: `names.join(", ")` is still the names
    apply: () => standIn(name.replace(/\.\w+$/, ""), mode),
  })
}

const nice = (name: string): string => name.replace(/\.(\d+)/g, "[$1]").replace(/^(.+)\.length$/, "number of $1")
