/**
 * Makes a database from the records of a snapshot, under a new data key and password, perhaps on another host or by a later version. Every
 * share is checked against its public share before the file gets its name. ECDSA stays stopped in every epoch until a refresh.
 */
import { randomBytes } from "node:crypto"
import { leafHash } from "../audit/merkle.ts"
import { type Bytes, copy, equal, toHex, u64be, utf8 } from "../bytes.ts"
import * as c from "../codec.ts"
import { curveNamed } from "../crypto/curve.ts"
import { DEFAULT_KDF, type Kdf } from "../crypto/passwordKey.ts"
import { CosignerError } from "../errors.ts"
import { checkGroup, type GroupMember, type GroupPublic, memberOf } from "../keys/group.ts"
import { type PartyId, partyBytes } from "../keys/party.ts"
import { identityOf } from "../mpc/envelope.ts"
import { Secret } from "../secret.ts"
import { APPROVALS } from "./approvals.ts"
import { AuditLog, type FoundLog } from "./auditLog.ts"
import { AUDIT_KEY, AUDIT_LEAF, AUDIT_TILE, COSIGNED, WITNESSED } from "./auditRecords.ts"
import { SecretsFile } from "./file.ts"
import { FREEZE } from "./freezes.ts"
import { wrapKey } from "./header.ts"
import { POLICY } from "./policies.ts"
import {
  AWAITS_REFRESH,
  BAN,
  BOOTS,
  CALLBACK_KEY,
  CHECKS,
  ENTROPY,
  EVENT,
  EVENT_KEY,
  epochName,
  GROUP,
  GROUP_SECRET,
  IDENTITY,
  INCARNATION,
  peerName,
  type RecordKind,
  SESSION,
  STRIKES,
  TASK,
} from "./records.ts"
import { decodeBody, FileIndex, NO_NAME, parseBody, withPlain } from "./rows.ts"
import { RecordSealer } from "./seal.ts"
import { SERVED } from "./serviceTime.ts"
import { SPENT_ORDERS } from "./spentOrders.ts"
import type { StoreTransaction } from "./transaction.ts"
import { RecordVault } from "./vault.ts"
import { FOLLOWED_WAAS, TRUSTED_WAAS } from "./waasTrust.ts"

/** A record outside the database. Kind and version are those of records.ts, or EPOCH_SHARE. */
export interface StoredRecord {
  readonly kind: number
  readonly version: number
  readonly body: Uint8Array
}

/** The share of one epoch, without the rest of its secret part. */
export const EPOCH_SHARE: RecordKind<{ readonly groupId: string; readonly epochId: Bytes; readonly share: Secret }> = {
  byte: 128,
  name: "epoch share",
  version: 1,
  earlier: [],
  codec: c.struct({ groupId: c.text, epochId: c.bytes, share: c.secret }),
}

/** Called for every group. A callee that keeps bytes of it must copy them. */
export type OnGroup = (group: Pick<GroupPublic, "groupId" | "epochId" | "curve" | "status" | "threshold">) => void

/** Records in one commit of a restore. The file gets its name only after the last commit, so all of them are one change. */
const BATCH = 256

export interface Imported {
  readonly party: PartyId
  readonly records: number
  readonly groups: number
  /** Number of shares that were checked against their public share. */
  readonly proven: number
  readonly incarnation: number
}

interface ImportOptions {
  readonly kdf?: Kdf
  readonly nowMs: number
  readonly onGroup?: OnGroup
}

/**
 * Makes the database `path` from `records`, completely or not at all. Memory does not grow with the number of records, except for hashes of
 * the audit log. Throws E-STO-001 and -003 as createStore does, E-BAK-011 for a share that does not match, E-BAK-013 for records that
 * do not make a node, E-STO-027 for a record that this version cannot read, and whatever the iterable throws.
 */
export function importStore(
  path: string,
  password: Secret,
  records: Iterable<StoredRecord>,
  { kdf = DEFAULT_KDF, nowMs, onGroup = () => {} }: ImportOptions,
): Imported {
  let imported: Imported | undefined
  SecretsFile.create(path, (file) => {
    using dataKey = Secret.take(copy(randomBytes(32)))
    using sealer = new RecordSealer(dataKey)
    const vault = new RecordVault(file, sealer, new FileIndex(file))
    vault.initialise(wrapKey(dataKey, password, kdf))
    const intake = new ImportAdmission(path, vault, nowMs, onGroup)
    const batches = inBatches(records)
    for (;;) {
      const isOver = vault.transaction((tx) => batches(tx, intake))
      if (isOver) break
    }
    if (intake.owed > 0) throw unproven(groupWithoutShare(file, sealer, vault), "it is missing")
    imported = vault.transaction((tx) => intake.finish(tx))
  })
  if (imported === undefined) throw new CosignerError("E-CLI-001", { what: "a database was made of nothing" })
  return imported
}

