/**
 * The look of the pages and the helpers of their scripts, as text that is built into the program; and how text becomes markup
 * where a page is made here.
 */
import { createHash } from "node:crypto"
import base from "./base.css" with { type: "text" }
import kit from "./kit.js" with { type: "text" }

export const styleOf = (own: string): string => `${base}${own}`
export const scriptOf = (own: string): string => `${kit}${own}`

/** A text in the policy of a page, by its digest. */
export const digestSource = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`
