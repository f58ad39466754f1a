/**
 * The vaults of a campaign: of distinct thresholds, with keys on both curves. Some are made, and one is dealt again from node to node,
 * while faults are played; in the end every quorum of each signs, and every member proves its shares.
 */
import type { CurveName } from "../../src/crypto/curve.ts"
import type { DemoVault } from "../../src/kit/demo/keys.ts"
import type { Client, TssRequestObject } from "../../src/waas/client.ts"
import type { UnguardedNode } from "../../test/support/unguardedNode.ts"
import { persistently, signed } from "./load.ts"

const CURVES: readonly CurveName[] = ["ed25519", "secp256k1"]
/** A set-up ends within its deadline, which is longer than a campaign; this long without an end is a finding. */
const SET_UP_MS = 1_200_000

/** A vault and who has its shares at present. */
export interface Ward {
  readonly name: string
  readonly vault: DemoVault
  readonly nodes: readonly UnguardedNode[]
  readonly threshold: number
}

interface Sharing {
  readonly nodes: readonly UnguardedNode[]
  readonly threshold: number
}

const nameOf = ({ nodes, threshold }: Sharing): string => `${threshold}-of-${nodes.length}`

/** A vault and its main group, and no keys yet: from now on WaaS knows these nodes. */
export async function openVault(client: Client, sharing: Sharing): Promise<Ward> {
  const { vault_id: vaultId } = await persistently(() => client.createVault(nameOf(sharing)))
  const vault = { vaultId, holderGroupId: await newGroup(client, vaultId, sharing), roots: NO_ROOTS }
  return { ...sharing, name: nameOf(sharing), vault }
}

const NO_ROOTS = { ed25519: undefined, secp256k1: undefined }

async function newGroup(client: Client, vaultId: string, { nodes, threshold }: Sharing): Promise<string> {
  const group = await persistently(() =>
    client.createGroup(vaultId, {
      key_share_holder_group_type: "MainGroup",
      participants: nodes.length,
      threshold,
      key_share_holders: nodes.map(({ name, nodeId }) => ({ name, type: "API", tss_node_id: nodeId, signer: true })),
    }),
  )
  return group.key_share_holder_group_id
}

/** The nodes of the group generate its keys. Throws if they do not. */
export async function makeKeys(client: Client, ward: Ward): Promise<Ward> {
  const { vaultId, holderGroupId } = ward.vault
  await setUp(client, vaultId, holderGroupId, () => client.createKeyGen(vaultId, holderGroupId, ward.name))
  const { root_pubkeys: keys } = await persistently(() => client.vault(vaultId))
  const root = (curve: string): string | undefined => keys.find((key) => key.curve === curve)?.root_pubkey
  return { ...ward, vault: { ...ward.vault, roots: { ed25519: root("ED25519"), secp256k1: root("SECP256K1") } } }
}

/** Its keys are dealt to these nodes, which have them alone from then on. Throws if they are not, or if a key changed. */
export async function dealAgain(client: Client, ward: Ward, nodes: readonly UnguardedNode[]): Promise<Ward> {
  const { vaultId, holderGroupId, roots } = ward.vault
  const target = await newGroup(client, vaultId, { nodes, threshold: ward.threshold })
  await setUp(client, vaultId, target, () =>
    client.createReshare(vaultId, {
      type: "KeyReshare",
      target_key_share_holder_group_id: target,
      source_key_share_holder_group: { key_share_holder_group_id: holderGroupId },
    }),
  )
  const made = await persistently(() => client.group(vaultId, target))
  const kept = made.tss_key_share_groups.map(({ root_pubkey: root }) => root)
  for (const curve of CURVES) {
    const root = roots[curve]
    if (root === undefined || !kept.includes(root)) throw new Error(`a reshare of ${ward.name} lost the ${curve} key`)
  }
  return { ...ward, nodes, vault: { vaultId, holderGroupId: target, roots } }
}

/** Its nodes get new shares of the same keys. Throws if they do not. */
export async function refresh(client: Client, { vault: { vaultId, holderGroupId } }: Ward): Promise<void> {
  await setUp(client, vaultId, holderGroupId, () =>
    client.createReshare(vaultId, {
      type: "KeyReshare",
      target_key_share_holder_group_id: holderGroupId,
      source_key_share_holder_group: { key_share_holder_group_id: holderGroupId },
    }),
  )
}

