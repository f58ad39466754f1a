/** The OpenAPI document: served without a key, complete, and enough to make a client of. */
import { expect, test } from "bun:test"
import { ANSWERS } from "../../../src/waas/api/answers.ts"
import { routesOf } from "../../../src/waas/api/server.ts"
import { must, Rig } from "../../support/waas.ts"
import { Caller, type Pairs } from "./caller.ts"

interface Operation {
  readonly operationId: string
  readonly parameters: readonly { readonly name: string; readonly in: "path" | "query"; readonly required: boolean }[]
  readonly requestBody?: object
  readonly responses: Readonly<Record<string, unknown>>
}
interface Described {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

const described = async (rig: Rig): Promise<Described> =>
  (await rig.api(new Request("http://waas.test/openapi.json"))).json() as Promise<Described>

test("every call has an answer that is written down, or answers that it is not served", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  const routes = routesOf(rig.context())
  const without = routes.filter(({ method, path }) => ANSWERS[`${method} ${path}`] === undefined)
  expect(
    Object.keys(ANSWERS).filter((call) => !routes.some(({ method, path }) => call === `${method} ${path}`)),
  ).toEqual([])
  for (const { method, path } of without) {
    const answer = await caller.call(method, path.replaceAll(":", ""), method === "GET" ? {} : { body: {} })
    expect([method, path, answer.json.error_code]).toEqual([method, path, 2021])
  }
})

test("the document names each served call once, with its parameters, body and answers", async () => {
  await using rig = await Rig.open()
  const { openapi, paths } = await described(rig)
  expect(openapi).toBe("3.1.0")
  const operations = Object.entries(paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ call: `${verb.toUpperCase()} ${path}`, ...operation })),
  )
  expect(operations).toHaveLength(Object.keys(ANSWERS).length)
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
  for (const { call, parameters, responses } of operations) {
    const inPath = [...call.matchAll(/\{(\w+)\}/g)].map(([, name]) => must(name))
    expect(parameters.filter((parameter) => parameter.in === "path").map(({ name }) => name)).toEqual(inPath)
    expect(Object.keys(responses)).toEqual([call.startsWith("POST") ? "201" : "200", "default"])
  }
})

/** A client that knows nothing but the document. */
function clientOf(document: Described, caller: Caller) {
  const operations = new Map(
    Object.entries(document.paths).flatMap(([path, verbs]) =>
      Object.entries(verbs).map(([verb, operation]) => [operation.operationId, { path, verb, operation }] as const),
    ),
  )
  return async (operationId: string, args: Readonly<Record<string, string>> = {}, body?: unknown) => {
    const { path, verb, operation } = must(operations.get(operationId))
    const missing = operation.parameters.filter(({ name, required }) => required && args[name] === undefined)
    if (missing.length > 0) throw new Error(`${operationId} wants ${missing.map(({ name }) => name).join(", ")}`)
    if ((operation.requestBody === undefined) !== (body === undefined))
      throw new Error(`${operationId}: with or without a body?`)
    const query: Pairs = operation.parameters.flatMap(({ name, in: at }) => {
      const value = args[name]
      return at === "query" && value !== undefined ? [[name, value] as const] : []
    })
    const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => must(args[name]))
    const answer = await caller.call(verb.toUpperCase(), filled, { query, ...(body === undefined ? {} : { body }) })
    if (answer.status >= 300) throw new Error(`${operationId}: ${answer.text}`)
    return answer.json
  }
}

test("a client made from the document makes a vault, a wallet, an address and a webhook", async () => {
  await using rig = await Rig.open()
  const call = clientOf(await described(rig), await Caller.of(rig))
  const { vault } = await rig.madeVault()
  const vault_id = vault.vaultId
  expect((await call("get_wallets_mpc_vaults_by_vault_id", { vault_id })).vault_id).toBe(vault_id)
  expect((await call("get_wallets_mpc_vaults", { vault_type: "Org-Controlled" })).data).toHaveLength(1)
  const kind = { wallet_type: "MPC", wallet_subtype: "Org-Controlled" }
  const { wallet_id } = await call("post_wallets", {}, { name: "w", ...kind, vault_id })
  const [address] = await call("post_wallets_by_wallet_id_addresses", { wallet_id }, { chain_id: "ETH", count: 1 })
  expect((await call("get_wallets_by_wallet_id_addresses", { wallet_id })).data).toEqual([address])
  const hook = { url: "https://hooks.example.com/", subscribed_events: ["wallets.created"] }
  const { endpoint_id } = await call("post_webhooks_endpoints", {}, hook)
  expect((await call("get_webhooks_endpoints_by_endpoint_id", { endpoint_id })).url).toBe(hook.url)
  expect(call("get_wallets_mpc_vaults")).rejects.toThrow("wants vault_type")
})
