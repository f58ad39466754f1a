import { describe, expect, test } from "bun:test"
import { CATALOGUE, createMetrics } from "../../../src/ops/metrics/catalogue.ts"
import { dashboard } from "../../../src/ops/metrics/dashboard.ts"
import { pointsOf } from "../../../src/ops/metrics/influx.ts"
import { prometheusText } from "../../../src/ops/metrics/prometheus.ts"
import {
  createRegistry,
  type Distribution,
  type Family,
  MAX_LABEL,
  MAX_SERIES,
  type Metric,
  OTHER,
} from "../../../src/ops/metrics/registry.ts"
import { readLines, readPrometheus } from "./parsers.ts"

const one = {
  hits_total: { type: "counter", unit: "", help: "Hits.", labels: ["who"] },
  level: { type: "gauge", unit: "", help: "Level.", labels: [] },
  took_seconds: { type: "histogram", unit: "seconds", help: "Took.", labels: [], buckets: [0.1, 1] },
} as const

const HOSTILE = 'a"b\\c\nd,e f=g{}\u2028ü\u0000\\'

describe("the registry", () => {
  test("counts, sets, and sorts values into the buckets they are at most", () => {
    const registry = createRegistry(one)
    registry.add("hits_total", { who: "a" })
    registry.add("hits_total", { who: "a" }, 2)
    registry.add("hits_total", { who: "b" })
    registry.add("hits_total", { who: "b" }, -5)
    registry.set("level", {}, 4)
    registry.set("level", {}, Number.NaN)
    for (const value of [0.1, 0.5, 1, 7]) registry.observe("took_seconds", {}, value)
    const [hits, level, took] = registry.families()
    expect(hits?.series.map(({ labels, value }) => [...labels.flat(), value])).toEqual([
      ["who", "a", 3],
      ["who", "b", 1],
    ])
    expect(level?.series[0]?.value).toBe(4)
    expect(took?.series[0]?.value).toEqual({ atMost: [1, 3], sum: 8.6, count: 4 } satisfies Distribution)
  })

  test("a metric without a value is not shown, and a gauge can be forgotten", () => {
    const registry = createRegistry(one)
    registry.set("level", {}, 1)
    expect(registry.families().map(({ name }) => name)).toEqual(["level"])
    registry.clear("level")
    expect(registry.families()).toEqual([])
  })

  test("labels that never end do not grow memory, and nothing counted is lost", () => {
    const registry = createRegistry(one)
    for (let i = 0; i < 10 * MAX_SERIES; i++) registry.add("hits_total", { who: `${i}` })
    const [hits] = registry.families()
    expect(hits?.series.length).toBe(MAX_SERIES + 1)
    expect(hits?.series.at(-1)?.labels).toEqual([["who", OTHER]])
    expect(hits?.series.reduce((sum, { value }) => sum + Number(value), 0)).toBe(10 * MAX_SERIES)
    registry.add("hits_total", { who: "x".repeat(10_000) })
    expect(hits?.series.every(({ labels }) => labels.every(([, value]) => value.length <= MAX_LABEL))).toBe(true)
  })
})

interface Loose {
  add(name: string, labels: object, by: number): void
  set(name: string, labels: object, value: number): void
  observe(name: string, labels: object, value: number): void
  families(): readonly Family[]
}

/** Every metric of the catalogue with a value, and labels as bad as they get. */
function filled() {
  // names and labels come as data here, so the types that tie them together are set aside
  const registry: Loose = createRegistry(CATALOGUE) as never
  for (const [name, { type, labels }] of Object.entries(CATALOGUE)) {
    for (const text of [HOSTILE, "plain", ""]) {
      const given = Object.fromEntries(labels.map((label) => [label, text]))
      if (type === "counter") registry.add(name, given, 3)
      if (type === "gauge") registry.set(name, given, 0.25)
      if (type === "histogram") for (const value of [0.0001, 0.3, 1e9]) registry.observe(name, given, value)
    }
  }
  return registry.families()
}

