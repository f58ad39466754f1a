/**
 * Turns the group records of nodes into vaults and holder groups, for a WaaS that lost its database (formats.md 14): decides which
 * epochs are proven and which share groups belong together. Believes no single node. Pure except for new ids.
 */
import { equal, toHex } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { checkGroup, type GroupPublic, isSameKey, outranks, rootExtendedPublicKey } from "../keys/group.ts"
import { decodeGroupPublic, encodeGroupPublic } from "../keys/groupCodec.ts"
import { verifyCertificate } from "../mpc/dkg/certificate.ts"
import { epochIdOf } from "../mpc/dkg/epoch.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { curveTypeOf } from "./engine/requests.ts"
import { newUuid } from "./ids.ts"
import type { Holder, HolderGroup, ShareGroup, Vault } from "./store/model.ts"

/** The answer of one node: records in the form of keys/groupCodec.ts. */
export interface TellingNode {
  readonly nodeId: string
  readonly records: readonly Uint8Array[]
}

/** A group that is not adopted, and the reason as text for people. */
interface Skipped {
  readonly groupId: string
  readonly why: string
}

interface ProvenEpochs {
  readonly epochs: readonly GroupPublic[]
  readonly skipped: readonly Skipped[]
}

/**
 * The newest proven epoch of each group. An epoch counts if its certificate proves it, all its members are in `named` (the nodes that
 * the operator named), and at least threshold members hold the same record of it. A group with two different keys is skipped.
 */
export function provenEpochs(told: readonly TellingNode[], named: ReadonlySet<string>): ProvenEpochs {
  const holders = new Map<string, { readonly epoch: GroupPublic; readonly nodeIds: Set<string> }>()
  const skipped: Skipped[] = []
  for (const { nodeId, records } of told) {
    for (const record of records) {
      const epoch = decodeGroupPublic(record)
      const why = epoch === undefined ? "its record cannot be read" : problemOf(epoch, nodeId, named)
      if (epoch === undefined || why !== undefined) {
        skipped.push({ groupId: epoch?.groupId ?? "unknown", why: `${why ?? ""} (told by ${nodeId})` })
        continue
      }
      const id = contentOf(epoch)
      const known = holders.get(id) ?? { epoch, nodeIds: new Set<string>() }
      holders.set(id, known)
      known.nodeIds.add(nodeId)
    }
  }
  const held = [...holders.values()].filter(({ epoch, nodeIds }) => {
    const isEnough = nodeIds.size >= epoch.threshold
    const why = `${nodeIds.size} of its nodes hold this epoch, and it takes ${epoch.threshold}`
    if (!isEnough) skipped.push({ groupId: epoch.groupId, why })
    return isEnough
  })
  const byGroup = Map.groupBy(
    held.map(({ epoch }) => epoch),
    ({ groupId }) => groupId,
  )
  const epochs = [...byGroup.values()].flatMap((all) => {
    const [first, ...others] = all
    if (first === undefined) return []
    if (others.every((other) => isSameKey(other, first))) {
      return [others.reduce((best, epoch) => (outranks(epoch, best) ? epoch : best), first)]
    }
    skipped.push({ groupId: first.groupId, why: "nodes hold different keys under its id" })
    return []
  })
  return { epochs, skipped }
}

/** Why the record does not count; undefined if it does. */
function problemOf(epoch: GroupPublic, nodeId: string, named: ReadonlySet<string>): string | undefined {
  const members = epoch.members.map(({ party }) => nodeIdOf(party))
  const stranger = members.find((id) => !named.has(id))
  if (stranger !== undefined) return `its member ${stranger} was not named`
  if (!members.includes(nodeId)) return "the node is no member of it"
  return isProven(epoch) ? undefined : "its certificate does not prove it"
}

/** Verifies the certificate: its acks sign the epoch id, a digest of key, members, public shares and chain code (threshold.md 3.5). */
function isProven(epoch: GroupPublic): boolean {
  const { certificate, sid, ackView, commitments, members, chainCode, epochId } = epoch
  const [publicKey] = commitments
  if (certificate === undefined || publicKey === undefined || !isSound(epoch)) return false
  return equal(epochIdOf(sid, ackView, publicKey, members, chainCode), epochId) && verifyCertificate(epoch, certificate)
}

/**
 * Digest of the whole record, with which the answers of members are compared. No certificate covers group id, time and mode, so WaaS
 * accepts them only if threshold members hold the same ones.
 */
function contentOf({ certificate: _, ...epoch }: GroupPublic): string {
  return toHex(sha256(encodeGroupPublic({ ...epoch, status: "ACTIVE" })))
}

