/** max_batch: messages of one task. */

import type { Section } from "../request.ts"
import { allow, type Check, deny } from "../rule.ts"

export const maxBatch = (section: Section, max: number, size: number): Check => ({
  rule: `${section}.max_batch`,
  code: "E-RSK-010",
  ask: () => (size <= max ? allow(`${size} of at most ${max}`) : deny(`${size} messages where ${max} are allowed`)),
})
