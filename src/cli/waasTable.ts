/** The commands of the coordinator and of its callers: rows of table.ts, in the order in which help shows them. */
import type { Row } from "./row.ts"

export const waasTable: readonly Row[] = [
  { path: ["waas"], summary: "Run the coordinator that nodes and callers connect to" },
  {
    path: ["waas", "init"],
    summary: "Create a WaaS: its folder, its signing key, its database",
    load: async () => (await import("./waas.ts")).init,
  },
  {
    path: ["waas", "info"],
    summary: "Show the public keys of a WaaS, and which database is in force",
    load: async () => (await import("./waas.ts")).info,
  },
  {
    path: ["waas", "start"],
    summary: "Serve the REST API and the nodes' relay until a signal",
    load: async () => (await import("./waas.ts")).start,
  },
  {
    path: ["waas", "adopt"],
    summary: "Make the vaults of a lost waas.db again from what nodes hold",
    load: async () => (await import("./waasAdopt.ts")).adoptCommand,
  },
  { path: ["waas", "backup"], summary: "Sealed, proven backups of a WaaS, and the way back from them" },
  {
    path: ["waas", "backup", "create"],
    summary: "Write a proven backup of a WaaS; it may be running",
    load: async () => (await import("./waasBackup.ts")).create,
  },
  {
    path: ["waas", "backup", "key"],
    summary: "Write a proven backup of a WaaS's signing key, once",
    load: async () => (await import("./waasBackup.ts")).key,
  },
  {
    path: ["waas", "backup", "verify"],
    summary: "Prove a backup of a WaaS or of its key, with nothing but its password",
    load: async () => (await import("./waasBackup.ts")).verify,
  },
  {
    path: ["waas", "backup", "restore"],
    summary: "Make the folder of a WaaS again from a backup, on any host",
    load: async () => (await import("./waasBackup.ts")).restore,
  },
  { path: ["waas", "key"], summary: "Say who may call the REST API" },
  {
    path: ["waas", "key", "create"],
    summary: "Register an API key",
    load: async () => (await import("./waasKey.ts")).create,
  },
  {
    path: ["waas", "key", "list"],
    summary: "List the API keys",
    load: async () => (await import("./waasKey.ts")).list,
  },
  {
    path: ["waas", "key", "revoke"],
    summary: "Revoke an API key, at once and for good",
    load: async () => (await import("./waasKey.ts")).revoke,
  },
  { path: ["approve"], summary: "Read what waits for people, and approve or reject it with your own key" },
  {
    path: ["approve", "list"],
    summary: "List what waits for people, each task read here",
    load: async () => (await import("./approve/list.ts")).list,
  },
  {
    path: ["approve", "show"],
    summary: "Show a task that waits: what it does, and what nobody here could verify",
    load: async () => (await import("./approve/list.ts")).show,
  },
  {
    path: ["approve", "approve"],
    summary: "Approve a task with your own key",
    load: async () => (await import("./approve/decide.ts")).approve,
  },
  {
    path: ["approve", "reject"],
    summary: "Reject a task: the word of one member is enough",
    load: async () => (await import("./approve/decide.ts")).reject,
  },
  {
    path: ["approve", "request"],
    summary: "Confirm that you asked for a task, which makes you its initiator",
    load: async () => (await import("./approve/decide.ts")).request,
  },
  {
    path: ["approvals-page"],
    summary: "Serve a page on which people approve with passkeys; never where WaaS runs",
    load: async () => (await import("./approve/page.ts")).approvalsPage,
  },
  { path: ["client"], summary: "Ask WaaS for keys, addresses and signatures, and verify what it answers" },
  {
    path: ["client", "init"],
    summary: "Write the profile of a client, and make its API key",
    load: async () => (await import("./client/init.ts")).init,
  },
  { path: ["client", "project"], summary: "Projects: each fixes threshold and nodes of its vaults' groups" },
  {
    path: ["client", "project", "create"],
    summary: "Make a project: main groups of its vaults have so many nodes and this threshold",
    load: async () => (await import("./client/project.ts")).create,
  },
  {
    path: ["client", "project", "list"],
    summary: "List the projects",
    load: async () => (await import("./client/project.ts")).list,
  },
  {
    path: ["client", "project", "show"],
    summary: "Show a project",
    load: async () => (await import("./client/project.ts")).show,
  },
  {
    path: ["client", "project", "rename"],
    summary: "Give a project another name",
    load: async () => (await import("./client/project.ts")).rename,
  },
  { path: ["client", "vault"], summary: "The vaults: names for keys" },
  {
    path: ["client", "vault", "create"],
    summary: "Make a vault: a name for keys that nodes are yet to make",
    load: async () => (await import("./client/vault.ts")).create,
  },
  {
    path: ["client", "vault", "list"],
    summary: "List the vaults",
    load: async () => (await import("./client/vault.ts")).list,
  },
  {
    path: ["client", "vault", "show"],
    summary: "Show a vault and its root keys",
    load: async () => (await import("./client/vault.ts")).show,
  },
  {
    path: ["client", "vault", "rename"],
    summary: "Give a vault another name",
    load: async () => (await import("./client/vault.ts")).rename,
  },
  { path: ["client", "group"], summary: "The groups of nodes that hold a vault's keys" },
  {
    path: ["client", "group", "create"],
    summary: "Make a group of nodes that shall hold a vault's keys together",
    load: async () => (await import("./client/group.ts")).create,
  },
  {
    path: ["client", "group", "list"],
    summary: "List the groups of a vault",
    load: async () => (await import("./client/group.ts")).list,
  },
  {
    path: ["client", "group", "show"],
    summary: "Show a group: its nodes, which are online, its keys",
    load: async () => (await import("./client/group.ts")).show,
  },
  {
    path: ["client", "group", "keygen"],
    summary: "Have the nodes of a main group make the vault's keys, on each curve",
    load: async () => (await import("./client/group.ts")).keygen,
  },
  {
    path: ["client", "group", "reshare"],
    summary: "Deal the shares of a vault's keys again: to the same nodes, to others, or to a further group",
    load: async () => (await import("./client/group.ts")).reshare,
  },
  {
    path: ["client", "group", "checkup"],
    summary: "Have nodes prove that they hold their shares of a group's keys",
    load: async () => (await import("./client/group.ts")).checkup,
  },
  {
    path: ["client", "order"],
    summary: "Hand a signed order to a node through WaaS: freeze, unfreeze, veto",
    load: async () => (await import("./client/order.ts")).order,
  },
  { path: ["client", "wallet"], summary: "Wallets: names for addresses of a vault" },
  {
    path: ["client", "wallet", "create"],
    summary: "Make a wallet: a name for addresses of a vault",
    load: async () => (await import("./client/wallet.ts")).create,
  },
  {
    path: ["client", "wallet", "list"],
    summary: "List the wallets, of one vault or of all",
    load: async () => (await import("./client/wallet.ts")).list,
  },
  {
    path: ["client", "wallet", "show"],
    summary: "Show a wallet",
    load: async () => (await import("./client/wallet.ts")).show,
  },
  {
    path: ["client", "wallet", "rename"],
    summary: "Give a wallet another name",
    load: async () => (await import("./client/wallet.ts")).rename,
  },
  { path: ["client", "address"], summary: "Addresses, each derived again" },
  {
    path: ["client", "address", "new"],
    summary: "Make addresses of a wallet, each at a path that was never used",
    load: async () => (await import("./client/address.ts")).create,
  },
  {
    path: ["client", "address", "list"],
    summary: "List the addresses of a wallet, each derived again",
    load: async () => (await import("./client/address.ts")).list,
  },
  {
    path: ["client", "address", "verify"],
    summary: "Say whether an address is a vault's own",
    load: async () => (await import("./client/address.ts")).verify,
  },
  {
    path: ["client", "sign"],
    summary: "Have the nodes of a vault sign a message, a payload or a digest",
    load: async () => (await import("./client/sign.ts")).sign,
  },
  {
    path: ["client", "transfer"],
    summary: "Have the nodes of a vault sign a payment on an EVM chain",
    load: async () => (await import("./client/transfer.ts")).transfer,
  },
  { path: ["client", "request"], summary: "Requests that were made" },
  {
    path: ["client", "request", "list"],
    summary: "List the signing requests of a vault; their signatures are verified again",
    load: async () => (await import("./client/request.ts")).list,
  },
  {
    path: ["client", "request", "show"],
    summary: "Show a request; its signatures are verified again",
    load: async () => (await import("./client/request.ts")).show,
  },
  {
    path: ["client", "request", "cancel"],
    summary: "Cancel a request that is still open",
    load: async () => (await import("./client/request.ts")).cancel,
  },
  {
    path: ["client", "nodes"],
    summary: "List the nodes of a vault's groups, and which are online",
    load: async () => (await import("./client/vault.ts")).nodes,
  },
]
