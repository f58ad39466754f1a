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
