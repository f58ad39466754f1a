/** The pages of docs/reference/, by name. */
import { commandsPage } from "./commands.ts"
import { callbackServerPage, clientPage, configurationPage, waasPage } from "./configuration.ts"
import { errorsPage, exitCodesPage } from "./errors.ts"
import { intentsPage } from "./intents.ts"
import { metricsPage } from "./metrics.ts"
import { restPage } from "./rest.ts"

export const pages = async (): Promise<ReadonlyMap<string, string>> =>
  new Map([
    ["callback-server.toml.md", callbackServerPage()],
    ["client.toml.md", clientPage()],
    ["commands.md", await commandsPage()],
    ["configuration.md", configurationPage()],
    ["errors.md", errorsPage()],
    ["exit-codes.md", exitCodesPage()],
    ["intents.md", intentsPage()],
    ["metrics.md", metricsPage()],
    ["rest.md", restPage()],
    ["waas.toml.md", waasPage()],
  ])
