/**
 * Measurements in memory: counters, gauges and histograms of one catalogue, each a bounded set of series. Pure: callers
 * report what they measured; prometheus.ts and influx.ts format it.
 */

export interface Counter<L extends string = string> {
  readonly type: "counter"
  readonly unit: string
  readonly help: string
  readonly labels: readonly L[]
}

export interface Gauge<L extends string = string> {
  readonly type: "gauge"
  readonly unit: string
  readonly help: string
  readonly labels: readonly L[]
}

export interface Histogram<L extends string = string> {
  readonly type: "histogram"
  readonly unit: string
  readonly help: string
  readonly labels: readonly L[]
  /** Upper bounds, ascending. A value above the last one is in no bucket, only in the count. */
  readonly buckets: readonly number[]
}

export type Metric = Counter | Gauge | Histogram
export type Catalogue = Readonly<Record<string, Metric>>

type NamesOfType<C extends Catalogue, T extends Metric["type"]> = {
  [N in keyof C]: C[N]["type"] extends T ? N : never
}[keyof C] &
  string
type LabelsOf<M extends Metric> = Readonly<Record<M["labels"][number], string>>

export interface Distribution {
  /** How many values were at most the bound of the bucket of the same index. */
  readonly atMost: readonly number[]
  readonly sum: number
  readonly count: number
}

export interface Series {
  /** In the order of the metric's labels. */
  readonly labels: readonly (readonly [label: string, value: string])[]
  readonly value: number | Distribution
}

export interface Family {
  readonly name: string
  readonly metric: Metric
  readonly series: readonly Series[]
}

export interface Registry<C extends Catalogue> {
  add<N extends NamesOfType<C, "counter">>(name: N, labels: LabelsOf<C[N]>, by?: number): void
  /** For counts that other code keeps: sets the counter to that total. */
  total<N extends NamesOfType<C, "counter">>(name: N, labels: LabelsOf<C[N]>, value: number): void
  set<N extends NamesOfType<C, "gauge">>(name: N, labels: LabelsOf<C[N]>, value: number): void
  /** Removes the series of a gauge: an unknown value is not shown. */
  clear<N extends NamesOfType<C, "gauge">>(name: N): void
  observe<N extends NamesOfType<C, "histogram">>(name: N, labels: LabelsOf<C[N]>, value: number): void
  /** Metrics that have a series, in the order of the catalogue. */
  families(): readonly Family[]
}

/** Series of one metric. Label values come from configuration and codes; beyond the bound they count under OTHER. */
export const MAX_SERIES = 200
export const MAX_LABEL = 120
export const OTHER = "other"

interface KeptSeries {
  readonly labels: Series["labels"]
  value: number
  /** Histograms: values per bucket, not yet summed up. */
  readonly buckets: number[]
  count: number
}

export function createRegistry<const C extends Catalogue>(catalogue: C): Registry<C> {
  const families = new Map<string, { readonly metric: Metric; readonly series: Map<string, KeptSeries> }>(
    Object.entries(catalogue).map(([name, metric]) => [name, { metric, series: new Map() }]),
  )

  function familyOf(name: string) {
    const family = families.get(name)
    if (family === undefined) throw new TypeError(`no metric ${name}`)
    return family
  }

  function keptFor(name: string, given: Readonly<Record<string, string>>): KeptSeries {
    const { metric, series } = familyOf(name)
    const values = metric.labels.map((label) => legible(given[label] ?? ""))
    const known = series.get(values.join("\n"))
    if (known !== undefined) return known
    const kept = series.size < MAX_SERIES ? values : values.map(() => OTHER)
    const key = kept.join("\n")
    const made = series.get(key) ?? {
      labels: metric.labels.map((label, i) => [label, kept[i] ?? ""] as const),
      value: 0,
      buckets: metric.type === "histogram" ? metric.buckets.map(() => 0) : [],
      count: 0,
    }
    series.set(key, made)
    return made
  }

  return {
    add(name, labels, by = 1) {
      if (by > 0) keptFor(name, labels).value += by
    },
    total(name, labels, value) {
      keptFor(name, labels).value = value
    },
    set(name, labels, value) {
      if (Number.isFinite(value)) keptFor(name, labels).value = value
    },
    clear: (name) => familyOf(name).series.clear(),
    observe(name, labels, value) {
      const { metric } = familyOf(name)
      if (metric.type !== "histogram" || !Number.isFinite(value)) return
      const kept = keptFor(name, labels)
      const bucket = metric.buckets.findIndex((bound) => value <= bound)
      if (bucket >= 0) kept.buckets[bucket] = (kept.buckets[bucket] ?? 0) + 1
      kept.value += value
      kept.count += 1
    },
    families: () =>
      [...families]
        .filter(([, { series }]) => series.size > 0)
        .map(([name, { metric, series }]) => ({
          name,
          metric,
          series: [...series.values()].map((kept) => ({ labels: kept.labels, value: readingOf(metric, kept) })),
        })),
  }
}

function readingOf(metric: Metric, { value, buckets, count }: KeptSeries): Series["value"] {
  if (metric.type !== "histogram") return value
  let sum = 0
  return { atMost: buckets.map((count) => (sum += count)), sum: value, count }
}

/** Labels end up in line-based formats: control characters become blanks, and long text is cut. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const legible = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ").slice(0, MAX_LABEL)
