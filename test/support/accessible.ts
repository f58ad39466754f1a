/** What keeps people from a page that they can neither see well nor point at: found by script, in a real browser (WCAG 2.2). */
import type { Page } from "./browser.ts"

/** Everything that is amiss, as sentences; empty for a page that everybody can use as far as a script can tell. */
export async function barriersOf(page: Page): Promise<readonly string[]> {
  const found: string[] = []
  // The style is a file of its own, perhaps.
  await page.until(`document.readyState === "complete"`)
  for (const dark of [false, true]) {
    const features = [{ name: "prefers-color-scheme", value: dark ? "dark" : "light" }]
    await page.send("Emulation.setEmulatedMedia", { features })
    for (const faint of await page.value(FAINT)) found.push(`${dark ? "dark" : "light"}: ${faint}`)
  }
  found.push(...(await nameless(page)), ...(await page.value(STRUCTURE)), ...(await tabbing(page)))
  return found
}

/** Small text has a contrast of 4.5:1 with what is behind it (1.4.3). */
const FAINT = `(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number)
  const groundOf = (of) => { for (let at = of; at; at = at.parentElement) { const [r, g, b, a = 1] = parse(getComputedStyle(at).backgroundColor); if (a > 0) return [r, g, b] } return [255, 255, 255] }
  const light = ([r, g, b]) => [r, g, b].map((of) => of / 255).map((of) => of <= 0.03928 ? of / 12.92 : ((of + 0.055) / 1.055) ** 2.4).reduce((sum, of, i) => sum + of * [0.2126, 0.7152, 0.0722][i], 0)
  const isRead = (of) => !of.closest(":disabled, svg, script, style, [hidden]") && of.getClientRects().length > 0
  const texts = [...document.querySelectorAll("body *")].filter((of) => isRead(of) && [...of.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim() !== ""))
  return texts.flatMap((of) => {
    const [x, y] = [light(parse(getComputedStyle(of).color)), light(groundOf(of))]
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05)
    return ratio >= 4.5 ? [] : ["contrast " + ratio.toFixed(2) + " of " + JSON.stringify(of.textContent.trim().slice(0, 30))]
  })
})()`

/** What can be acted on, and what is looked at, has a name (4.1.2, 1.1.1). */
async function nameless(page: Page): Promise<readonly string[]> {
  const { nodes } = await page.send("Accessibility.getFullAXTree")
  const NAMED = ["button", "combobox", "textbox", "link", "image", "region", "DisclosureTriangle"]
  return nodes
    .filter((node: AccessNode) => !node.ignored && NAMED.includes(node.role?.value ?? ""))
    .filter((node: AccessNode) => (node.name?.value ?? "").trim() === "")
    .map((node: AccessNode) => `a ${node.role?.value} has no name`)
}

interface AccessNode {
  readonly ignored: boolean
  readonly role?: { readonly value: string }
  readonly name?: { readonly value: string }
}

/** A language, a title, one main part, headings that skip no level, labels, tables with headers (1.3.1, 2.4.2, 2.4.6, 3.1.1). */
const STRUCTURE = `(() => {
  const amiss = []
  const shown = (of) => of.getClientRects().length > 0
  if (document.documentElement.lang === "") amiss.push("the page has no language")
  if (document.title.trim() === "") amiss.push("the page has no title")
  if (document.querySelectorAll("main").length !== 1) amiss.push("the page has not one main part")
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(shown).map((of) => Number(of.tagName[1]))
  if (levels[0] !== 1) amiss.push("the first heading is not of level 1")
  levels.forEach((level, i) => { if (i > 0 && level > levels[i - 1] + 1) amiss.push("a heading of level " + level + " follows one of level " + levels[i - 1]) })
  for (const field of document.querySelectorAll("input:not([hidden]), select")) if (field.labels.length === 0 && !field.ariaLabel) amiss.push("a field without label: " + field.id)
  for (const table of document.querySelectorAll("table")) if (table.querySelectorAll("th[scope]").length === 0) amiss.push("a table without headers")
  const ids = [...document.querySelectorAll("[id]")].map((of) => of.id)
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) amiss.push("two elements are called " + id)
  for (const of of document.querySelectorAll("[aria-labelledby], [aria-describedby]")) for (const name of ["aria-labelledby", "aria-describedby"]) { const id = of.getAttribute(name); if (id && !document.getElementById(id)) amiss.push(name + " names nothing: " + id) }
  if (document.querySelectorAll("[tabindex]:not([tabindex='0']):not([tabindex='-1'])").length > 0) amiss.push("an element changes the order of the keyboard")
  return amiss
})()`

const MOST_STOPS = 200

/** The keyboard reaches everything that can be acted on, in the order of the document, and shows where it is (2.1.1, 2.4.3, 2.4.7). */
async function tabbing(page: Page): Promise<readonly string[]> {
  await page.value(`(() => {
    const all = [...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
    window.stops = all.filter((of) => !of.disabled && !of.closest("[hidden]") && of.getClientRects().length > 0 && (of.tagName === "SUMMARY" || !of.closest("details:not([open])")))
    document.activeElement?.blur()
    getSelection().removeAllRanges()
    document.body.tabIndex = -1
    document.body.focus()
  })()`)
  const count: number = await page.value(`window.stops.length`)
  const found: string[] = []
  for (let i = 0; i < Math.min(count, MOST_STOPS); i++) {
    await page.key("Tab")
    const problem: string = await page.value(`(() => {
      const at = document.activeElement
      const style = getComputedStyle(at)
      const name = (of) => of === undefined ? "nothing" : of.id || of.tagName
      if (at !== window.stops[${i}]) return "the keyboard comes to " + name(at) + " in place of " + name(window.stops[${i}])
      return style.outlineStyle === "none" || parseFloat(style.outlineWidth) === 0 ? "nothing shows that " + name(at) + " is where the keyboard is" : ""
    })()`)
    if (problem !== "") found.push(problem)
  }
  return found
}
