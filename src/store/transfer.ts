/**
 * A database made of the records that a snapshot gave: another data key, another password, another host, a later version.
 * Every share is proven against its public share before the file gets its name, and ECDSA waits for a refresh.
 */
import { randomBytes } from "node:crypto"
import { type Bytes, copy, equal, toHex, u64be, utf8 } from "../bytes.ts"
import { curveNamed } from "../crypto/curve.ts"
import { DEFAULT_KDF, type Kdf } from "../crypto/passwordKey.ts"
import { CosignerError } from "../errors.ts"
import { checkGroup, type GroupPublic, memberOf } from "../keys/group.ts"
import { type PartyId, partyBytes } from "../keys/party.ts"
import { identityOf } from "../mpc/envelope.ts"
import { Secret } from "../secret.ts"
import * as c from "./codec.ts"
import { SecretsFile } from "./file.ts"
import { wrapKey } from "./header.ts"
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
  type Kind,
  LINEAGE,
  peerName,
  SESSION,
  STRIKES,
  TASK,
} from "./records.ts"
import { NO_NAME } from "./rows.ts"
import { Sealer } from "./seal.ts"
import type { Transaction } from "./transaction.ts"
import { Vault } from "./vault.ts"

/** A record outside the database. Kind and version are the store's own. */
export interface StoredRecord {
  readonly kind: number
  readonly version: number
  readonly body: Uint8Array
}

/** The share of one epoch, and nothing else of its secret part. */
export const EPOCH_SHARE: Kind<{ readonly groupId: string; readonly epochId: Bytes; readonly share: Secret }> = {
  byte: 128,
  version: 1,
  codec: c.struct({ groupId: c.text, epochId: c.bytes, share: c.secret }),
}

/** How many records one commit of a restore holds. */
const BATCH = 256

export interface Imported {
  readonly party: PartyId
  readonly records: number
  readonly groups: readonly Pick<GroupPublic, "groupId" | "epochId" | "curve" | "status" | "threshold">[]
  /** The number of shares that were opened and proven. */
  readonly proven: number
  readonly lineage: number
}

export interface ImportOptions {
  readonly kdf?: Kdf
  readonly nowMs: number
}

/**
 * Makes `path` of `records`, whole or not at all. Throws E-STO-001 and -003 as createStore does, E-BAK-011 for a share that
 * is not proven, E-BAK-013 for records that make no node, E-STO-027 for one that this version cannot read, and whatever
 * the iteration throws.
 */
export function importStore(
  path: string,
  password: Secret,
  records: Iterable<StoredRecord>,
  { kdf = DEFAULT_KDF, nowMs }: ImportOptions,
): Imported {
  let imported: Imported | undefined
  SecretsFile.create(path, (file) => {
    using dataKey = Secret.take(copy(randomBytes(32)))
    using sealer = new Sealer(dataKey)
    const vault = new Vault(file, sealer)
    vault.initialise(wrapKey(dataKey, password, kdf))
    const intake = new Intake(path)
    const batches = inBatches(records)
    for (;;) {
      const isOver = vault.transaction((tx) => batches(tx, intake))
      if (isOver) break
    }
    imported = vault.transaction((tx) => intake.finish(tx, nowMs))
  })
  if (imported === undefined) throw new CosignerError("E-CLI-001", { what: "a database was made of nothing" })
  return imported
}

