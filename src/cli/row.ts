/** One row of the tables of commands. */
import type { Command } from "./command.ts"

export interface Row {
  /** The words to type: `["info", "group"]`. A row may be both a command and the parent of others. */
  readonly path: readonly string[]
  readonly summary: string
  /** Absent on a row that only groups others. */
  readonly load?: () => Promise<Command>
}
