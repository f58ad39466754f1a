/**
 * The public data of a node, in a file of its own beside the database (`secrets.db.public`), for commands without the password.
 * It is written at every start and signed by the node's own key. The signature proves the file, but not that it belongs to the database:
 * a whole file of another node is refused only where the two are compared. Nothing else relies on it; without it the password is needed.
 */
import { readFileSync } from "node:fs"
import { fromHex, toHex, utf8 } from "../../bytes.ts"
import { Malformed } from "../../codec.ts"
import { verifyEd25519 } from "../../crypto/ed25519.ts"
import { frame } from "../../crypto/frame.ts"
import { errorText } from "../../errors.ts"
import { errnoOf, replaceFile } from "../../files.ts"
import { partyBytes } from "../../keys/party.ts"
import { identityOf } from "../../mpc/envelope.ts"
import type { Store } from "../../store/store.ts"
import { closed, oneOf, parseJson, text, textUpTo } from "../../wire/json.ts"
import { nodeIdOf, parseNodeId } from "../../wire/nodeId.ts"
import { publicKeyPem } from "./nodeKeys.ts"
import { shownSelf } from "./self.ts"
import type { Shown } from "./shown.ts"

const MAX_BYTES = 8 * 1024

export const summaryPath = (db: string): string => `${db}.public`

const form = closed({
  version: oneOf(1),
  node_id: text(/^[!-~]{1,128}$/, "a node id"),
  callback_public_key: textUpTo(4096),
  signature: text(/^[0-9a-f]{128}$/, "a signature"),
})

const signed = (nodeId: string, pem: string) => frame("summary", utf8(nodeId), utf8(pem))

/** Durable. The database is complete without this file, so a failure is reported to `missed` and nothing throws. */
export function keepSummary(store: Summarised, missed: (why: string) => void): void {
  try {
    writeSummary(store)
  } catch (error) {
    missed(`the public summary beside the database could not be written: ${errorText(error)}`)
  }
}

type Summarised = Pick<Store, "path" | "identity" | "callbackKey">

function writeSummary(store: Summarised): void {
  using seed = store.identity()
  using callbackKey = store.callbackKey()
  const identity = identityOf(seed.expose())
  const nodeId = nodeIdOf(identity.party)
  const pem = publicKeyPem(callbackKey)
  const signature = toHex(identity.sign(signed(nodeId, pem)))
  const document = { version: 1, node_id: nodeId, callback_public_key: pem, signature }
  replaceFile(summaryPath(store.path), JSON.stringify(document))
}

/** Undefined if there is no file, or none that its own node id has signed. */
export function readSummary(db: string): Shown | undefined {
  try {
    const { node_id, callback_public_key, signature } = form(parseJson(readFileSync(summaryPath(db)), MAX_BYTES), "$")
    const party = parseNodeId(node_id)
    const bytes = fromHex(signature)
    if (party === undefined || bytes === undefined) return undefined
    if (!verifyEd25519(partyBytes(party), signed(node_id, callback_public_key), bytes)) return undefined
    return shownSelf(node_id, callback_public_key, db)
  } catch (error) {
    if (error instanceof Malformed || errnoOf(error) !== undefined) return undefined
    throw error
  }
}
