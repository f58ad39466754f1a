/**
 * Calls the published JavaScript SDK against a WaaS of ours: one JSON line per call, with the type that its answer has.
 *
 * argv[2]: the folder where `@cobo/cobo-waas2` is installed; argv[3]: JSON with host, api_secret (hex), nodes [[name, node id]], hook
 * (webhook URL), to (an EVM address). A call that the SDK's models cannot read, or that answers an error, prints {"call", "error"} and
 * the script goes on.
 */
import { createRequire } from "node:module"
import { join } from "node:path"
import { createInterface } from "node:readline"

const [, , folder, argument] = process.argv
const given = JSON.parse(argument)
const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
// the SDK prints what it signs
console.log = () => undefined
const sdk = createRequire(join(folder, "calls.js"))("@cobo/cobo-waas2")

const client = sdk.ApiClient.instance
client.setEnv({ basePath: given.host })
client.setPrivateKey(given.api_secret)
const mpc = new sdk.WalletsMPCWalletsApi()
const wallets = new sdk.WalletsApi()
const transactions = new sdk.TransactionsApi()
const webhooks = new sdk.DevelopersWebhooksApi()
const developers = new sdk.DevelopersApi()

/** Has what was sent checked by the models too: what they construct takes any object. */
function check(value, sent) {
  if (Array.isArray(value)) {
    for (const [i, one] of value.entries()) check(one, sent[i])
    return `${value[0]?.constructor.name ?? ""}[]`
  }
  try {
    value?.constructor.validateJSON?.(sent)
  } catch (error) {
    // a fault of the SDK: its models of one among several kinds have no check, and lists of them call it all the same
    if (!/validateJSON is not a function/.test(error.message)) throw error
    for (const [i, one] of (value.data ?? []).entries()) check(one, sent.data[i])
  }
  return value?.constructor.name ?? "nothing"
}

async function call(name, api, method, ...args) {
  try {
    const { data, response } = await api[`${method}WithHttpInfo`](...args)
    tell({ call: name, type: check(data, response.body) })
    return data
  } catch (error) {
    const said = error.response?.text ?? `${error.name}: ${error.message}`
    tell({ call: name, error: said.slice(0, 600) })
    return {}
  }
}

