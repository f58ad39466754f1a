/** Run as a process of its own by tls.test.ts, because its environment is what is tested: prints how one dial went. */
import { fromHex } from "../../src/bytes.ts"
import { newIdentity } from "../wire/documents.ts"
import { startNode } from "./world.ts"

const [url = "", waasKey = ""] = process.argv.slice(2)
const node = startNode(
  { identity: { ...newIdentity(), publicKey: fromHex(waasKey) ?? new Uint8Array(0) }, port: 0 },
  { url },
)
await node.journal.until((all) =>
  all.some((one) => one.kind === "online" || (one.kind === "line" && one.line.level === "warn")),
)
console.log(node.link.state().lastError?.code ?? "online")
node.link.stop()
