/** `cosigner client vault create|list|show|rename` and `cosigner client nodes`. */
import { EXIT } from "../../errors/entry.ts"
import type { HolderObject, Page, VaultObject } from "../../waas/client.ts"
import { command, integer, optional, required, value, valueOr } from "../command.ts"
import { connect, profileOption } from "./profile.ts"
import { checkedVault, vaultIdOf } from "./verified.ts"

export const vaultOption = value("--vault <id>", "the vault (default: the profile's)")

/** Reads pages until there are this many entries. */
export const limitOption = valueOr("--limit <n>", "at most so many, newest first", "50", integer(1, 10_000))

const MOST_OF_A_PAGE = 50

/** The first `most` entries of a list that comes in pages. */
export async function walk<T>(
  most: number,
  ask: (query: Readonly<Record<string, string>>) => Promise<Page<T>>,
): Promise<readonly T[]> {
  const found: T[] = []
  let after = ""
  do {
    const limit = String(Math.min(MOST_OF_A_PAGE, most - found.length))
    const page = await ask(after === "" ? { limit } : { limit, after })
    found.push(...page.data)
    after = page.pagination.after
  } while (after !== "" && found.length < most)
  return found
}

const lines = ({ vault_id, name, root_pubkeys }: VaultObject): readonly string[] => [
  `${vault_id}  ${name}`,
  ...root_pubkeys.map(({ curve, root_pubkey }) => `  ${curve.padEnd(9)}  ${root_pubkey}`),
]

export const create = command({
  summary: "Make a vault: a name for keys that nodes are yet to make",
  args: { name: required("name", "for people") },
  options: {
    profile: profileOption,
    project: value("--project <id>", "the project that fixes threshold and nodes of its main groups"),
  },
  examples: [["cosigner client vault create treasury", "then: cosigner client group create"]],
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const vault = await connection.client.createVault(args.name, options.project)
    out.result(vault, [`Vault: ${vault.vault_id}`, `Next: cosigner client group create --vault ${vault.vault_id} ...`])
    return EXIT.ok
  },
})

export const list = command({
  summary: "List the vaults",
  options: { profile: profileOption, limit: limitOption },
  run: async ({ options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vaults = await walk(options.limit, (query) => client.vaults(query))
    for (const vault of vaults) checkedVault(vault, vault.vault_id, profile)
    out.result(
      vaults,
      vaults.length === 0 ? ["No vaults; make one with: cosigner client vault create"] : vaults.flatMap(lines),
    )
    return EXIT.ok
  },
})

export const show = command({
  summary: "Show a vault and its root keys",
  details:
    "Root keys are what every address follows from. Compare them once with `cosigner info group` on a node, and name them in the profile: from then on a WaaS that tells of others is refused.",
  args: { vault: optional("vault-id", "the vault (default: the profile's)") },
  options: { profile: profileOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const id = vaultIdOf(args.vault, profile)
    const vault = checkedVault(await client.vault(id), id, profile)
    const roots = vault.root_pubkeys.map(({ root_pubkey }) => root_pubkey)
    const isNamed = roots.length > 0 && roots.every((root) => profile.roots.some(({ text }) => text === root))
    out.result({ ...vault, roots_named_by_profile: isNamed }, lines(vault))
    if (roots.length > 0 && !isNamed)
      out.note(
        `WaaS alone says so; once compared with a node, put into ${options.profile}: roots = ${JSON.stringify(roots)}`,
      )
    return EXIT.ok
  },
})

export const rename = command({
  summary: "Give a vault another name",
  args: { vault: required("vault-id", "as `client vault list` shows it"), name: required("name", "for people") },
  options: { profile: profileOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vault = checkedVault(await client.renameVault(args.vault, args.name), args.vault, profile)
    out.result(vault, lines(vault))
    return EXIT.ok
  },
})

const nodeLine = ({ tss_node_id, name, online, status }: HolderObject): string =>
  `${tss_node_id}  ${name}  ${online ? "online" : "OFFLINE"}  ${status}`

export const nodes = command({
  summary: "List the nodes of a vault's groups, and which are online",
  options: { profile: profileOption, vault: vaultOption, limit: limitOption },
  run: async ({ options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const id = vaultIdOf(options.vault, profile)
    const holders = await walk(options.limit, (query) => client.holders(id, query))
    out.result(holders, holders.length === 0 ? ["No nodes: the vault has no group yet"] : holders.map(nodeLine))
    return EXIT.ok
  },
})
