/**
 * Diagrams as text, and the SVG of each: docs/concepts/NAME.diagram becomes NAME.svg. Pure: the same text gives the same bytes.
 *
 *     stack TITLE                       rows of boxes, from top to bottom
 *     [Name | line | line] [Name]       a row
 *     v label | label                   an arrow down, with its label
 *
 *     sequence TITLE                    who tells whom what, in time
 *     columns A, B, C
 *     A > B: text                       a message
 *     A: text                           what A does
 *     = text                            a moment that all wait for
 *
 * The whole text is also the picture's description, for those who do not see it.
 */

const FONT = 13
const CHARACTER = 7
const LINE = 18
const MARGIN = 16

const STYLE = [
  "text{font:13px system-ui,sans-serif;fill:#1c2733}",
  ".name{font-weight:600}.small{fill:#4b5a69}",
  ".box{fill:#eef3f8;stroke:#5b7083}.line{stroke:#5b7083;fill:none}.head{fill:#5b7083}.moment{stroke:#5b7083;stroke-dasharray:4 4}",
  ".paper{fill:#ffffff}",
  "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#a9b7c4}.box{fill:#1d2733;stroke:#8296a8}",
  ".line,.moment{stroke:#8296a8}.head{fill:#8296a8}.paper{fill:#0d1117}}",
].join("")

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const widthOf = (texts: readonly string[]): number => Math.max(...texts.map((text) => text.length)) * CHARACTER

type Anchor = "start" | "middle"

const textAt = (x: number, y: number, text: string, kind: string, anchor: Anchor = "middle"): string =>
  `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}">${escaped(text)}</text>`

interface Drawing {
  readonly width: number
  readonly height: number
  readonly parts: readonly string[]
}

