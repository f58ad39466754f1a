/** `cosigner client group create|list|show|keygen|reshare|checkup`: the groups of a vault, their keys and their shares. */
import { randomBytes } from "node:crypto"
import { copy, fromHex, toHex } from "../../bytes.ts"
import { EXIT } from "../../errors/entry.ts"
import { CosignerError } from "../../errors.ts"
import { verifyCheckup } from "../../keys/checkupSign.ts"
import type { Output } from "../../output.ts"
import type { CheckupObject, Client, GroupObject, HolderObject, TssRequestObject } from "../../waas/client.ts"
import { curveNameOf } from "../../waas/engine/requests.ts"
import { choice, command, flag, integer, list as listOption, refuse, required, value } from "../command.ts"
import { connect, type Profile, profileOption } from "./profile.ts"
import { limitOption, vaultOption, walk } from "./vault.ts"
import { checkedVault, vaultIdOf } from "./verified.ts"
import { signEnding, timeoutOption, tssEnding, untilEnded } from "./wait.ts"

const TYPES = { main: "MainGroup", signing: "SigningGroup", recovery: "RecoveryGroup" } as const
const KINDS = {
  refresh: "KeyReshare",
  members: "KeyReshare",
  extend: "KeyGenFromKeyGroup",
  recover: "Recovery",
} as const

const waitFlag = flag("--wait", "wait until it has ended, and say how it goes")

const lines = (group: GroupObject): readonly string[] => [
  `${group.key_share_holder_group_id}  ${group.type}  ${group.threshold} of ${group.participants}  ${group.status}`,
  ...group.key_share_holders.map((one) => `  ${one.tss_node_id}  ${one.name}  ${one.online ? "online" : "OFFLINE"}`),
  ...group.tss_key_share_groups.map((one) => `  ${one.curve.padEnd(9)}  group ${one.tss_key_share_group_id}`),
]

