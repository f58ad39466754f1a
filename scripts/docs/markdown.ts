/** The little Markdown that the reference is written in. */

/** Text in a cell of a table. */
export const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")

export const code = (text: string): string => (text === "" ? "" : `\`${text.replaceAll("`", "'")}\``)

/** Nothing for a table without rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ""
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(" | ")} |`
  return `${[line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n")}\n`
}

export const GENERATED = "<!-- Made from the code by `npm run docs`. Changes belong there. -->"

/** A page: parts that are empty leave no gap. */
export const page = (title: string, ...parts: readonly string[]): string =>
  `${[`# ${title}`, GENERATED, ...parts]
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .join("\n\n")}\n`