/** The SVG of a diagram's text. Throws for a line that is none of its kind's. */
export function svgOf(source: string): string {
  const lines = source.split("\n").filter((line) => line.trim() !== "")
  const [first = "", ...rest] = lines
  const [, kind, title = ""] = /^(stack|sequence) (.+)$/.exec(first) ?? []
  if (kind === undefined) throw new Error(`not a diagram: ${first}`)
  const { width, height, parts } = kind === "stack" ? stack(rest) : sequence(rest)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="t d" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<title id="t">${escaped(title)}</title>`,
    `<desc id="d">${escaped(rest.join("\n"))}</desc>`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="a" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto"><path class="head" d="M0 0L9 4L0 8Z"/></marker></defs>',
    `<rect class="paper" width="${width}" height="${height}"/>`,
    ...parts,
    "</svg>",
    "",
  ].join("\n")
}

// ---- rows of boxes -----------------------------------------------------------------------------------------------------

interface StackRow {
  readonly boxes: readonly (readonly string[])[]
  /** Labels of the arrow that leads down from it, where there is one. */
  readonly below: readonly string[] | undefined
}

function rowsOf(lines: readonly string[]): readonly StackRow[] {
  const rows: { boxes: readonly (readonly string[])[]; below: readonly string[] | undefined }[] = []
  for (const line of lines) {
    const last = rows.at(-1)
    if (line.startsWith("v ") && last !== undefined) last.below = partsOf(line.slice(2))
    else if (/^\[.*\]$/.test(line))
      rows.push({ boxes: [...line.matchAll(/\[([^\]]*)\]/g)].map(([, text = ""]) => partsOf(text)), below: undefined })
    else throw new Error(`not a line of a stack: ${line}`)
  }
  return rows
}

const partsOf = (text: string): readonly string[] => text.split("|").map((part) => part.trim())

function stack(lines: readonly string[]): Drawing {
  const rows = rowsOf(lines)
  const gap = 24
  const widthsOf = ({ boxes }: StackRow) => boxes.map((texts) => widthOf(texts) + 2 * MARGIN)
  const rowWidth = (row: StackRow) => widthsOf(row).reduce((sum, one) => sum + one + gap, -gap)
  const inner = Math.max(...rows.map(rowWidth), ...rows.map(({ below }) => 2 * widthOf(below ?? [""]) + 40))
  const width = inner + 2 * MARGIN
  const parts: string[] = []
  let y = MARGIN
  for (const row of rows) {
    const height = Math.max(...row.boxes.map((texts) => texts.length)) * LINE + 18
    // boxes of a row share the whole width, so that columns stand below one another
    const spare = (inner - rowWidth(row)) / row.boxes.length
    let x = MARGIN
    for (const [i, texts] of row.boxes.entries()) {
      const boxWidth = (widthsOf(row)[i] ?? 0) + spare
      parts.push(`<rect class="box" x="${x}" y="${y}" width="${boxWidth}" height="${height}" rx="6"/>`)
      for (const [n, text] of texts.entries()) {
        parts.push(textAt(x + boxWidth / 2, y + 9 + FONT + n * LINE, text, n === 0 ? "name" : "small"))
      }
      x += boxWidth + gap
    }
    y += height
    if (row.below === undefined) {
      y += gap
      continue
    }
    const length = row.below.length * LINE + 22
    parts.push(`<path class="line" marker-end="url(#a)" d="M${width / 2} ${y}V${y + length}"/>`)
    for (const [n, label] of row.below.entries()) {
      parts.push(textAt(width / 2 + 10, y + 10 + FONT + n * LINE, label, "small", "start"))
    }
    y += length
  }
  return { width, height: y - gap + MARGIN, parts }
}

// ---- messages in time --------------------------------------------------------------------------------------------------

type SequenceLine =
  | { readonly kind: "message"; readonly from: string; readonly to: string; readonly text: string }
  | { readonly kind: "deed"; readonly by: string; readonly text: string }
  | { readonly kind: "moment"; readonly text: string }

function sequenceLine(line: string): SequenceLine {
  const [, moment] = /^= (.+)$/.exec(line) ?? []
  if (moment !== undefined) return { kind: "moment", text: moment }
  const [, from, to, text] = /^([^>:]+) > ([^:]+): (.+)$/.exec(line) ?? []
  if (from !== undefined && to !== undefined && text !== undefined) return { kind: "message", from, to, text }
  const [, by, deed] = /^([^:]+): (.+)$/.exec(line) ?? []
  if (by !== undefined && deed !== undefined) return { kind: "deed", by, text: deed }
  throw new Error(`not a line of a sequence: ${line}`)
}

function sequence([columns = "", ...lines]: readonly string[]): Drawing {
  const names = columns.replace(/^columns /, "").split(", ")
  const steps = lines.map(sequenceLine)
  const at = (name: string): number => {
    const index = names.indexOf(name)
    if (index < 0) throw new Error(`no column: ${name}`)
    return index
  }
  // a text must fit between its columns, and what somebody does beside the line
  const pitch = Math.max(
    widthOf(names) + 40,
    ...steps.map((step) => {
      if (step.kind === "moment") return 0
      const span = step.kind === "message" ? Math.abs(at(step.to) - at(step.from)) : 2
      return (step.text.length * CHARACTER + 30) / span
    }),
  )
  const xOf = (name: string): number => MARGIN + pitch / 2 + at(name) * pitch
  const width = Math.ceil(names.length * pitch + 2 * MARGIN)
  const parts: string[] = []
  let y = MARGIN + 34
  for (const step of steps) {
    y += step.kind === "moment" ? 34 : 30
    if (step.kind === "moment") {
      parts.push(`<path class="moment" d="M${MARGIN} ${y}H${width - MARGIN}"/>`)
      parts.push(textAt(width / 2, y - 5, step.text, "name"))
    } else if (step.kind === "message") {
      parts.push(`<path class="line" marker-end="url(#a)" d="M${xOf(step.from)} ${y}H${xOf(step.to)}"/>`)
      parts.push(textAt((xOf(step.from) + xOf(step.to)) / 2, y - 5, step.text, "small"))
    } else {
      const half = (step.text.length * CHARACTER) / 2 + 8
      const x = Math.min(Math.max(xOf(step.by), half + 4), width - half - 4)
      parts.push(`<rect class="box" x="${x - half}" y="${y - 16}" width="${2 * half}" height="22" rx="6"/>`)
      parts.push(textAt(x, y, step.text, "small"))
    }
  }
  const height = y + MARGIN + 10
  const heads = names.flatMap((name) => {
    const x = xOf(name)
    const half = widthOf([name]) / 2 + 12
    return [
      `<path class="line" d="M${x} ${MARGIN + 28}V${height - MARGIN}"/>`,
      `<rect class="box" x="${x - half}" y="${MARGIN}" width="${2 * half}" height="28" rx="6"/>`,
      textAt(x, MARGIN + 18, name, "name"),
    ]
  })
  return { width, height, parts: [...heads, ...parts] }
}
