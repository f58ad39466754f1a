/** One text for each value of a bundle, whatever the order of its keys. It is used to compare values and to show differences. */

export function formOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(formOf).join(",")}]`
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "nothing"
  const members = Object.entries(value)
    .filter(([, inner]) => inner !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, inner]) => `${JSON.stringify(key)}:${formOf(inner)}`).join(",")}}`
}
