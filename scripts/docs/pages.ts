/** The pages of docs/reference/, by name. */
import { commandsPage } from "./commands.ts"
import { configurationPage } from "./configuration.ts"
import { errorsPage, exitCodesPage } from "./errors.ts"
import { metricsPage } from "./metrics.ts"
import { restPage } from "./rest.ts"

export const pages = async (): Promise<ReadonlyMap<string, string>> =>
  new Map([
    ["commands.md", await commandsPage()],
    ["configuration.md", configurationPage()],
    ["errors.md", errorsPage()],
    ["exit-codes.md", exitCodesPage()],
    ["metrics.md", metricsPage()],
    ["rest.md", restPage()],
  ])
