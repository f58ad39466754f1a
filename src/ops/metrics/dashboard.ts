/** A Grafana dashboard of every metric in the catalogue, for a Prometheus or an InfluxDB (InfluxQL) data source. */
import type { Catalogue, Metric } from "./registry.ts"

type DataSource = "prometheus" | "influxdb"

interface PanelTarget {
  readonly refId: string
  readonly datasource: object
  readonly [key: string]: unknown
}

const WIDTH = 8
const HEIGHT = 7
const COLUMNS = 24 / WIDTH

/** Import it under Dashboards; it asks which data source to use. */
export function dashboard(catalogue: Catalogue, source: DataSource, prefix: string): object {
  return {
    title: "cosigner",
    uid: `cosigner-${source}`,
    tags: ["cosigner"],
    timezone: "browser",
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    templating: { list: [{ name: "source", label: "Data source", type: "datasource", query: source }] },
    panels: Object.entries(catalogue).map(([name, metric], i) => ({
      id: i + 1,
      type: "timeseries",
      title: titleOf(name),
      description: metric.help,
      datasource: DATASOURCE(source),
      gridPos: {
        x: (i % COLUMNS) * WIDTH,
        y: Math.floor(i / COLUMNS) * HEIGHT,
        w: WIDTH,
        h: HEIGHT,
      },
      fieldConfig: { defaults: { unit: unitOf(metric), min: metric.unit === "" ? 0 : null }, overrides: [] },
      targets:
        source === "prometheus" ? promTargets(`${prefix}${name}`, metric) : influxTargets(`${prefix}${name}`, metric),
    })),
  }
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana's own variable
const DATASOURCE = (type: DataSource): object => ({ type, uid: "${source}" })

const titleOf = (name: string): string =>
  name
    .replace(/^cosigner_/, "")
    .replace(/_total$/, "")
    .replaceAll("_", " ")

const unitOf = (metric: Metric): string => {
  if (metric.type === "counter") return "cps"
  return metric.unit === "seconds" ? "s" : metric.unit === "bytes" ? "bytes" : "short"
}

const byLabels = (labels: readonly string[]): string => (labels.length === 0 ? "" : ` by (${labels.join(", ")})`)
const legend = (labels: readonly string[]): string => labels.map((label) => `{{${label}}}`).join(" ")

function promTargets(name: string, metric: Metric): readonly PanelTarget[] {
  const target = (refId: string, expr: string, legendFormat: string): PanelTarget => ({
    refId,
    datasource: DATASOURCE("prometheus"),
    expr,
    legendFormat,
  })
  const { labels } = metric
  switch (metric.type) {
    case "counter":
      return [target("A", `sum${byLabels(["instance", ...labels])} (rate(${name}[$__rate_interval]))`, legend(labels))]
    case "gauge":
      return [target("A", name, legend(["instance", ...labels]))]
    case "histogram":
      return [0.5, 0.95].map((share, i) =>
        target(
          "AB"[i] ?? "",
          `histogram_quantile(${share}, sum${byLabels(["le", ...labels])} (rate(${name}_bucket[$__rate_interval])))`,
          `p${share * 100} ${legend(labels)}`.trim(),
        ),
      )
  }
}

function influxTargets(name: string, metric: Metric): readonly PanelTarget[] {
  const groups = ["time($__interval)", '"instance"', ...metric.labels.map((label) => `"${label}"`)].join(", ")
  const alias = ["[[tag_instance]]", ...metric.labels.map((label) => `[[tag_${label}]]`)].join(" ")
  const select = {
    gauge: 'mean("value")',
    counter: 'non_negative_derivative(mean("value"), 1s)',
    // The mean of the values of an interval: InfluxQL cannot compute a quantile from bucket counts.
    histogram: 'non_negative_difference(last("sum")) / non_negative_difference(last("count"))',
  }[metric.type]
  const query = `SELECT ${select} FROM "${name}" WHERE $timeFilter GROUP BY ${groups} fill(null)`
  return [{ refId: "A", datasource: DATASOURCE("influxdb"), query, rawQuery: true, alias, resultFormat: "time_series" }]
}
