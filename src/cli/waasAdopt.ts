/** `cosigner waas adopt`: makes the vaults of a WaaS whose database is lost again, from the records of its nodes. */
import { EXIT } from "../errors/entry.ts"
import { textLog } from "../logText.ts"
import { adopt } from "../waas/adopt.ts"
import { readConfig } from "../waas/config.ts"
import { filesIn } from "../waas/files.ts"
import type { HolderGroup } from "../waas/store/model.ts"
import { command, list, refuse, value, valueOr } from "./command.ts"
import { dirOption } from "./waas.ts"

const seconds = (text: string): string =>
  /^[1-9][0-9]{0,3}$/.test(text) ? text : refuse("--wait", "1 to 9999 seconds", text)

export const adoptCommand = command({
  summary: "Make the vaults of a lost waas.db again from what nodes hold",
  details:
    "Needs the folder's waas.key and waas.toml, or the file of --config; waas.db may be missing, or an older copy. Stop WaaS first. From then on nodes follow this copy and no other. They have that key pinned, or trust it by `cosigner trust-waas`; they connect by themselves and tell which groups they hold, and what the certificates of a group prove is stored: vaults and groups that are new here, and reshares since an older copy. Names, wallets, API keys and requests are not known to nodes and are made anew.",
  options: {
    dir: dirOption,
    nodes: list("--node <node-ids>", "the nodes to adopt, as `cosigner info` shows them"),
    listen: value("--listen <host:port>", "instead of [waas] listen: where the nodes look for WaaS"),
    wait: valueOr("--wait <seconds>", "how long nodes may take to connect", "120", seconds),
  },
  examples: [["cosigner waas adopt --dir waas --node cosA...,cosB...,cosC...", "after the loss of waas/waas.db"]],
  run: async ({ options, globals, out }) => {
    if (options.nodes.length === 0) refuse("--node", "the node ids to adopt", "none")
    const files = filesIn(options.dir, globals.config)
    const log = textLog("info", "logfmt", (line) => process.stderr.write(line))
    const config = readConfig(files, options.listen)
    const made = await adopt(config, files, { nodeIds: options.nodes, limitMs: Number(options.wait) * 1000, log })
    const { vaults, groups, advanced, lost, skipped, silent } = made
    out.result(
      {
        new_database: made.isNewDatabase,
        vaults: vaults.map(({ vaultId, rootKeys }) => ({
          vault_id: vaultId,
          root_pubkeys: rootKeys.map(({ curve, rootPubkey }) => ({ curve, root_pubkey: rootPubkey })),
          key_share_holder_groups: groups.filter((group) => group.vaultId === vaultId).map(shownGroup),
        })),
        changed_groups: groups
          .filter((group) => !vaults.some(({ vaultId }) => vaultId === group.vaultId))
          .map(shownGroup),
        advanced,
        lost_tasks: lost.map(({ taskId, type, status }) => ({ task_id: taskId, type, status })),
        skipped: skipped.map(({ groupId, why }) => ({ tss_key_share_group_id: groupId, why })),
        silent,
      },
      [
        `Adopted ${vaults.length} vaults with ${groups.length} groups, new or changed`,
        ...advanced.map((groupId) => `Reshared since, and up to date now: ${groupId}`),
        ...lost.map(({ taskId, type }) => `Lost with the database: ${type} task ${taskId}`),
        ...vaults.map(({ vaultId, rootKeys }) => `  ${vaultId}  ${rootKeys.map((key) => key.rootPubkey).join("  ")}`),
        ...skipped.map(({ groupId, why }) => `Not adopted: ${groupId}: ${why}`),
        ...silent.map((nodeId) => `No answer of ${nodeId}`),
        `Next: cosigner waas key create --dir ${files.dir} --name <who>, then: cosigner waas start --dir ${files.dir}`,
      ],
    )
    return silent.length === 0 && skipped.length === 0 ? EXIT.ok : EXIT.failure
  },
})

const shownGroup = ({ groupId, type, status, threshold, holders }: HolderGroup) => ({
  key_share_holder_group_id: groupId,
  type,
  status,
  threshold,
  tss_node_ids: holders.map(({ nodeId }) => nodeId),
})