function isSound(epoch: GroupPublic): boolean {
  try {
    checkGroup(epoch)
    return true
  } catch (error) {
    if (error instanceof CosignerError) return false
    throw error
  }
}

interface Adopted {
  readonly vaults: readonly Vault[]
  readonly groups: readonly HolderGroup[]
}

/** New vaults and holder groups for these epochs. `nameOf` names the holders. */
export function vaultsOf(epochs: readonly GroupPublic[], nameOf: (nodeId: string) => string): Adopted {
  const units = unitsOf(epochs)
  const vaults: Vault[] = []
  const groups: HolderGroup[] = []
  for (const together of vaultwise(units)) {
    const [main, ...others] = together.sort(byPrecedence)
    if (main === undefined) continue
    const rootKeys = main.map((epoch) => ({
      curve: curveTypeOf(epoch.curve),
      rootPubkey: rootExtendedPublicKey(epoch),
    }))
    const vaultId = newUuid()
    const createdMs = Math.min(...together.flat().map((epoch) => epoch.createdMs))
    const name = `adopted ${rootKeys[0]?.rootPubkey.slice(-12) ?? ""}`
    vaults.push({ vaultId, projectId: undefined, name, type: "Org-Controlled", rootKeys, createdMs })
    for (const unit of [main, ...others]) {
      groups.push(holderGroup(unit, vaultId, unit === main ? "MainGroup" : "SigningGroup", nameOf))
    }
  }
  return { vaults, groups }
}

/** The share groups of one holder group: one alone, or one on each curve if one request set up both. */
type Unit = readonly GroupPublic[]

function unitsOf(epochs: readonly GroupPublic[]): readonly Unit[] {
  const bySetUp = Map.groupBy(epochs, ({ createdMs, mode, threshold, members }) =>
    JSON.stringify([createdMs, mode, threshold, members.map(({ party }) => party)]),
  )
  return [...bySetUp.values()].flatMap((all): readonly Unit[] => {
    const isPair = all.length === 2 && all[0]?.curve !== all[1]?.curve
    // secp256k1 first, the order in which WaaS makes them.
    return isPair ? [all.toSorted((a, b) => (a.curve > b.curve ? -1 : 1))] : all.map((epoch) => [epoch])
  })
}

/** Units grouped by vault: units with a common root key belong to one vault. */
function vaultwise(units: readonly Unit[]): Unit[][] {
  const vaults: { readonly keys: Set<string>; readonly units: Unit[] }[] = []
  for (const unit of units) {
    const keys = unit.map(rootExtendedPublicKey)
    const joined = vaults.filter((vault) => keys.some((key) => vault.keys.has(key)))
    const merged = {
      keys: new Set([...joined.flatMap((vault) => [...vault.keys]), ...keys]),
      units: [...joined.flatMap((vault) => vault.units), unit],
    }
    for (const vault of joined) vaults.splice(vaults.indexOf(vault), 1)
    vaults.push(merged)
  }
  return vaults.map((vault) => vault.units)
}

/** The main group of a vault sorts first: a unit that was not extended from another group, and among those the oldest. */
const byPrecedence = (a: Unit, b: Unit): number =>
  Number(isExtended(a)) - Number(isExtended(b)) || (a[0]?.createdMs ?? 0) - (b[0]?.createdMs ?? 0)

const isExtended = (unit: Unit): boolean => unit.some(({ mode }) => mode === "extend")

/** A new holder group of share groups that were set up together. */
export function holderGroup(
  unit: readonly GroupPublic[],
  vaultId: string,
  type: HolderGroup["type"],
  nameOf: (nodeId: string) => string,
): HolderGroup {
  const [first] = unit
  const holders = (first?.members ?? []).map(({ party }): Holder => {
    const nodeId = nodeIdOf(party)
    return { name: nameOf(nodeId), type: "API", nodeId, signer: true }
  })
  const shareGroups = unit.map(
    (epoch): ShareGroup => ({
      shareGroupId: epoch.groupId,
      curve: curveTypeOf(epoch.curve),
      rootPubkey: rootExtendedPublicKey(epoch),
      epoch: { createdMs: epoch.createdMs, epochId: toHex(epoch.epochId) },
    }),
  )
  return {
    groupId: newUuid(),
    vaultId,
    type,
    status: "Valid",
    threshold: first?.threshold ?? 2,
    holders,
    shareGroups,
    createdMs: Math.min(...unit.map(({ createdMs }) => createdMs)),
  }
}
