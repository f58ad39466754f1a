/** Lint for any list: a list that is written but empty, and a list that has a word twice. */
import type { Linting } from "./rule.ts"

/** `emptyRejects`: no task passes an empty list. */
export function lintList(list: readonly unknown[], { report }: Linting, emptyRejects: boolean): void {
  if (list.length === 0 && emptyRejects) report("error", "empty list: every task is rejected")
  const words = list.filter((item) => typeof item === "string")
  if (new Set(words).size < words.length) report("warning", "an entry is written twice")
}