/** Puts the next records into a transaction; true when there are no more. */
function inBatches(records: Iterable<StoredRecord>): (tx: Transaction, intake: Intake) => boolean {
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

type Epoch = Imported["groups"][number]

/** What has come so far, and what is still to be proven of it. */
class Intake {
  readonly #path: string
  #records = 0
  #lineage = 0
  #self: PartyId | undefined
  #hasCallbackKey = false
  #hasBoots = false
  readonly #epochs: Map<string, Epoch & { readonly publicShare: Bytes }> = new Map()
  /** Epoch name -> s*G of the share that came for it; empty if that is no scalar. */
  readonly #shares: Map<string, Bytes> = new Map()

  constructor(path: string) {
    this.#path = path
  }

  take(tx: Transaction, record: StoredRecord): void {
    this.#records++
    const carry = <T>(kind: Kind<T>, nameOf: (value: T) => Uint8Array, also: (value: T) => void = () => {}): void => {
      const value = parse(this.#path, kind, record)
      try {
        also(value)
        tx.put(kind, nameOf(value), value)
      } finally {
        if (value instanceof Secret) value.wipe()
      }
    }
    const alone = (): Bytes => NO_NAME
    const ofEpoch = ({ groupId, epochId }: { readonly groupId: string; readonly epochId: Bytes }): Bytes =>
      epochName(groupId, epochId)
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
      case LINEAGE.byte:
        this.#lineage = parse(this.#path, LINEAGE, record)
        return
      case GROUP.byte:
        return carry(GROUP, ofEpoch, (group) => this.#remember(group))
      case EPOCH_SHARE.byte:
        return this.#takeShare(tx, record)
      case BAN.byte:
        return carry(BAN, (ban) => peerName(ban.groupId, ban.epochId, ban.peer))
      case CHECKS.byte:
        return carry(CHECKS, (checks) => peerName(checks.groupId, checks.epochId, checks.peer))
      case AWAITS_REFRESH.byte:
        return carry(AWAITS_REFRESH, ofEpoch)
      case STRIKES.byte:
        return carry(STRIKES, ({ peer }) => partyBytes(peer))
      case TASK.byte:
        return carry(TASK, ({ record: task }) => utf8(task.taskId))
      case SESSION.byte:
        return carry(SESSION, ({ row }) => row.sid)
      case EVENT.byte:
        return carry(EVENT, ({ seq }) => u64be(seq))
      default:
        throw new CosignerError("E-STO-027", { path: this.#path, kind: record.kind, version: record.version })
    }
  }

  /** What every restored node gets anew, once every share is proven. */
  finish(tx: Transaction, nowMs: number): Imported {
    const party = this.#self
    if (party === undefined || !this.#hasCallbackKey || !this.#hasBoots) {
      throw new CosignerError("E-BAK-013", { path: this.#path, what: "the node's own keys are missing" })
    }
    for (const [name, epoch] of this.#epochs) this.#prove(name, epoch)
    using entropy = Secret.take(copy(randomBytes(32)))
    tx.put(ENTROPY, NO_NAME, entropy)
    const lineage = Math.max(this.#lineage + 1, nowMs)
    tx.put(LINEAGE, NO_NAME, lineage)
    const groups = [...this.#epochs.values()]
    for (const { groupId, epochId, curve, status } of groups) {
      if (curve !== "secp256k1" || status === "ERASED") continue
      tx.put(AWAITS_REFRESH, epochName(groupId, epochId), { groupId, epochId, why: "restored", sinceMs: nowMs })
    }
    return { party, records: this.#records, groups, proven: this.#shares.size, lineage }
  }

  #remember(group: GroupPublic): void {
    checkGroup(group)
    const { groupId, epochId, curve, status, threshold } = group
    const own = this.#self === undefined ? undefined : memberOf(group, this.#self)
    // An epoch that this node dealt to, or was told of, has no share here; whichever else is on record must have one.
    if (own === undefined && status !== "ERASED")
      throw new CosignerError("E-BAK-011", { group: groupId, why: "this node is not in the group" })
    const publicShare = own?.sharePublicKey ?? new Uint8Array(0)
    this.#epochs.set(toHex(epochName(groupId, epochId)), { groupId, epochId, curve, status, threshold, publicShare })
  }

  #takeShare(tx: Transaction, record: StoredRecord): void {
    const { groupId, epochId, share } = parse(this.#path, EPOCH_SHARE, record)
    try {
      const name = epochName(groupId, epochId)
      const epoch = this.#epochs.get(toHex(name))
      if (epoch === undefined) throw new CosignerError("E-BAK-011", { group: groupId, why: "its group is missing" })
      const curve = curveNamed(epoch.curve)
      const scalar = curve.decodeScalar(share.expose())
      const point = scalar === undefined ? new Uint8Array(0) : curve.encodePoint(curve.multiplyBase(scalar))
      this.#shares.set(toHex(name), point)
      tx.put(GROUP_SECRET, name, { share, pairs: [] })
    } finally {
      share.wipe()
    }
  }

  #prove(name: string, { groupId, status, publicShare }: Epoch & { readonly publicShare: Bytes }): void {
    if (status === "ERASED") return
    const why = (text: string) => new CosignerError("E-BAK-011", { group: groupId, why: text })
    const point = this.#shares.get(name)
    if (point === undefined) throw why("it is missing")
    if (!equal(point, publicShare)) throw why("it is not the one of its public share")
  }
}

/** E-STO-027 for a record that only another version reads. */
function parse<T>(path: string, kind: Kind<T>, { version, body }: StoredRecord): T {
  try {
    if (version === kind.version) return c.decode(kind.codec, body)
  } catch (error) {
    if (!(error instanceof c.Malformed)) throw error
  }
  throw new CosignerError("E-STO-027", { path, kind: kind.byte, version })
}
