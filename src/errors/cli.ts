import { EXIT, entry } from "./entry.ts"

/** Codes E-CLI-nnn: the command line, and the program itself. */
export const cliCodes = {
  "E-CLI-001": entry<{ readonly what: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `an invariant of this program is broken: ${d.what}`,
    next: "the operation was stopped; keep the log and report it",
  }),
} as const