export const create = command({
  summary: "Make a group of nodes that shall hold a vault's keys together",
  details: "From now on WaaS lets these nodes in. Their keys are made by `cosigner client group keygen`.",
  options: {
    profile: profileOption,
    vault: vaultOption,
    threshold: value("--threshold <t>", "how many of the nodes sign", integer(2, 32)),
    nodes: listOption("--node <name=id>", "a node, by a name for people and its node id; repeat it for each"),
    type: choice("--type <type>", "main signs and makes the others (default)", ["main", "signing", "recovery"]),
  },
  examples: [
    ["cosigner client group create --threshold 2 --node a=cos1... --node b=cos2... --node c=cos3...", "2 of 3"],
  ],
  run: async ({ options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const { threshold, nodes, type = "main" } = options
    if (threshold === undefined) refuse("--threshold", "an integer from 2 to 32", "none")
    const holders = nodes.map((word) => {
      const [, name = "", nodeId = ""] = /^([^=]{1,64})=(\S+)$/.exec(word) ?? refuse("--node", "name=id", word)
      return { name, type: "API" as const, tss_node_id: nodeId, signer: true }
    })
    const group = await client.createGroup(vaultIdOf(options.vault, profile), {
      key_share_holder_group_type: TYPES[type],
      participants: holders.length,
      threshold,
      key_share_holders: holders,
    })
    out.result(group, [`Group: ${group.key_share_holder_group_id}`, ...lines(group).slice(1)])
    return EXIT.ok
  },
})

export const list = command({
  summary: "List the groups of a vault",
  options: { profile: profileOption, vault: vaultOption, limit: limitOption },
  run: async ({ options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vaultId = vaultIdOf(options.vault, profile)
    const groups = await walk(options.limit, (query) => client.groups(vaultId, query))
    out.result(
      groups,
      groups.length === 0 ? ["No groups; make one with: cosigner client group create"] : groups.flatMap(lines),
    )
    return EXIT.ok
  },
})

export const show = command({
  summary: "Show a group: its nodes, which are online, its keys",
  args: { group: required("group-id", "as `client group list` shows it") },
  options: { profile: profileOption, vault: vaultOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const group = await client.group(vaultIdOf(options.vault, profile), args.group)
    out.result(group, lines(group))
    return EXIT.ok
  },
})

// ---- keys --------------------------------------------------------------------------------------------------------------

export const keygen = command({
  summary: "Have the nodes of a main group make the vault's keys, on each curve",
  details: "Every node asks its rules and callback servers first. With --wait the root keys are shown at the end.",
  args: { group: required("group-id", "the main group") },
  options: {
    profile: profileOption,
    vault: vaultOption,
    description: value("--description <text>", "for people"),
    wait: waitFlag,
    timeout: timeoutOption,
  },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vaultId = vaultIdOf(options.vault, profile)
    const asked = await client.createKeyGen(vaultId, args.group, options.description ?? "")
    return await ended(client, profile, out, { asked, vaultId, ...options })
  },
})

export const reshare = command({
  summary: "Deal the shares of a vault's keys again: to the same nodes, to others, or to a further group",
  details: [
    "refresh: the nodes of the group get new shares, and the old ones are worthless. members: a group in state New, of the same type, takes over the keys.",
    "extend: the main group makes a signing or recovery group. recover: a recovery group makes a new main group.",
    "The keys and every address stay the same; with --wait the command checks this.",
  ].join("\n"),
  args: { group: required("target-group-id", "the group that gets shares") },
  options: {
    profile: profileOption,
    vault: vaultOption,
    kind: choice("--kind <kind>", "what is done (default refresh)", ["refresh", "members", "extend", "recover"]),
    from: value("--from <group-id>", "the group that deals (default: the target itself)"),
    dealers: listOption("--dealer <node-ids>", "the nodes that deal (default: WaaS chooses)"),
    allowShared: flag("--allow-shared-nodes", "a node may hold shares in several groups of the vault"),
    description: value("--description <text>", "for people"),
    wait: waitFlag,
    timeout: timeoutOption,
  },
  examples: [["cosigner client group reshare 7b1c... --wait", "new shares for the same nodes"]],
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const { kind = "refresh", from, dealers, allowShared, description = "" } = options
    if ((kind === "refresh") !== (from === undefined || from === args.group))
      refuse("--from", kind === "refresh" ? "left out, or the target itself" : "the group that deals", from ?? "none")
    const vaultId = vaultIdOf(options.vault, profile)
    const asked = await client.createReshare(vaultId, {
      type: KINDS[kind],
      target_key_share_holder_group_id: args.group,
      source_key_share_holder_group: {
        key_share_holder_group_id: from ?? args.group,
        ...(dealers.length === 0 ? {} : { tss_node_ids: dealers }),
      },
      ...(allowShared ? { allow_shared_nodes: true } : {}),
      description,
    })
    return await ended(client, profile, out, { asked, vaultId, ...options })
  },
})

interface AskedOfNodes {
  readonly asked: TssRequestObject
  readonly vaultId: string
  readonly wait: boolean
  readonly timeout: number
}

async function ended(client: Client, profile: Profile, out: Output, { asked, vaultId, wait, timeout }: AskedOfNodes) {
  const id = asked.tss_request_id
  if (!wait) {
    out.result(asked, [`Request: ${id} (${asked.status})`, `Next: cosigner client request show ${id}`])
    return EXIT.ok
  }
  const before = await client.vault(vaultId)
  const progress = { what: `request ${id}`, seconds: timeout, out }
  const request = await untilEnded(
    progress,
    tssEnding(() => client.tssRequest(vaultId, id)),
  )
  const vault = checkedVault(await client.vault(vaultId), vaultId, profile)
  for (const { curve, root_pubkey: root } of before.root_pubkeys) {
    const now = vault.root_pubkeys.find((one) => one.curve === curve)?.root_pubkey
    if (now !== root) throw new CosignerError("E-CLI-032", { what: `the root key on ${curve} became another one` })
  }
  const roots = vault.root_pubkeys.map(({ curve, root_pubkey }) => `${curve.padEnd(9)}  ${root_pubkey}`)
  out.result({ ...request, root_pubkeys: vault.root_pubkeys }, [`Request: ${id} (${request.status})`, ...roots])
  return EXIT.ok
}