/** A repeated call would make another request, so one whose answer was lost is looked for before it is made again. */
async function setUp(
  client: Client,
  vaultId: string,
  groupId: string,
  ask: () => Promise<TssRequestObject>,
): Promise<void> {
  const end = performance.now() + SET_UP_MS
  const path = `/wallets/mpc/vaults/${vaultId}/tss_requests`
  const newest = async () => latest(await client.call("GET", path, { key_share_holder_group_id: groupId }))
  const before = await persistently(newest)
  const asked = await persistently(async () => {
    const now = await newest()
    // Open: a refresh that nodes asked for is as good as ours.
    const isOurs = now !== undefined && (now.isOpen || now.id !== before?.id)
    return isOurs ? now.id : (await ask()).tss_request_id
  })
  while (performance.now() < end) {
    const now = await persistently(() => client.call("GET", `${path}/${asked}`, { wait: "10" }))
    const { status, failed_reason: why } = object(now)
    if (status === "Success") return
    if (String(status).endsWith("Failed")) throw new Error(`a set-up came to ${status}: ${why}`)
  }
  throw new Error(`a set-up has not ended within ${SET_UP_MS / 1000} s`)
}

function latest(page: unknown): { readonly id: string; readonly isOpen: boolean } | undefined {
  const { data } = object(page)
  if (!Array.isArray(data) || data.length === 0) return undefined
  const { tss_request_id: id, status } = object(data[0])
  return { id: String(id), isOpen: !hasEnded(String(status)) }
}

const hasEnded = (status: string): boolean => status === "Success" || status.endsWith("Failed")

const object = (value: unknown): Readonly<Record<string, unknown>> => {
  if (typeof value !== "object" || value === null) throw new Error("an answer of WaaS is no object")
  return { ...value }
}

/** How many quorums sign nothing on one of the curves: of all where there are few, else of `most`. */
export async function lameQuorums(client: Client, ward: Ward, most: number): Promise<number> {
  let lame = 0
  for (const [index, quorum] of quorums(ward.nodes, ward.threshold).slice(0, most).entries()) {
    const nodeIds = quorum.map(({ nodeId }) => nodeId)
    for (const scheme of ["eddsa", "ecdsa"] as const) {
      const { status, reason } = await signed(client, ward.vault, index, { scheme, nodeIds })
      if (status === "Completed") continue
      lame++
      console.error(`${ward.name}, ${scheme}, ${quorum.map(({ name }) => name).join(" and ")}: ${status} ${reason}`)
    }
  }
  return lame
}

function quorums<T>(of: readonly T[], count: number): readonly (readonly T[])[] {
  if (count === 0) return [[]]
  return of.flatMap((first, i) => quorums(of.slice(i + 1), count - 1).map((rest) => [first, ...rest]))
}

/** How many shares their nodes could not prove by a signature of their own. */
export async function lostShares(client: Client, { name, vault, nodes }: Ward): Promise<number> {
  let lost = 0
  for (const node of nodes) {
    const proof = await checkup(client, vault, node).catch((error: unknown) => String(error))
    if (proof === undefined) continue
    lost++
    console.error(`${name}, ${node.name}: ${proof}`)
  }
  return lost
}

/** What is wrong with its shares. */
async function checkup(client: Client, vault: DemoVault, node: UnguardedNode): Promise<string | undefined> {
  const asked = await persistently(() =>
    client.createCheckup(vault.vaultId, {
      key_share_holder_group_id: vault.holderGroupId,
      tss_node_id: node.nodeId,
      message: "0x61667465722074686520666175cc",
    }),
  )
  const id = asked.key_share_sign_request_id
  for (const end = performance.now() + 60_000; performance.now() < end; await Bun.sleep(50)) {
    const now = await persistently(() => client.checkup(vault.vaultId, id))
    if (now.status === "Completed") return now.shares.length === CURVES.length ? undefined : "a share is not there"
    if (now.status === "Failed" || now.status === "Declined" || now.status === "Canceled") return now.failed_reason
  }
  return "no answer to its check-up"
}
