// @ts-check
// biome-ignore-all lint/correctness/noUnusedVariables: the scripts behind it use them
/**
 * What the scripts of the pages share; it stands before each of them. Text from answers goes into the document as text
 * (textContent, setAttribute of plain names), never as markup.
 */

/** @typedef {Record<string, any>} Json */

const SVG = "http://www.w3.org/2000/svg"

/** @param {string} id */
const byId = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`no element ${id}`)
  return found
}

// ---- making elements -------------------------------------------------------------------------------------------------

/**
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value)
  made.append(...children)
  return made
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {Node[]} children
 */
function svg(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value))
  made.append(...children)
  return made
}

/** Leaves what is right already, so that readers of the screen hear changes alone. @param {Node} node @param {string} text */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text
}

// ---- words -----------------------------------------------------------------------------------------------------------

/** @param {number} given */
function span(given) {
  const ms = Math.max(0, given)
  if (ms < 1000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min`
  if (ms < 172_800_000) return `${Math.floor(ms / 3_600_000)} h`
  return `${Math.floor(ms / 86_400_000)} days`
}

/** In the reader's time zone, which is named. @param {number} ms */
const clock = (ms) => {
  const behindMin = new Date(ms).getTimezoneOffset()
  const local = new Date(ms - behindMin * 60_000)
  return `${local.toISOString().slice(0, 19).replace("T", " ")} ${zone(behindMin)}`
}
/** `+01:00`, or `UTC`. @param {number} behindMin */
const zone = (behindMin) => {
  if (behindMin === 0) return "UTC"
  const min = Math.abs(behindMin)
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0")
  return `${behindMin < 0 ? "+" : "-"}${two(Math.floor(min / 60))}:${two(min % 60)}`
}
/** @param {number} bytes */
const size = (bytes) => (bytes < 1_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`)
/** @param {string} id */
const short = (id) => (id.length > 20 ? `${id.slice(0, 10)}…${id.slice(-6)}` : id)
/** @param {number} n @param {string} word */
const several = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`

/** @param {string} id @param {boolean} isDisabled */
function setDisabled(id, isDisabled) {
  const button = byId(id)
  if (button instanceof HTMLButtonElement) button.disabled = isDisabled
}

// ---- lists -----------------------------------------------------------------------------------------------------------

/** By id: what a row was made from, and the row. @type {Map<string, { stamp: string, row: HTMLTableRowElement }>} */
const rows = new Map()

/**
 * One page of a list in its table, with the buttons `newer` and `older`. Rows that stay as they are keep the focus, and all keep
 * their open details. Returns the rows.
 * @param {string} table
 * @param {Json[]} list
 * @param {{ idName: string, skip: number, nextSkip: number | null, draw: (one: Json) => HTMLTableRowElement }} how
 */
function showRows(table, list, { idName, skip, nextSkip, draw }) {
  const shown = list.map((one) => rowOf(one, one[idName], draw))
  const ids = new Set(list.map((one) => one[idName]))
  for (const id of rows.keys()) if (!ids.has(id)) rows.delete(id)
  const body = byId(table).querySelector("tbody")
  if (body === null) throw new Error(`${table} is no table`)
  shown.forEach((row, i) => {
    if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null)
  })
  while (body.children.length > shown.length) body.lastElementChild?.remove()
  const colspan = String(byId(table).querySelectorAll("thead th").length)
  if (shown.length === 0) body.append(el("tr", {}, el("td", { colspan, class: "quiet" }, "none")))
  say(byId("page"), list.length === 0 ? "" : `${skip + 1} to ${skip + list.length}`)
  setDisabled("newer", skip === 0)
  setDisabled("older", nextSkip === null)
  return shown
}

/** @param {Json} one @param {string} id @param {(one: Json) => HTMLTableRowElement} draw */
function rowOf(one, id, draw) {
  const stamp = JSON.stringify(one)
  const known = rows.get(id)
  if (known?.stamp === stamp) return known.row
  const row = draw(one)
  const details = row.querySelector("details")
  if (details !== null) details.open = known?.row.querySelector("details")?.open ?? false
  rows.set(id, { stamp, row })
  return row
}

/**
 * What signatures will do, as it was read from their payloads; each effect on a line of its own, nothing shortened.
 * @param {Json[]} intents
 */
const intentLines = (intents) =>
  intents.map(({ hash, text }) =>
    el(
      "ul",
      { class: "intent", title: `intent ${hash}` },
      .../** @type {string} */ (text).split("\n").map((line) => el("li", {}, line)),
    ),
  )