// ---- check-ups ---------------------------------------------------------------------------------------------------------

export const checkup = command({
  summary: "Have nodes prove that they hold their shares of a group's keys",
  details:
    "Each node signs a fresh random message with its own share of every key. The signatures are verified here, under the public shares that WaaS recorded; `cosigner info group` on a node shows them too. Ends with exit code 5 if one node does not prove it.",
  args: { group: required("group-id", "the group") },
  options: {
    profile: profileOption,
    vault: vaultOption,
    nodes: listOption("--node <node-ids>", "these nodes only (default: every node of the group)"),
    timeout: timeoutOption,
  },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vaultId = vaultIdOf(options.vault, profile)
    const group = await client.group(vaultId, args.group)
    const asked = holdersOf(group, options.nodes)
    const results = await Promise.all(
      asked.map(({ tss_node_id }) => checkedUp(client, { vaultId, group, nodeId: tss_node_id }, options.timeout, out)),
    )
    out.result(
      results,
      results.map(
        ({ node_id, proven, reason }) => `${node_id}  ${proven ? "holds its shares" : `NOT PROVEN: ${reason}`}`,
      ),
    )
    return results.every(({ proven }) => proven) ? EXIT.ok : EXIT.refused
  },
})

function holdersOf(group: GroupObject, wanted: readonly string[]): readonly HolderObject[] {
  const known = group.key_share_holders
  for (const id of wanted) {
    if (!known.some(({ tss_node_id }) => tss_node_id === id))
      throw new CosignerError("E-CLI-011", { what: `node ${id}`, known: known.map(({ tss_node_id }) => tss_node_id) })
  }
  return wanted.length === 0 ? known : known.filter(({ tss_node_id }) => wanted.includes(tss_node_id))
}

interface OneCheckup {
  readonly vaultId: string
  readonly group: GroupObject
  readonly nodeId: string
}

async function checkedUp(client: Client, { vaultId, group, nodeId }: OneCheckup, seconds: number, out: Output) {
  const message = copy(randomBytes(32))
  try {
    const { key_share_sign_request_id: id } = await client.createCheckup(vaultId, {
      key_share_holder_group_id: group.key_share_holder_group_id,
      tss_node_id: nodeId,
      message: `0x${toHex(message)}`,
      deadline_seconds: seconds,
    })
    const progress = { what: `check-up ${id} of ${nodeId}`, seconds, out }
    const done = await untilEnded(
      progress,
      signEnding(() => client.checkup(vaultId, id)),
    )
    const problem = problemOf(done, message, group)
    return { node_id: nodeId, key_share_sign_request_id: id, proven: problem === undefined, reason: problem ?? "" }
  } catch (error) {
    if (!(error instanceof CosignerError)) throw error
    return { node_id: nodeId, key_share_sign_request_id: "", proven: false, reason: `${error.code} ${error.message}` }
  }
}

/** Checks that the answer has every key of the group, with a signature over this message that verifies under the share's public half. */
function problemOf({ shares }: CheckupObject, message: Uint8Array, group: GroupObject): string | undefined {
  for (const { tss_key_share_group_id: id, curve } of group.tss_key_share_groups) {
    const share = shares.find((one) => one.tss_key_share_group_id === id)
    const publicKey = fromHex(share?.share_public_key ?? "")
    const signature = fromHex((share?.signature ?? "").replace(/^0x/, ""))
    if (publicKey === undefined || signature === undefined) return `nothing about the key on ${curve}`
    if (!verifyCheckup(curveNameOf(curve), publicKey, message, signature))
      return `the signature on ${curve} does not verify`
  }
  return undefined
}
