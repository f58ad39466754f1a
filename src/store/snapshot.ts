/**
 * A copy of the database that a backup reads record by record, in a form that does not depend on the file's keys. transfer.ts makes a
 * database from these records again. The copy is checked against its root record while it is read, as at a start.
 */
import { rmSync } from "node:fs"
import { type Bytes, copy, equal } from "../bytes.ts"
import { encode } from "../codec.ts"
import { CosignerError } from "../errors.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { Secret } from "../secret.ts"
import { APPROVALS } from "./approvals.ts"
import { AUDIT_KEY, AUDIT_LEAF, AUDIT_TILE, COSIGNED, LOG_DOUBT, WITNESSED } from "./auditRecords.ts"
import { SecretsFile } from "./file.ts"
import { FREEZE } from "./freezes.ts"
import { headerChecksum } from "./header.ts"
import { POLICY } from "./policies.ts"
import {
  AWAITS_REFRESH,
  BAN,
  BOOTS,
  CALLBACK_KEY,
  CHECKS,
  CHECKUP,
  ENTROPY,
  EVENT,
  EVENT_KEY,
  epochName,
  GROUP,
  GROUP_SECRET,
  IDENTITY,
  INCARNATION,
  PROBE,
  type RecordKind,
  ROOT,
  type Root,
  SESSION,
  STRIKES,
  TASK,
} from "./records.ts"
import {
  assertHead,
  generationOf,
  getRow,
  HEADER_ID,
  NO_NAME,
  openHeader,
  PREFIX,
  parseBody,
  withPlain,
} from "./rows.ts"
import { compare, readRoot, suspect } from "./scan.ts"
import { addWeight, type Head, RecordSealer, type SealedRecord } from "./seal.ts"
import { SERVED } from "./serviceTime.ts"
import { SPENT_ORDERS } from "./spentOrders.ts"
import { EPOCH_SHARE, type OnGroup, type StoredRecord } from "./transfer.ts"
import { FOLLOWED_WAAS, TRUSTED_WAAS } from "./waasTrust.ts"

/** The position of the database in its history; known once all records were read. */
interface SnapshotSummary {
  readonly generation: number
  readonly incarnation: number
  readonly boot: number
}

interface Choice {
  readonly chosen: ReadonlySet<string> | undefined
  readonly onGroup: OnGroup
}

interface Carried {
  readonly carried?: StoredRecord
  readonly group?: GroupPublic
}

/** Records that the backup carries unchanged. Those of OWN come first, wherever they are in the file. */
const OWN: readonly RecordKind<unknown>[] = [IDENTITY, CALLBACK_KEY, EVENT_KEY, AUDIT_KEY, BOOTS, INCARNATION]
const AS_THEY_ARE: readonly number[] = [
  ...[TASK, APPROVALS, SESSION, EVENT, STRIKES, FOLLOWED_WAAS, TRUSTED_WAAS, FREEZE, SERVED, POLICY, SPENT_ORDERS],
  ...[AUDIT_LEAF, AUDIT_TILE, WITNESSED, COSIGNED],
].map(({ byte }) => byte)
/** Kinds that the scan skips: a restore draws new entropy; probe, check-up and doubt concern this file; shares come with their group. */
const LEFT_OUT: readonly number[] = [ENTROPY, PROBE, CHECKUP, GROUP_SECRET, LOG_DOUBT, ...OWN].map(({ byte }) => byte)

export class Snapshot implements Disposable {
  readonly #file: SecretsFile
  readonly #sealer: RecordSealer

  private constructor(file: SecretsFile, sealer: RecordSealer) {
    this.#file = file
    this.#sealer = sealer
  }

  /** Copies an open `file` to `to` and opens the copy. The data key stays the caller's. */
  static take(file: SecretsFile, to: string, dataKey: Secret): Snapshot {
    return new Snapshot(file.copyTo(to), new RecordSealer(dataKey))
  }

  /** The same for a file that is not open here and that a node may be writing to. Throws E-STO-004 for a wrong password. */
  static of(path: string, to: string, password: Secret): Snapshot {
    const file = SecretsFile.openCopy(path, to)
    try {
      using dataKey = openHeader(file, password)
      return new Snapshot(file, new RecordSealer(dataKey))
    } catch (error) {
      file[Symbol.dispose]()
      rmSync(to, { force: true })
      throw error
    }
  }

