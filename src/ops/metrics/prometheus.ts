/** Families in the text format 0.0.4 of Prometheus. */
import type { Distribution, Family, Series } from "./registry.ts"

/** `prefix` stands before every name. */
export function prometheusText(families: readonly Family[], prefix: string): string {
  return families.flatMap((family) => familyLines(family, `${prefix}${family.name}`)).join("")
}

function familyLines({ metric, series }: Family, name: string): readonly string[] {
  return [
    `# HELP ${name} ${escapeHelp(metric.help)}\n`,
    `# TYPE ${name} ${metric.type}\n`,
    ...series.flatMap(({ labels, value }) => {
      if (typeof value === "number") return [sample(name, labels, value)]
      return distributionLines(name, labels, value, metric.type === "histogram" ? metric.buckets : [])
    }),
  ]
}

const distributionLines = (
  name: string,
  labels: Series["labels"],
  { atMost, sum, count }: Distribution,
  bounds: readonly number[],
): readonly string[] => [
  ...bounds.map((bound, i) => sample(`${name}_bucket`, [...labels, ["le", String(bound)]], atMost[i] ?? 0)),
  sample(`${name}_bucket`, [...labels, ["le", "+Inf"]], count),
  sample(`${name}_sum`, labels, sum),
  sample(`${name}_count`, labels, count),
]

function sample(name: string, labels: Series["labels"], value: number): string {
  const inside = labels.map(([label, name]) => `${label}="${escapeLabel(name)}"`).join(",")
  return `${name}${inside === "" ? "" : `{${inside}}`} ${value}\n`
}

const escapeHelp = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")
const escapeLabel = (text: string): string => escapeHelp(text).replaceAll('"', '\\"')
