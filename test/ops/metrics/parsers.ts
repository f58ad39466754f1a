/** Strict readers of the two text formats: whatever their specifications do not allow is an error here. */

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface PromFamily {
  readonly name: string
  readonly type: string
  readonly help: string
  readonly samples: readonly Sample[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*$/

/** Prometheus text format 0.0.4. */
export function readPrometheus(text: string): ReadonlyMap<string, PromFamily> {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end")
  const families = new Map<string, { name: string; type: string; help: string; samples: Sample[] }>()
  const seen = new Set<string>()
  let current: { name: string; type: string; help: string; samples: Sample[] } | undefined
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line)
    if (comment !== null) {
      const [, kind, name = "", rest = ""] = comment
      if (!NAME.test(name)) throw new Error(`bad name: ${line}`)
      if (kind === "HELP") {
        if (families.has(name)) throw new Error(`twice: ${name}`)
        current = { name, type: "", help: rest, samples: [] }
        families.set(name, current)
        continue
      }
      if (current?.name !== name || current.type !== "" || current.samples.length > 0)
        throw new Error(`TYPE out of place: ${line}`)
      if (!["counter", "gauge", "histogram"].includes(rest)) throw new Error(`type: ${line}`)
      current.type = rest
      continue
    }
    const sample = readSample(line)
    const key = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`
    if (seen.has(key)) throw new Error(`the same series twice: ${line}`)
    seen.add(key)
    const suffixes = current?.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""]
    if (current === undefined || !suffixes.some((suffix) => sample.name === `${current?.name}${suffix}`))
      throw new Error(`a sample outside its family: ${line}`)
    current.samples.push(sample)
  }
  for (const family of families.values()) {
    if (family.type === "histogram") checkHistogram(family)
    if (family.type === "counter" && family.samples.some(({ value }) => value < 0)) throw new Error("negative counter")
  }
  return families
}

function readSample(line: string): Sample {
  const head = /^([^\s{]+)(?:\{|\s)/.exec(line)?.[1] ?? ""
  if (!NAME.test(head)) throw new Error(`bad sample: ${line}`)
  const labels: Record<string, string> = {}
  let rest = line.slice(head.length)
  if (rest.startsWith("{")) {
    rest = rest.slice(1)
    while (!rest.startsWith("}")) {
      const found = /^([^=]+)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|(?=\}))/.exec(rest)
      const [whole = "", label = "", raw = ""] = found ?? []
      if (found === null || !LABEL.test(label) || label in labels) throw new Error(`bad labels: ${line}`)
      labels[label] = raw.replace(/\\(["\\n])/g, (_, char) => (char === "n" ? "\n" : char))
      rest = rest.slice(whole.length)
    }
    rest = rest.slice(1)
  }
  const value = /^ (-?\d+(?:\.\d+)?(?:e[-+]?\d+)?)$/.exec(rest)?.[1]
  if (value === undefined) throw new Error(`bad value: ${line}`)
  return { name: head, labels, value: Number(value) }
}

function checkHistogram({ name, samples }: { name: string; samples: readonly Sample[] }): void {
  const groups = new Map<string, { le: string; value: number }[]>()
  const counts = new Map<string, number>()
  for (const { name: full, labels, value } of samples) {
    const { le, ...others } = labels
    const key = JSON.stringify(others)
    if (full === `${name}_bucket`) groups.set(key, [...(groups.get(key) ?? []), { le: le ?? "", value }])
    if (full === `${name}_count`) counts.set(key, value)
  }
  for (const [key, buckets] of groups) {
    const bounds = buckets.map(({ le }) => (le === "+Inf" ? Number.POSITIVE_INFINITY : Number(le)))
    if (bounds.some((bound, i) => Number.isNaN(bound) || bound <= (bounds[i - 1] ?? Number.NEGATIVE_INFINITY)))
      throw new Error(`${name}: bounds`)
    if (buckets.some(({ value }, i) => value < (buckets[i - 1]?.value ?? 0))) throw new Error(`${name}: not cumulative`)
    if (buckets.at(-1)?.le !== "+Inf" || buckets.at(-1)?.value !== counts.get(key))
      throw new Error(`${name}: +Inf is not the count`)
  }
}

export interface LinePoint {
  readonly measurement: string
  readonly tags: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, number>>
  readonly time: number
}

/** InfluxDB line protocol, as far as numbers go: no strings, no booleans, a timestamp in ms on every line. */
export function readLines(body: string): readonly LinePoint[] {
  return body.split("\n").map((line) => {
    const parts = splitAt(line, " ")
    if (parts.length !== 3) throw new Error(`not three parts: ${line}`)
    const [head = "", fieldText = "", time = ""] = parts
    const [measurement = "", ...tagTexts] = splitAt(head, ",")
    if (measurement === "" || measurement.startsWith("_") || measurement.startsWith("#"))
      throw new Error(`measurement: ${line}`)
    const tags = pairs(tagTexts, line)
    if (Object.values(tags).includes("")) throw new Error(`an empty tag: ${line}`)
    const raw = pairs(splitAt(fieldText, ","), line)
    if (Object.keys(raw).length === 0) throw new Error(`no field: ${line}`)
    const fields = Object.fromEntries(
      Object.entries(raw).map(([key, text]) => {
        if (!/^-?\d+(?:i|(?:\.\d+)?(?:e[-+]?\d+)?)$/.test(text)) throw new Error(`field ${key}: ${line}`)
        return [key, Number(text.replace(/i$/, ""))]
      }),
    )
    if (!/^\d{13}$/.test(time)) throw new Error(`not milliseconds: ${line}`)
    return { measurement: plain(measurement), tags, fields, time: Number(time) }
  })
}

/** At separators that no backslash escapes. */
const splitAt = (text: string, separator: string): readonly string[] => {
  const parts = [""]
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ""
    if (char === "\\" && i + 1 < text.length) parts[parts.length - 1] += char + text[++i]
    else if (char === separator) parts.push("")
    else parts[parts.length - 1] += char
  }
  return parts
}

function pairs(texts: readonly string[], line: string): Record<string, string> {
  const out: Record<string, string> = {}
  for (const text of texts) {
    const [key = "", value, ...more] = splitAt(text, "=")
    if (key === "" || value === undefined || more.length > 0 || plain(key) in out)
      throw new Error(`pair ${text}: ${line}`)
    out[plain(key)] = plain(value)
  }
  return out
}

const plain = (text: string): string => text.replace(/\\(.)/g, "$1")
