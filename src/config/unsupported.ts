/** What the configuration can already say and this version cannot do yet. An entry goes when its feature comes. */
import type { Config } from "./config.ts"

export const NOT_YET: readonly { readonly key: string; readonly on: (config: Config) => boolean }[] = [
  { key: "backup.interval", on: (config) => config.backup.interval !== undefined },
  { key: "checkup.interval", on: (config) => config.checkup.interval !== undefined },
]