/** Returns a function that puts the next batch of records into a transaction; it returns true when there are no more. */
function inBatches(records: Iterable<StoredRecord>): (tx: StoreTransaction, intake: ImportAdmission) => boolean {
  const iterator = records[Symbol.iterator]()
  return (tx, intake) => {
    for (let n = 0; n < BATCH; n++) {
      const next = iterator.next()
      if (next.done === true) return true
      intake.take(tx, next.value)
    }
    return false
  }
}

/** Takes over one record under the name that follows from its value. */
type Carry = <T>(kind: RecordKind<T>, nameOf: (value: T) => Uint8Array, also?: (value: T) => void) => void

const alone = (): Bytes => NO_NAME
const ofEpoch = ({ groupId, epochId }: { readonly groupId: string; readonly epochId: Bytes }): Bytes =>
  epochName(groupId, epochId)

/** Admits the records of a restore one by one and counts them. Which records there are already, it looks up in the file. */
class ImportAdmission {
  readonly #path: string
  readonly #vault: RecordVault
  readonly #nowMs: number
  readonly #onGroup: OnGroup
  #records = 0
  #groups = 0
  #owed = 0
  #proven = 0
  #incarnation = 0
  #self: PartyId | undefined
  #hasCallbackKey = false
  #hasBoots = false
  readonly #log: { readonly tiles: FoundLog["tiles"][number][]; readonly leaves: FoundLog["leaves"][number][] } = {
    tiles: [],
    leaves: [],
  }

  constructor(path: string, vault: RecordVault, nowMs: number, onGroup: OnGroup) {
    this.#path = path
    this.#vault = vault
    this.#nowMs = nowMs
    this.#onGroup = onGroup
  }

  /** Number of epochs that have come and whose share has not come yet. */
  get owed(): number {
    return this.#owed
  }

  take(tx: StoreTransaction, record: StoredRecord): void {
    this.#records++
    const carry: Carry = (kind, nameOf, also = () => {}) => {
      const value = parse(this.#path, kind, record)
      try {
        also(value)
        this.#putNew(tx, kind, nameOf(value), value)
      } finally {
        if (value instanceof Secret) value.wipe()
      }
    }
    switch (record.kind) {
      case IDENTITY.byte:
        return carry(IDENTITY, alone, (seed) => {
          this.#self = identityOf(seed.expose()).party
        })
      case CALLBACK_KEY.byte:
        return carry(CALLBACK_KEY, alone, () => {
          this.#hasCallbackKey = true
        })
      case EVENT_KEY.byte:
        return carry(EVENT_KEY, alone)
      case BOOTS.byte:
        return carry(BOOTS, alone, () => {
          this.#hasBoots = true
        })
      case INCARNATION.byte:
        this.#incarnation = parse(this.#path, INCARNATION, record)
        return
      case GROUP.byte:
        return carry(GROUP, ofEpoch, (group) => this.#admit(group))
      case EPOCH_SHARE.byte:
        return this.#takeShare(tx, record)
      case BAN.byte:
        return carry(BAN, (ban) => peerName(ban.groupId, ban.epochId, ban.peer))
      case CHECKS.byte:
        return carry(CHECKS, (checks) => peerName(checks.groupId, checks.epochId, checks.peer))
      case AWAITS_REFRESH.byte:
        return this.#takeMark(tx, record)
      case STRIKES.byte:
        return carry(STRIKES, ({ peer }) => partyBytes(peer))
      case TASK.byte:
        return carry(TASK, ({ record: task }) => utf8(task.taskId))
      case APPROVALS.byte:
        return carry(APPROVALS, ({ taskId }) => utf8(taskId))
      case SESSION.byte:
        return carry(SESSION, ({ row }) => row.sid)
      case EVENT.byte:
        return carry(EVENT, ({ seq }) => u64be(seq))
      default:
        return this.#takeOfNode(carry, record)
    }
  }

  /** Takes the records that belong to the node as a whole: WaaS trust, freezes, policy, log. */
  #takeOfNode(carry: Carry, record: StoredRecord): void {
    switch (record.kind) {
      case FOLLOWED_WAAS.byte:
        return carry(FOLLOWED_WAAS, ({ waasKey }) => waasKey)
      case TRUSTED_WAAS.byte:
        return carry(TRUSTED_WAAS, alone)
      case FREEZE.byte:
        return carry(FREEZE, ({ groupId }) => utf8(groupId))
      case SERVED.byte:
        return carry(SERVED, alone)
      case WITNESSED.byte:
        return carry(WITNESSED, (log) => partyBytes(log.party))
      case COSIGNED.byte:
        return carry(COSIGNED, alone)
      case POLICY.byte:
        return carry(POLICY, alone)
      case SPENT_ORDERS.byte:
        return carry(SPENT_ORDERS, alone)
      case AUDIT_KEY.byte:
        return carry(AUDIT_KEY, alone)
      case AUDIT_LEAF.byte:
        return carry(
          AUDIT_LEAF,
          ({ seq }) => u64be(seq),
          ({ seq, leaf }) => this.#log.leaves.push({ seq, hash: leafHash(leaf) }),
        )
      case AUDIT_TILE.byte:
        return carry(
          AUDIT_TILE,
          ({ index }) => u64be(index),
          ({ index, root }) => this.#log.tiles.push({ index, root }),
        )
      default:
        throw new CosignerError("E-STO-027", { path: this.#path, kind: record.kind, version: record.version })
    }
  }

  /** Adds what every restored node gets anew, once every share was checked: entropy, incarnation, a leaf of the log. Throws E-BAK-013. */
  finish(tx: StoreTransaction): Imported {
    const party = this.#self
    if (party === undefined || !this.#hasCallbackKey || !this.#hasBoots) {
      throw new CosignerError("E-BAK-013", { path: this.#path, what: "the node's own keys are missing" })
    }
    using entropy = Secret.take(copy(randomBytes(32)))
    tx.put(ENTROPY, NO_NAME, entropy)
    const incarnation = Math.max(this.#incarnation + 1, this.#nowMs)
    tx.put(INCARNATION, NO_NAME, incarnation)
    const log = new AuditLog(this.#vault)
    log.restore(this.#log)
    const { size, root } = log
    const facts = { incarnation, before: this.#incarnation, groups: this.#groups, size, root: toHex(root) }
    log.append(tx, this.#nowMs, { kind: "restore", facts })
    return { party, records: this.#records, groups: this.#groups, proven: this.#proven, incarnation }
  }

  #putNew<T>(tx: StoreTransaction, kind: RecordKind<T>, name: Uint8Array, value: T): void {
    // No backup holds a record twice, and an unchecked record must not replace a checked one.
    if (this.#vault.has(kind, name))
      throw new CosignerError("E-BAK-013", { path: this.#path, what: "a record is there twice" })
    tx.put(kind, name, value)
  }

  #admit(group: GroupPublic): void {
    checkGroup(group)
    // Of an epoch that it only dealt to, or was told of, a node keeps the public record (ERASED). Of any other it must have a share.
    if (this.#ownIn(group) === undefined && group.status !== "ERASED") {
      throw unproven(group.groupId, "this node is not in the group")
    }
    this.#groups++
    if (group.status !== "ERASED") this.#owed++
    this.#onGroup(group)
  }

  #ownIn(group: GroupPublic): GroupMember | undefined {
    return this.#self === undefined ? undefined : memberOf(group, this.#self)
  }

  /** Stores a share only if s*G is the public share in the group's record. Throws E-BAK-011. */
  #takeShare(tx: StoreTransaction, record: StoredRecord): void {
    const { groupId, epochId, share } = parse(this.#path, EPOCH_SHARE, record)
    try {
      const name = epochName(groupId, epochId)
      const group = this.#vault.read(GROUP, name)
      if (group === undefined) throw unproven(groupId, "its group is missing")
      if (group.status === "ERASED") throw unproven(groupId, "it was erased and is there all the same")
      const curve = curveNamed(group.curve)
      const scalar = curve.decodeScalar(share.expose())
      const publicShare = this.#ownIn(group)?.sharePublicKey
      if (!scalar || !publicShare || !equal(curve.encodePoint(curve.multiplyBase(scalar)), publicShare)) {
        throw unproven(groupId, "it is not the one of its public share")
      }
      this.#putNew(tx, GROUP_SECRET, name, { share, pairs: [] })
      this.#owed--
      this.#proven++
      if (group.curve !== "secp256k1") return
      tx.put(AWAITS_REFRESH, name, { groupId, epochId, why: "restored", sinceMs: this.#nowMs })
    } finally {
      share.wipe()
    }
  }

  /** ECDSA was already stopped when the backup was made. This restore's own mark wins, whichever of the two records comes first. */
  #takeMark(tx: StoreTransaction, record: StoredRecord): void {
    const mark = parse(this.#path, AWAITS_REFRESH, record)
    const name = epochName(mark.groupId, mark.epochId)
    if (!this.#vault.has(AWAITS_REFRESH, name)) tx.put(AWAITS_REFRESH, name, mark)
  }
}

const unproven = (group: string, why: string): CosignerError => new CosignerError("E-BAK-011", { group, why })

/** The id of a group whose share is missing. Only called when one is known to be missing. */
function groupWithoutShare(file: SecretsFile, sealer: RecordSealer, vault: RecordVault): string {
  for (const row of file.sql.scan.iterate()) {
    if (row.kind !== GROUP.byte) continue
    const group = withPlain(sealer, row, (plain) => parseBody(file.path, GROUP, row.version, plain))?.value
    if (group === undefined || group.status === "ERASED") continue
    if (!vault.has(GROUP_SECRET, epochName(group.groupId, group.epochId))) return group.groupId
  }
  throw new CosignerError("E-CLI-001", { what: "shares were counted wrongly" })
}

const parse = <T>(path: string, kind: RecordKind<T>, { version, body }: StoredRecord): T =>
  decodeBody(path, kind, version, body)
