/** The customer's servers, pinged as a node pings them: with the node's keys and the configured settings. */
import { createPrivateKey, type KeyObject, randomUUID } from "node:crypto"
import { createAsker } from "../../callback/ask.ts"
import { callbackServers } from "../../callback/servers.ts"
import type { Config } from "../../config/config.ts"
import { authorities } from "../../config/startup.ts"
import { fetchTrusting } from "../../config/trust.ts"
import { CosignerError } from "../../errors.ts"
import { deliver } from "../../events/deliver.ts"
import { pingEvent } from "../../events/envelope.ts"
import { eventServers } from "../../events/servers.ts"
import { selfOf } from "../../ops/inventory/nodeKeys.ts"
import type { Secret } from "../../secret.ts"
import type { Store } from "../../store/store.ts"
import { tokenSigner } from "../../wire/tssJwt.ts"
import { type Finding, failure, ok, skipped, warning } from "./finding.ts"
import { checkClock } from "./network.ts"

/** `store` undefined: it was not opened, and without its keys no server accepts our pings. */
export async function checkServers(config: Config, store: Store | undefined): Promise<readonly Finding[]> {
  return [...(await checkCallbacks(config, store)), ...(await checkEvents(config, store))]
}

async function checkCallbacks({ callback }: Config, store: Store | undefined): Promise<readonly Finding[]> {
  const check = "callback.ping"
  if (callback.cb_server.length + callback.cb_server_v2.length === 0)
    return [skipped(check, "no callback server is configured")]
  if (store === undefined) return [skipped(check, "the database is not open, and its key signs the ping")]
  try {
    const servers = callbackServers(callback)
    using key = store.callbackKey()
    const asker = createAsker({
      servers,
      settings: callback,
      sign: tokenSigner(rsaKey(key), "the node's callback key"),
      askKeyShareSign: false,
      fetch: fetchTrusting(authorities("callback.ca_path", callback.ca_path)),
      now: Date.now,
      newId: randomUUID,
      observe: () => {},
    })
    const asked = servers.map(async (server) => {
      const answer = await asker.ping(server, new AbortController().signal)
      const skew = answer.skewMs === undefined ? [] : [checkClock("callback.clock", server.address, answer.skewMs)]
      if (answer.kind !== "failed") return [ok(check, `${server.address} answers`), ...skew]
      const { code, reason } = answer
      return [failure(check, new CosignerError(code, { server: server.address, reason })), ...skew]
    })
    return (await Promise.all(asked)).flat()
  } catch (error) {
    if (error instanceof CosignerError) return [failure(check, error)]
    throw error
  }
}

async function checkEvents({ event }: Config, store: Store | undefined): Promise<readonly Finding[]> {
  const check = "event.ping"
  if (event.server.length === 0) return [skipped(check, "no event server is configured")]
  if (store === undefined) return [skipped(check, "the database is not open, and its key signs the ping")]
  try {
    const servers = eventServers(event)
    using key = store.eventKey()
    if (key === undefined) throw new CosignerError("E-RSK-201", {})
    using seed = store.identity()
    const { nodeId } = selfOf(seed)
    const sign = tokenSigner(rsaKey(key), "the node's event key")
    const send = fetchTrusting(authorities("event.ca_path", event.ca_path))
    const pinged = servers.map(async (server) => {
      const now = Date.now()
      const token = await sign(pingEvent(nodeId, randomUUID(), now).body, now + server.tokenExpireMinutes * 60_000)
      const notTaken = await deliver(send, server, token, new AbortController().signal)
      if (notTaken === undefined) return ok(check, `${server.url} takes events`)
      // No task waits for event servers.
      return warning(check, new CosignerError("E-RSK-210", { server: server.url, reason: notTaken.reason }))
    })
    return await Promise.all(pinged)
  } catch (error) {
    if (error instanceof CosignerError) return [failure(check, error)]
    throw error
  }
}

const rsaKey = (pkcs8: Secret): KeyObject =>
  createPrivateKey({ key: Buffer.from(pkcs8.expose().buffer), format: "der", type: "pkcs8" })