  /**
   * Yields every record that a backup carries, without OT state and zero seeds (threshold.md 6.4); with `chosen`, only these groups.
   * Calls `onGroup` for each group, and yields its share right after it. A body is wiped when the next record is asked for. Yields
   * undefined for a record that is skipped, so that the caller can pause there too. Nothing that was read may be used before the generator
   * has returned, because only then the set of records was checked against the root.
   */
  *records(
    chosen: ReadonlySet<string> | undefined,
    onGroup: OnGroup = () => {},
  ): Generator<StoredRecord | undefined, SnapshotSummary> {
    const file = this.#file
    const root = readRoot(file, this.#sealer)
    if (root === undefined) throw new CosignerError("E-STO-010", { path: file.path, what: "its root record" })
    for (const kind of OWN) {
      const row = getRow(file, this.#sealer.blind(kind.byte, NO_NAME))
      if (row !== undefined) yield* this.#opened(row, root)
    }
    yield* this.#scan(root, { chosen, onGroup })
    return { generation: root.generation, incarnation: this.#value(INCARNATION) ?? 0, boot: this.#value(BOOTS) ?? 0 }
  }

  *#scan(root: Root, choice: Choice): Generator<StoredRecord | undefined, void> {
    const file = this.#file
    const rootId = this.#sealer.blind(ROOT.byte, NO_NAME)
    let [sum, size, newest] = [0n, 0, 0]
    let header: Bytes | undefined
    for (const head of file.sql.heads.iterate()) {
      assertHead(file, head)
      if (equal(head.id, HEADER_ID)) {
        header = headerChecksum(this.#row(head).box)
        continue
      }
      if (equal(head.id, rootId)) continue
      size++
      sum = addWeight(sum, this.#sealer.weight(head))
      if (LEFT_OUT.includes(head.kind)) {
        yield undefined
        continue
      }
      const record = this.#row(head)
      const opened = withPlain(this.#sealer, record, (plain) => {
        newest = Math.max(newest, generationOf(plain))
        return this.#carried(record, plain, choice)
      })
      if (opened === undefined) throw suspect(file, this.#sealer, record, root)
      const { carried, group } = opened.value
      if (carried !== undefined) yield* lent(carried)
      if (group !== undefined) yield* this.#share(group, root)
    }
    compare(file.path, root, { size, sum, newest, header })
  }

  /** The record if the backup carries it; and the group, if the record is one, because its share follows it. */
  #carried({ kind, version }: SealedRecord, plain: Uint8Array, { chosen, onGroup }: Choice): Carried {
    const copied = (): StoredRecord => ({ kind, version, body: bodyOf(plain) })
    const parse = <T>(kind: RecordKind<T>): T => parseBody(this.#file.path, kind, version, plain)
    const isChosen = (groupId: string): boolean => chosen === undefined || chosen.has(groupId)
    if (kind === GROUP.byte) {
      const group = parse(GROUP)
      if (!isChosen(group.groupId)) return {}
      onGroup(group)
      return { carried: copied(), group }
    }
    const ofGroup = [BAN, CHECKS, AWAITS_REFRESH].find(({ byte }) => byte === kind)
    if (ofGroup !== undefined)
      return isChosen(parse<{ readonly groupId: string }>(ofGroup).groupId) ? { carried: copied() } : {}
    if (AS_THEY_ARE.includes(kind)) return { carried: copied() }
    throw new CosignerError("E-STO-027", { path: this.#file.path, kind, version })
  }

  *#share({ groupId, epochId, status }: GroupPublic, root: Root): Generator<StoredRecord, void> {
    if (status === "ERASED") return
    const row = getRow(this.#file, this.#sealer.blind(GROUP_SECRET.byte, epochName(groupId, epochId)))
    if (row === undefined) {
      throw new CosignerError("E-STO-010", { path: this.#file.path, what: `the share of group ${groupId}` })
    }
    const opened = withPlain(this.#sealer, row, (plain) => {
      const secret = parseBody(this.#file.path, GROUP_SECRET, row.version, plain)
      for (const pair of secret.pairs) {
        pair.zeroSeed.wipe()
        pair.otAlice?.wipe()
        pair.otBob?.wipe()
      }
      using share = secret.share
      return encode(EPOCH_SHARE.codec, { groupId, epochId, share })
    })
    if (opened === undefined) throw suspect(this.#file, this.#sealer, row, root)
    yield* lent({ kind: EPOCH_SHARE.byte, version: EPOCH_SHARE.version, body: opened.value })
  }

  *#opened(row: SealedRecord, root: Root): Generator<StoredRecord, void> {
    const opened = withPlain(this.#sealer, row, bodyOf)
    if (opened === undefined) throw suspect(this.#file, this.#sealer, row, root)
    yield* lent({ kind: row.kind, version: row.version, body: opened.value })
  }

  #row({ id }: Head): SealedRecord {
    const row = getRow(this.#file, id)
    if (row === undefined) throw new CosignerError("E-STO-010", { path: this.#file.path, what: "a record" })
    return row
  }

  #value<T>(kind: RecordKind<T>): T | undefined {
    const row = getRow(this.#file, this.#sealer.blind(kind.byte, NO_NAME))
    if (row === undefined) return undefined
    return withPlain(this.#sealer, row, (plain) => parseBody(this.#file.path, kind, row.version, plain))?.value
  }

  [Symbol.dispose](): void {
    const { path } = this.#file
    this.#sealer[Symbol.dispose]()
    this.#file[Symbol.dispose]()
    rmSync(path, { force: true })
  }
}

/** A copy of the body, because withPlain wipes the original. */
const bodyOf = (plain: Uint8Array): Bytes => copy(plain.subarray(PREFIX))

/** Yields a record and wipes its body afterwards. */
function* lent(record: StoredRecord): Generator<StoredRecord, void> {
  try {
    yield record
  } finally {
    record.body.fill(0)
  }
}
