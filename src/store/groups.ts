/**
 * The groups of this node: public parts in memory, secret parts sealed until they are opened. Owns the state machine of threshold.md 6.4.
 * The caller verifies certificates, and checks the retention condition before it lets a share be erased.
 */
import { type Bytes, equal, secretEqual, toHex } from "../bytes.ts"
import { encode } from "../codec.ts"
import { CosignerError } from "../errors.ts"
import { type GroupPublic, type GroupSecret, isSameKey, outranks, type PairState } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { GroupPort } from "../tasks/ports.ts"
import { ENCODED_GROUP_SECRET, epochName, GROUP, GROUP_SECRET, type RecordKind } from "./records.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

export class Groups implements GroupPort {
  readonly #vault: RecordVault
  /** Group id -> hex of the epoch id -> record. */
  readonly #epochs: Map<string, Map<string, GroupPublic>> = new Map()

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  /** Takes a record found at the start. */
  restore(group: GroupPublic): void {
    const epochs = this.#epochs.get(group.groupId) ?? new Map<string, GroupPublic>()
    this.#epochs.set(group.groupId, epochs.set(toHex(group.epochId), group))
  }

  prepare(group: GroupPublic, secret: GroupSecret): void {
    const { groupId, epochId } = group
    const known = this.get(groupId, epochId)
    if (known !== undefined) return this.#assertSame(known, group, secret)
    if (group.status !== "PREPARED" || group.certificate !== undefined) throw conflict(group)
    this.#vault.transaction((tx) => {
      this.#put(tx, group)
      tx.put(GROUP_SECRET, epochName(groupId, epochId), secret)
    })
  }

  /** Stores an epoch imported from a recovery file, in the caller's transaction. Throws E-STO-022 if there is any record of the group. */
  import(tx: StoreTransaction, group: GroupPublic, secret: GroupSecret): void {
    if (this.#ofGroup(group.groupId).length > 0 || group.mode !== "import") throw conflict(group)
    this.#put(tx, group)
    tx.put(GROUP_SECRET, epochName(group.groupId, group.epochId), secret)
  }

  /** Records the operator's signed statement that the old shares of an imported group are destroyed. Later statements change nothing. */
  confirmImport(groupId: string, epochId: Bytes, statement: Bytes): void {
    const group = this.#expect(groupId, epochId)
    if (group.mode !== "import") throw conflict(group)
    if (group.certificate?.length !== 0) return
    this.#vault.transaction((tx) => void this.#put(tx, { ...group, certificate: [statement] }))
  }

  acknowledge(group: GroupPublic): void {
    const { groupId, epochId } = group
    const known = this.get(groupId, epochId)
    if (known !== undefined) return assertSamePublic(known, group)
    if (group.status !== "ERASED" || group.certificate !== undefined) throw conflict(group)
    this.#vault.transaction((tx) => this.#put(tx, group))
  }

  activate(groupId: string, epochId: Bytes, certificate: readonly Bytes[]): GroupPublic {
    const group = this.#expect(groupId, epochId)
    if (group.certificate !== undefined) return group
    const certified: GroupPublic = { ...group, certificate }
    const rivals = this.#ofGroup(groupId).filter((other) => other.certificate !== undefined)
    // Rank decides between epochs of one key only. If it decided between two keys, somebody who kept the acks of an
    // abandoned key generation could take a group's key away for ever.
    if (rivals.some((rival) => !isSameKey(rival, group))) {
      throw new CosignerError("E-STO-030", { groupId, epochId: toHex(epochId) })
    }
    return this.#vault.transaction((tx) => {
      if (!rivals.every((rival) => outranks(certified, rival))) {
        return group.status === "ERASED" ? this.#put(tx, certified) : this.#supersede(tx, certified)
      }
      for (const rival of rivals) if (rival.status === "ACTIVE") this.#supersede(tx, rival)
      // Even if this node has no share of the epoch (erased, or not a member), the epoch ends the older ones.
      return this.#put(tx, group.status === "ERASED" ? certified : { ...certified, status: "ACTIVE" })
    })
  }

  retire(groupId: string, epochId: Bytes): readonly GroupPublic[] {
    const proven = this.#expect(groupId, epochId)
    if (proven.certificate === undefined) return []
    return this.#ofGroup(groupId)
      .filter(({ status }) => status === "PREPARED" || status === "SUPERSEDED")
      .filter((other) => outranks(proven, other))
      .map((other) => this.erase(groupId, other.epochId))
  }

  list(): readonly GroupPublic[] {
    return [...this.#epochs.values()].flatMap((epochs) => [...epochs.values()])
  }

  get(groupId: string, epochId: Uint8Array): GroupPublic | undefined {
    return this.#epochs.get(groupId)?.get(toHex(epochId))
  }

  active(groupId: string): GroupPublic | undefined {
    return this.#ofGroup(groupId).find((group) => group.status === "ACTIVE")
  }

  open(groupId: string, epochId: Bytes): GroupSecret {
    return this.#readSecret(GROUP_SECRET, groupId, epochId)
  }

  encodedSecret(groupId: string, epochId: Bytes): Bytes {
    return this.#readSecret(ENCODED_GROUP_SECRET, groupId, epochId)
  }

  #readSecret<T>(kind: RecordKind<T>, groupId: string, epochId: Bytes): T {
    const group = this.#expect(groupId, epochId)
    const secret = this.#vault.read(kind, epochName(groupId, epochId))
    if (secret !== undefined) return secret
    if (group.status === "ERASED") throw new CosignerError("E-STO-021", { groupId, epochId: toHex(epochId) })
    throw new CosignerError("E-STO-010", { path: this.#vault.path, what: `the share of group ${groupId}` })
  }

  /**
   * Erases the share and keeps the public record: SUPERSEDED -> ERASED, and PREPARED -> ERASED if a certified epoch outranks it. The caller
   * has checked the retention condition of threshold.md 6.4. Throws E-STO-023 for any other epoch.
   */
  erase(groupId: string, epochId: Bytes): GroupPublic {
    const group = this.#expect(groupId, epochId)
    if (group.status === "ERASED") return group
    const isOutranked = this.#ofGroup(groupId).some(
      (other) => other.certificate !== undefined && outranks(other, group),
    )
    if (group.status === "ACTIVE" || !isOutranked) {
      throw new CosignerError("E-STO-023", { groupId, epochId: toHex(epochId), status: group.status })
    }
    return this.#vault.transaction((tx) => {
      tx.remove(GROUP_SECRET, epochName(groupId, epochId))
      return this.#put(tx, { ...group, status: "ERASED" })
    })
  }

  /** Deletes the epochs of DKGs that never got a certificate, so no address of theirs was published. Returns their number. */
  dropUncertifiedKeygen(groupId: string): number {
    const dropped = this.#ofGroup(groupId).filter((group) => group.status === "PREPARED" && group.mode === "keygen")
    this.#vault.transaction((tx) => {
      for (const { epochId } of dropped) {
        tx.remove(GROUP, epochName(groupId, epochId))
        tx.remove(GROUP_SECRET, epochName(groupId, epochId))
      }
      tx.remember(
        () => dropped.forEach((group) => void this.#forget(group)),
        () => dropped.forEach((group) => void this.restore(group)),
      )
    })
    return dropped.length
  }

  /** Erases all OT state with `peer` in that epoch, in the caller's transaction. Does nothing if there is none. */
  eraseOt(tx: StoreTransaction, groupId: string, epochId: Bytes, peer: PartyId): void {
    this.#rewriteSecret(tx, groupId, epochId, (pairs) =>
      pairs.map((pair) => (pair.peer === peer ? { ...pair, otAlice: undefined, otBob: undefined } : pair)),
    )
  }

  /** The epoch signs no more. OT state and zero seeds are erased at once; the share is kept until `erase`. */
  #supersede(tx: StoreTransaction, group: GroupPublic): GroupPublic {
    this.#rewriteSecret(tx, group.groupId, group.epochId, () => [])
    return this.#put(tx, { ...group, status: "SUPERSEDED" })
  }

  #rewriteSecret(
    tx: StoreTransaction,
    groupId: string,
    epochId: Bytes,
    change: (pairs: readonly PairState[]) => readonly PairState[],
  ): void {
    const name = epochName(groupId, epochId)
    const secret = this.#vault.read(GROUP_SECRET, name)
    if (secret === undefined) return
    try {
      tx.put(GROUP_SECRET, name, { share: secret.share, pairs: change(secret.pairs) })
    } finally {
      wipe(secret)
    }
  }

  #put(tx: StoreTransaction, group: GroupPublic): GroupPublic {
    tx.put(GROUP, epochName(group.groupId, group.epochId), group)
    const before = this.get(group.groupId, group.epochId)
    tx.remember(
      () => this.restore(group),
      () => (before === undefined ? this.#forget(group) : this.restore(before)),
    )
    return group
  }

  #forget({ groupId, epochId }: GroupPublic): void {
    const epochs = this.#epochs.get(groupId)
    epochs?.delete(toHex(epochId))
    if (epochs?.size === 0) this.#epochs.delete(groupId)
  }

  #expect(groupId: string, epochId: Uint8Array): GroupPublic {
    const group = this.get(groupId, epochId)
    if (group === undefined) throw new CosignerError("E-STO-020", { groupId, epochId: toHex(epochId) })
    return group
  }

  #ofGroup(groupId: string): readonly GroupPublic[] {
    return [...(this.#epochs.get(groupId)?.values() ?? [])]
  }

  /** Throws E-STO-022 unless a repeated `prepare` has the same content. The state reached since then is not compared. */
  #assertSame(known: GroupPublic, group: GroupPublic, secret: GroupSecret): void {
    assertSamePublic(known, group)
    const stored = this.open(known.groupId, known.epochId)
    const [a, b] = [encode(GROUP_SECRET.codec, stored), encode(GROUP_SECRET.codec, secret)]
    const isSame = secretEqual(a, b)
    a.fill(0)
    b.fill(0)
    wipe(stored)
    if (!isSame) throw conflict(known)
  }
}

const conflict = ({ groupId, epochId, status }: GroupPublic): CosignerError =>
  new CosignerError("E-STO-022", { groupId, epochId: toHex(epochId), status })

function assertSamePublic(known: GroupPublic, group: GroupPublic): void {
  const asPrepared = ({ certificate: _, ...rest }: GroupPublic): GroupPublic => ({ ...rest, status: "PREPARED" })
  if (!equal(encode(GROUP.codec, asPrepared(known)), encode(GROUP.codec, asPrepared(group)))) throw conflict(known)
}

function wipe(secret: GroupSecret): void {
  secret.share.wipe()
  for (const pair of secret.pairs) {
    pair.zeroSeed.wipe()
    pair.otAlice?.wipe()
    pair.otBob?.wipe()
  }
}
