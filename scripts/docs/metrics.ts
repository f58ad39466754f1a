/** metrics.md, from the catalogue that Prometheus and InfluxDB are fed by. */
import { CATALOGUE } from "../../src/ops/metrics/catalogue.ts"
import { code, page, table } from "./markdown.ts"

export const metricsPage = (): string =>
  page(
    "Metrics",
    [
      "`/metrics` of the status port (Prometheus) and InfluxDB have the same names. In InfluxDB [metrics] `name_prefix` precedes each name,",
      "and `job` and `instance` are tags of every point. `cosigner metrics dashboard` prints a dashboard for Grafana.",
    ].join("\n"),
    table(
      ["name", "type", "unit", "labels", "meaning"],
      Object.entries(CATALOGUE).map(([name, { type, unit, labels, help }]) => [
        code(name),
        type,
        unit,
        labels.map(code).join(", "),
        help,
      ]),
    ),
  )