async function until(what, ask, done) {
  const end = Date.now() + 60_000
  while (Date.now() < end) {
    const answer = await ask()
    if (done(answer)) return answer
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${what} did not come in time`)
}

await call("mpc.cobo_key_share_holders", mpc, "listCoboKeyHolders")
const project = await call("projects.create", mpc, "createMpcProject", {
  CreateMpcProjectRequest: { name: "p", participants: 3, threshold: 2 },
})
await call("projects.list", mpc, "listMpcProjects", {})
await call("projects.get", mpc, "getMpcProjectById", project.project_id)
await call("projects.update", mpc, "updateMpcProjectById", project.project_id, {
  UpdateMpcProjectByIdRequest: { name: "q" },
})

const vault = await call("vaults.create", mpc, "createMpcVault", {
  CreateMpcVaultRequest: { name: "v", vault_type: "User-Controlled", project_id: project.project_id },
})
const id = vault.vault_id
await call("vaults.list", mpc, "listMpcVaults", "User-Controlled", {})
await call("vaults.get", mpc, "getMpcVaultById", id)
await call("vaults.update", mpc, "updateMpcVaultById", id, { UpdateMpcVaultByIdRequest: { name: "w" } })

const makeGroup = (name, type, nodes) =>
  call(name, mpc, "createKeyShareHolderGroup", id, {
    CreateKeyShareHolderGroupRequest: {
      key_share_holder_group_type: type,
      participants: nodes.length,
      threshold: 2,
      key_share_holders: nodes.map(([holder, node]) => ({
        name: holder,
        type: "API",
        tss_node_id: node,
        signer: true,
      })),
    },
  })

const { nodes } = given
const group = await makeGroup("groups.create", "MainGroup", nodes.slice(0, 3))
const groupId = group.key_share_holder_group_id
await call("groups.list", mpc, "listKeyShareHolderGroups", id, {})
await call("groups.get", mpc, "getKeyShareHolderGroupById", id, groupId)
const unused = await makeGroup("groups.create (signing)", "SigningGroup", nodes.slice(3, 5))
await call("groups.delete", mpc, "deleteKeyShareHolderGroupById", id, unused.key_share_holder_group_id)

const answered = new Promise((resolve) => createInterface({ input: process.stdin }).once("line", resolve))
tell({ start: "nodes" })
await answered

const endpoint = await call("webhooks.endpoints.create", webhooks, "createWebhookEndpoint", {
  CreateWebhookEndpointRequest: {
    url: given.hook,
    subscribed_events: ["wallets.mpc.tss_request.succeeded", "wallets.transaction.succeeded"],
    description: "d",
  },
})

const asked = await call("tss_requests.create", mpc, "createTssRequest", id, {
  CreateTssRequestRequest: { type: "KeyGen", target_key_share_holder_group_id: groupId },
})
await call("tss_requests.list", mpc, "listTssRequests", id, groupId, {})
const succeeded = (request) => request.status === "Success"
await until("the key generation", () => mpc.getTssRequestById(id, asked.tss_request_id), succeeded)
await call("tss_requests.get", mpc, "getTssRequestById", id, asked.tss_request_id)

const fromGroup = (name, target) =>
  call(name, mpc, "createTssRequest", id, {
    CreateTssRequestRequest: {
      type: "KeyGenFromKeyGroup",
      target_key_share_holder_group_id: target.key_share_holder_group_id,
      source_key_share_holder_group: { key_share_holder_group_id: groupId },
    },
  })

const absent = await makeGroup("groups.create (with a node that is away)", "SigningGroup", nodes.slice(4, 6))
const pending = await fromGroup("tss_requests.create (to cancel)", absent)
await call("tss_requests.cancel", mpc, "cancelTssRequestById", id, pending.tss_request_id)
const second = await makeGroup("groups.create (second)", "SigningGroup", nodes.slice(3, 5))
const reshared = await fromGroup("tss_requests.create (KeyGenFromKeyGroup)", second)
await until("the second group", () => mpc.getTssRequestById(id, reshared.tss_request_id), succeeded)

await call("chains.supported", wallets, "listSupportedChains", {})
await call("chains.enabled", wallets, "listEnabledChains", {})
await call("chains.get", wallets, "getChainById", "ETH")
await call("tokens.supported", wallets, "listSupportedTokens", {})
await call("tokens.enabled", wallets, "listEnabledTokens", {})
await call("tokens.get", wallets, "getTokenById", "ETH")
const wallet = await call("wallets.create", wallets, "createWallet", {
  CreateWalletParams: { name: "wallet", wallet_type: "MPC", wallet_subtype: "User-Controlled", vault_id: id },
})
const walletId = (wallet.actualInstance ?? wallet).wallet_id
await call("wallets.list", wallets, "listWallets", {})
await call("wallets.get", wallets, "getWalletById", walletId)
await call("wallets.update", wallets, "updateWalletById", walletId, {
  UpdateWalletParams: { wallet_type: "MPC", name: "renamed" },
})
const made = await call("addresses.create", wallets, "createAddress", walletId, {
  CreateAddressRequest: { chain_id: "ETH", count: 2 },
})
await call("addresses.create (taproot)", wallets, "createAddress", walletId, {
  CreateAddressRequest: { chain_id: "BTC", count: 1, encoding: "ENCODING_P2TR" },
})
await call("addresses.list", wallets, "listAddresses", walletId, {})

const [{ address }] = made
const source = { source_type: "User-Controlled", wallet_id: walletId, address }
const open = new Set(["Submitted", "PendingScreening", "PendingAuthorization", "PendingSignature"])

async function signed(what, transactionId) {
  const ended = ({ status }) => !open.has(status)
  const found = await until(what, () => transactions.getTransactionById(transactionId), ended)
  const result = found.result?.actualInstance ?? found.result
  tell({
    signed: what,
    status: found.status,
    failed_reason: found.failed_reason ?? null,
    signature: result?.signature ?? null,
    raw_tx: found.raw_tx_info?.raw_tx ?? null,
    address,
  })
}

const message = await call("message_sign", transactions, "createMessageSignTransaction", {
  MessageSignParams: {
    request_id: crypto.randomUUID(),
    chain_id: "ETH",
    source,
    destination: { destination_type: "EVM_EIP_191_Signature", message: "aGVsbG8=" },
  },
})
await signed("message", message.transaction_id)

const destination = { destination_type: "Address", account_output: { address: given.to, amount: "0.5" } }
await call("estimate_fee", transactions, "estimateFee", {
  EstimateFeeParams: { request_type: "Transfer", source, token_id: "ETH", destination },
})
// transaction_process_type came to the service after this SDK: a body is sent as it is given
const transfer = await call("transfer (SignOnly)", transactions, "createTransferTransaction", {
  TransferParams: {
    request_id: crypto.randomUUID(),
    source,
    token_id: "ETH",
    destination,
    transaction_process_type: "SignOnly",
  },
})
await signed("transfer", transfer.transaction_id)
await call("broadcast", transactions, "broadcastSignedTransactions", {
  BroadcastSignedTransactionsRequest: { transaction_ids: [transfer.transaction_id] },
})
const contractCall = () => ({
  ContractCallParams: {
    request_id: crypto.randomUUID(),
    chain_id: "ETH",
    source,
    destination: { destination_type: "EVM_Contract", address: given.to, value: "0", calldata: "0x" },
    transaction_process_type: "BuildOnly",
  },
})
const built = await call("contract_call (BuildOnly)", transactions, "createContractCallTransaction", contractCall())
await call("transactions.list", transactions, "listTransactions", {})
await call("transactions.get", transactions, "getTransactionById", built.transaction_id)
await call("transactions.approval_detail", transactions, "getTransactionApprovalDetail", built.transaction_id)
await call("transactions.cancel", transactions, "cancelTransactionById", built.transaction_id)
await call("groups.update", mpc, "updateKeyShareHolderGroupById", id, second.key_share_holder_group_id, {
  UpdateKeyShareHolderGroupByIdRequest: { update_key_share_holder_group_action: "UpgradeToMainGroup" },
})
await call("wallets.delete", wallets, "deleteWalletById", walletId)

const { endpoint_id: endpointId } = endpoint
await call("webhooks.endpoints.list", webhooks, "listWebhookEndpoints", {})
await call("webhooks.endpoints.get", webhooks, "getWebhookEndpointById", endpointId)
await call("webhooks.endpoints.update", webhooks, "updateWebhookEndpointById", endpointId, {
  UpdateWebhookEndpointByIdRequest: { description: "e" },
})
await call("webhooks.definitions", webhooks, "listWebhookEventDefinitions")
const events = await call("webhooks.events.list", webhooks, "listWebhookEvents", endpointId, {})
const [{ event_id: eventId }] = events.data
await call("webhooks.events.get", webhooks, "getWebhookEventById", eventId, endpointId)
const delivered = ({ data }) => data.length > 0
await until("a delivery", () => webhooks.listWebhookEventLogs(eventId, endpointId, {}), delivered)
await call("webhooks.events.logs", webhooks, "listWebhookEventLogs", eventId, endpointId, {})
await call("developers.callback_messages", developers, "listCallbackMessages", {})
tell({ end: true })
// stdin is still open
process.exit(0)
