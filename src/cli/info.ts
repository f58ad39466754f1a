/** `cosigner info`, `cosigner info group [id]` and `cosigner info task [id]`. A running node answers them without the password. */
import { EXIT } from "../errors/entry.ts"
import { showAddress } from "../ops/inventory/address.ts"
import { showGroups } from "../ops/inventory/groups.ts"
import { selfOf } from "../ops/inventory/nodeKeys.ts"
import { showSelf } from "../ops/inventory/self.ts"
import { readSummary } from "../ops/inventory/summary.ts"
import { showTasks } from "../ops/inventory/tasks.ts"
import { ENCODINGS } from "../waas/wallets/addresses.ts"
import { showBeside } from "./besideNode.ts"
import { choice, command, integer, optional, refuse, value, valueOr } from "./command.ts"
import { hasPassword } from "./password.ts"

export const info = command({
  summary: "Show the node id and the callback public key",
  details: [
    "Needs no password: a running node answers. Otherwise the command reads the signed summary beside the database (FILE.public), which a start writes.",
    "With a key file, or without a summary, it reads the database itself.",
  ].join("\n"),
  run: async (base) => {
    const { db } = await base.config()
    const summary = hasPassword(base.env, db) ? undefined : readSummary(db.path)
    await showBeside(base, { command: "info" }, showSelf, summary)
    return EXIT.ok
  },
})

export const group = command({
  summary: "Show the groups this node holds key shares of",
  details: [
    "Shows for each group the epoch that signs, or the newest one if none does yet. Private shares are never shown. A running node answers",
    "without the password.",
  ].join("\n"),
  args: { group: optional("group-id", "only this group") },
  examples: [["cosigner info group --json", "for programs"]],
  run: async (base) => {
    const { group } = base.args
    await showBeside(base, { command: "groups", ...(group === undefined ? {} : { group_id: group }) }, (store) => {
      using seed = store.identity()
      return showGroups(store, selfOf(seed).party, group)
    })
    return EXIT.ok
  },
})

export const address = command({
  summary: "Show an address of a group, derived by this node and attested with its identity key",
  details: [
    "The node derives the address from its own record of the group, and signs the result with the key that the node id names.",
    "With --json the command prints this attestation; `cosigner client address verify --attestation` demands attestations of enough nodes.",
    "A running node answers without the password.",
  ].join("\n"),
  options: {
    group: value("--group-id <id>", "the group, as `info group` shows it"),
    path: value("--path <path>", "the path of the address"),
    chain: value("--chain <name>", "the published name of the chain: ETH, BTC, SOL, TRON"),
    encoding: choice("--encoding <encoding>", "the form of a Bitcoin address (default ENCODING_BECH32)", ENCODINGS),
  },
  examples: [
    ["cosigner info address --group-id OoQG... --path m/44/60/0/0/5 --chain ETH --json > a.json", "for a client"],
  ],
  run: async (base) => {
    const { group, path, chain, encoding } = base.options
    const wanted = {
      group_id: group ?? refuse("--group-id", "the id of a group", "none"),
      path: path ?? refuse("--path", "a path", "none"),
      chain: chain ?? refuse("--chain", "the name of a chain", "none"),
      ...(encoding === undefined ? {} : { encoding }),
    }
    await showBeside(base, { command: "address", ...wanted }, (store) => showAddress(store, wanted))
    return EXIT.ok
  },
})

export const task = command({
  summary: "Show what the journal knows of one task, or the newest tasks",
  details: [
    "Shows what was asked, what this node read in the payloads, the verdict, and how the task ended. Payloads themselves are kept until the end, small ones longer.",
    "A running node answers without the password.",
  ].join("\n"),
  args: { task: optional("task-id", "as in the log, in events and at WaaS; without it the newest are listed") },
  options: { limit: valueOr("--limit <n>", "how many to list", "20", integer(1, 1000)) },
  examples: [["cosigner info task 5f0c… --json", "for programs"]],
  run: async (base) => {
    const { task } = base.args
    const { limit } = base.options
    await showBeside(base, { command: "tasks", limit, ...(task === undefined ? {} : { task_id: task }) }, (store) =>
      showTasks(store, task, limit),
    )
    return EXIT.ok
  },
})
