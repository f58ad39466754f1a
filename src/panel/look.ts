/**
 * The style of the pages and the helpers of their scripts, as text that is built into the program; and how text becomes markup
 * where a page is made here.
 */
import { createHash } from "node:crypto"
import base from "./base.css" with { type: "text" }
import kit from "./kit.js" with { type: "text" }

export const styleOf = (own: string): string => `${base}${own}`
export const scriptOf = (own: string): string => `${kit}${own}`

const digestSource = (text: string): string => `'sha256-${createHash("sha256").update(text).digest("base64")}'`

/** The content policy of a page that contains its script and style: only these run, named by their digests. */
export const policyOf = (script: string, style: string): string =>
  [
    "default-src 'none'",
    `script-src ${digestSource(script)}`,
    `style-src ${digestSource(style)}`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; ")
