/** Reads a plain TOML table key by key and collects what is wrong with it; a key that nobody asked for is wrong too. */

export interface Problem {
  /** Keys and list indices from the table that was checked down to the value. */
  readonly at: readonly (string | number)[]
  readonly expected: string
  readonly got: string
}

export interface Table {
  has(key: string): boolean
  /** Required; false where missing, with a problem. */
  boolean(key: string): boolean
  booleanOr(key: string, fallback: boolean): boolean
  integer(key: string, min: number, max: number): number | undefined
  /** Required and not empty; "" where missing, with a problem. */
  word(key: string): string
  wordOr(key: string, fallback: string): string
  words(key: string): readonly string[] | undefined
  parsed<T>(key: string, expected: string, parse: (text: string) => T | undefined): readonly T[] | undefined
  choice<const W extends string>(key: string, ws: readonly W[]): W | undefined
  choices<const W extends string>(key: string, ws: readonly W[]): readonly W[] | undefined
  table<T>(key: string, read: (table: Table) => T): T | undefined
  tables<T>(key: string, read: (table: Table) => T): readonly T[] | undefined
  report(key: string, expected: string, got: unknown): void
  /** Reports a required key that is absent, and answers what to go on with. */
  absent<T>(key: string, expected: string, instead: T): T
  missing(key: string, expected: string): readonly never[]
  /** Reports the keys that were never asked for. */
  close(): void
}

const MAX_ITEMS = 10_000
const MAX_TEXT = 512

const shown = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "a table or a date"
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length > 60 ? `${text.slice(0, 60)}...` : text
}

/** Not a list, and not one of the objects that stand for a single value of TOML, such as a date. */
const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Object.prototype.toString.call(value) === "[object Object]"

export function tableOf(value: unknown, at: readonly (string | number)[], problems: Problem[]): Table {
  const raw: Readonly<Record<string, unknown>> = isTable(value) ? value : {}
  if (!isTable(value)) problems.push({ at, expected: "a table", got: shown(value) })
  const asked = new Set<string>()

  const get = (key: string): unknown => {
    asked.add(key)
    return Object.hasOwn(raw, key) ? raw[key] : undefined
  }
  const report = (key: string, expected: string, got: unknown, index?: number): void => {
    problems.push({ at: index === undefined ? [...at, key] : [...at, key, index], expected, got: shown(got) })
  }
  const list = <T>(key: string, expected: string, read: (item: unknown, index: number) => T | undefined) => {
    const found = get(key)
    if (found === undefined) return undefined
    if (!Array.isArray(found) || found.length > MAX_ITEMS) {
      report(key, `a list of at most ${MAX_ITEMS}: ${expected}`, found)
      return undefined
    }
    return found.flatMap((item: unknown, index) => {
      const one = read(item, index)
      if (one === undefined) report(key, expected, item, index)
      return one === undefined ? [] : [one]
    })
  }
  const plain = (item: unknown): string | undefined =>
    typeof item === "string" && item !== "" && item.length <= MAX_TEXT && !/\s/.test(item) ? item : undefined

  const self: Table = {
    has: (key) => Object.hasOwn(raw, key),
    boolean(key) {
      const found = get(key)
      if (typeof found !== "boolean") report(key, "true or false; it has no default", found)
      return found === true
    },
    booleanOr(key, fallback) {
      const found = get(key)
      if (found !== undefined && typeof found !== "boolean") report(key, "true or false", found)
      return typeof found === "boolean" ? found : fallback
    },
    integer(key, min, max) {
      const found = get(key)
      if (found === undefined) return undefined
      const fits = typeof found === "number" && Number.isSafeInteger(found) && found >= min && found <= max
      if (!fits) report(key, `an integer from ${min} to ${max}`, found)
      return fits ? found : undefined
    },
    word(key) {
      const found = plain(get(key))
      if (found === undefined) report(key, "a text without spaces", raw[key])
      return found ?? ""
    },
    wordOr(key, fallback) {
      const found = get(key)
      if (found === undefined) return fallback
      if (typeof found !== "string") report(key, "a text", found)
      return typeof found === "string" ? found : fallback
    },
    words: (key) => list(key, "a text without spaces", plain),
    parsed: (key, expected, parse) =>
      list(key, expected, (item) => (typeof item === "string" && item.length <= MAX_TEXT ? parse(item) : undefined)),
    choice(key, items) {
      const found = get(key)
      const word = items.find((candidate) => candidate === found)
      if (word === undefined) report(key, `one of ${items.join(", ")}`, found)
      return word
    },
    choices: (key, items) =>
      list(key, `one of ${items.join(", ")}`, (item) => items.find((candidate) => candidate === item)),
    table(key, read) {
      const found = get(key)
      if (found === undefined) return undefined
      const inner = tableOf(found, [...at, key], problems)
      const out = read(inner)
      inner.close()
      return out
    },
    tables: (key, read) =>
      list(key, "a table", (item, index) => {
        const inner = tableOf(item, [...at, key, index], problems)
        const out = read(inner)
        inner.close()
        return out
      }),
    report,
    absent(key, expected, instead) {
      if (!self.has(key)) report(key, expected, undefined)
      return instead
    },
    missing: (key, expected) => self.absent(key, expected, []),
    close() {
      const unknown = Object.keys(raw).filter((key) => !asked.has(key))
      for (const key of unknown) report(key, `no such key; known here: ${[...asked].toSorted().join(", ")}`, raw[key])
    },
  }
  return self
}
