/**
 * Whether WaaS admits this node, which WaaS's own proof does not show. If the node runs, the node says so. Otherwise the check connects
 * under the node's key and without its fencing token: WaaS records nothing, gives out no task, and keeps a node that runs elsewhere.
 */
import type { Config } from "../../config/config.ts"
import { CosignerError } from "../../errors.ts"
import { type LinkOptions, shownUrl } from "../../link/options.ts"
import type { Store } from "../../store/store.ts"
import { askStatus } from "../status.ts"
import { type Finding, failure, ok, skipped } from "./finding.ts"
import { asNode, handshake } from "./handshake.ts"
import { holderOf } from "./running.ts"

const CHECK = "waas.admission"

export async function checkAdmission(
  options: LinkOptions,
  config: Pick<Config, "db" | "status">,
  store: Store | undefined,
): Promise<Finding> {
  if (holderOf(`${config.db.path}.lock`) !== undefined) return wordOfNode(config.status, shownUrl(options.url))
  if (store === undefined) return skipped(CHECK, "the database was not opened, and the node's key is in it")
  using seed = store.identity()
  try {
    await handshake(asNode(options, seed), "admission")
    return ok(CHECK, "WaaS knows this node and lets it in; that this database is the newest copy shows at the start")
  } catch (error) {
    if (error instanceof CosignerError) return failure(CHECK, error)
    throw error
  }
}

async function wordOfNode(status: Config["status"], url: string): Promise<Finding> {
  if (!status.enable) return skipped(CHECK, "the node runs, and its status port, which would tell, is off")
  try {
    const { link } = await askStatus(status)
    // If it has no line for this address, the node was started with another configuration.
    const { phase, last_error: error } = link.replicas.find((replica) => replica.url === url) ?? link
    if (phase === "online") return ok(CHECK, "the running node is online")
    if (error === null) return skipped(CHECK, `the running node is ${phase}`)
    const { code, message, next } = error
    return { check: CHECK, level: "failure", text: `the running node is ${phase}: ${message}`, code, next }
  } catch (error) {
    if (error instanceof CosignerError)
      return skipped(CHECK, `the running node does not tell: ${error.code} ${error.message}`)
    throw error
  }
}