describe("the formats", () => {
  test("Prometheus: a strict reader takes all of it, and finds hostile labels whole", () => {
    const families = readPrometheus(prometheusText(filled(), ""))
    expect([...families.keys()]).toEqual(Object.keys(CATALOGUE))
    for (const [name, metric] of Object.entries(CATALOGUE)) {
      const family = families.get(name)
      expect(family?.type).toBe(metric.type)
      expect(family?.help).toBe(metric.help)
      if (metric.labels.length === 0) continue
      const seen = family?.samples.map(({ labels }) => labels[metric.labels[0] ?? ""])
      // control characters are blanks; everything else is as it was
      expect(seen).toContain('a"b\\c d,e f=g{}\u2028ü \\')
    }
  })
  test("InfluxDB: a strict reader takes all of it, under the same names", () => {
    const body = pointsOf(filled(), "", 1_795_000_000_000)
      .map((point) => point.toLineProtocol())
      .join("\n")
    const points = readLines(body)
    expect([...new Set(points.map(({ measurement }) => measurement))]).toEqual(Object.keys(CATALOGUE))
    expect(points.some(({ tags }) => Object.values(tags).includes('a"b/c d,e f=g{}\u2028ü /'))).toBe(true)
    const took = points.find(({ measurement }) => measurement === "cosigner_store_commit_seconds")
    expect(took?.fields).toMatchObject({ count: 3, "le_0.0005": 1, le_5: 2 })
    expect(took?.time).toBe(1_795_000_000_000)
  })
  test("a prefix stands before every name in both", () => {
    expect(
      [...readPrometheus(prometheusText(filled(), "x_")).keys()].every((name) => name.startsWith("x_cosigner_")),
    ).toBe(true)
    expect(pointsOf(filled(), "x_", 1).every((point) => point.toLineProtocol()?.startsWith("x_cosigner_"))).toBe(true)
  })
  test("the readers are strict", () => {
    for (const bad of [
      "a 1",
      "# HELP a h\n# TYPE a gauge\na 1\na 1\n",
      "# HELP a h\n# TYPE a gauge\na{x=1} 1\n",
      "# HELP a h\n# TYPE a gauge\nb 1\n",
      "# HELP a h\n# TYPE a gauge\na NaN\n",
    ]) {
      expect(() => readPrometheus(bad)).toThrow()
    }
    for (const bad of [
      "a value=1",
      "a,t= value=1 1795000000000",
      "a value=x 1795000000000",
      "a  value=1 1795000000000",
      "a,t=b c value=1 1795000000000",
    ]) {
      expect(() => readLines(bad)).toThrow()
    }
  })
})

test("the catalogue keeps the habits of its readers", () => {
  for (const [name, metric] of Object.entries<Metric>(CATALOGUE)) {
    expect(name).toMatch(/^cosigner_[a-z_]+$/)
    expect(name.endsWith("_total")).toBe(metric.type === "counter")
    if (metric.unit !== "") expect(name).toContain(metric.unit)
    expect(metric.help).toMatch(/^[A-Z1].*\.$/)
    for (const label of metric.labels) expect(["le", "job", "instance", "quantile", "__name__"]).not.toContain(label)
    if (metric.type === "histogram") expect([...metric.buckets]).toEqual([...metric.buckets].sort((a, b) => a - b))
  }
  expect(createMetrics().families()).toEqual([])
})

for (const source of ["prometheus", "influxdb"] as const) {
  test(`the ${source} dashboard asks for every metric, by names that are there`, () => {
    const text = JSON.stringify(dashboard(CATALOGUE, source, "x_"))
    for (const name of Object.keys(CATALOGUE)) expect(text).toContain(`x_${name}`)
    const { panels } = JSON.parse(text)
    expect(panels).toHaveLength(Object.keys(CATALOGUE).length)
    expect(new Set(panels.map((panel: { gridPos: object }) => JSON.stringify(panel.gridPos))).size).toBe(panels.length)
  })
}
