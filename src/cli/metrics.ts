/** `cosigner metrics list` and `cosigner metrics dashboard`: the list of metrics, and a dashboard for them. */
import { EXIT } from "../errors/entry.ts"
import { CATALOGUE } from "../ops/metrics/catalogue.ts"
import { dashboard as dashboardOf } from "../ops/metrics/dashboard.ts"
import type { Metric } from "../ops/metrics/registry.ts"
import { choice, command } from "./command.ts"

export const list = command({
  summary: "List every metric of a node",
  details: "The same names in Prometheus and in InfluxDB; metrics.name_prefix stands before them in both.",
  examples: [["cosigner metrics list --json", "for programs"]],
  run: async ({ config, out }) => {
    const { name_prefix: prefix } = (await config()).metrics
    const all = Object.entries<Metric>(CATALOGUE)
    out.result(
      all.map(([name, { type, unit, labels, help }]) => ({ name: `${prefix}${name}`, type, unit, labels, help })),
      all.flatMap(([name, { type, unit, labels, help }]) => [
        `${prefix}${name}${labels.length === 0 ? "" : `{${labels.join(",")}}`}  ${type}${unit === "" ? "" : `, ${unit}`}`,
        `    ${help}`,
      ]),
    )
    return EXIT.ok
  },
})

export const dashboard = command({
  summary: "Print a Grafana dashboard of every metric",
  details: "Import it in Grafana under Dashboards, New, Import; it asks which data source to use.",
  options: {
    source: choice("--source <kind>", "prometheus (default) or influxdb, by InfluxQL", ["prometheus", "influxdb"]),
  },
  examples: [["cosigner metrics dashboard > cosigner.json", "to a file"]],
  run: async ({ config, options, out }) => {
    const { name_prefix: prefix } = (await config()).metrics
    out.value(dashboardOf(CATALOGUE, options.source ?? "prometheus", prefix))
    return EXIT.ok
  },
})
