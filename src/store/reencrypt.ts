/**
 * Encrypts the whole file again under a new data key and a new password: opens every record, seals it under new keys, and replaces the old
 * file by the new one with one rename. The commit counter continues from the old file's, so the new file is the newer of the two.
 */
import { randomBytes } from "node:crypto"
import { type Bytes, copy, u64be, utf8 } from "../bytes.ts"
import { DEFAULT_KDF, type Kdf } from "../crypto/passwordKey.ts"
import { CosignerError } from "../errors.ts"
import { partyBytes } from "../keys/party.ts"
import { Secret } from "../secret.ts"
import { APPROVALS } from "./approvals.ts"
import { AUDIT_KEY, AUDIT_LEAF, AUDIT_TILE, COSIGNED, LOG_DOUBT, WITNESSED } from "./auditRecords.ts"
import { wipeSecrets } from "./check.ts"
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
  peerName,
  type RecordKind,
  ROOT,
  SESSION,
  STRIKES,
  TASK,
} from "./records.ts"
import { FileIndex, getRow, NO_NAME, openHeader, parseBody, withPlain } from "./rows.ts"
import { readRoot, scan } from "./scan.ts"
import { RecordSealer, type SealedRecord } from "./seal.ts"
import { SERVED } from "./serviceTime.ts"
import { SPENT_ORDERS } from "./spentOrders.ts"
import type { StoreTransaction } from "./transaction.ts"
import { RecordVault } from "./vault.ts"
import { FOLLOWED_WAAS, TRUSTED_WAAS } from "./waasTrust.ts"

/** Records in one commit of the new file. The file gets its name only after the last commit. */
const BATCH = 256

interface ReencryptOptions {
  readonly password: Secret
  readonly next: Secret
  readonly kdf?: Kdf
  /** Called after each batch of records. */
  readonly progress: (done: number, total: number) => void
}

/** A kind, and the name under which a record of it is filed. The name is needed because ids are blinded by a key of the file and change. */
interface FiledKind<T> {
  readonly kind: RecordKind<T>
  readonly nameOf: (value: T) => Uint8Array
}

type Resealed = (tx: StoreTransaction, record: SealedRecord) => void

/**
 * Returns the number of records. Throws what openStore throws for a damaged file, and E-STO-027 for a record that this version cannot read;
 * the file is unchanged then.
 */
export function reencrypt(path: string, { password, next, kdf = DEFAULT_KDF, progress }: ReencryptOptions): number {
  using file = SecretsFile.open(path, false)
  using dataKey = openHeader(file, password)
  using sealer = new RecordSealer(dataKey)
  const { size } = scan(file, sealer, "thorough", () => undefined)
  const root = readRoot(file, sealer)
  if (root === undefined) throw new CosignerError("E-STO-010", { path, what: "its root record" })
  file.replaceWith((made) => {
    using madeKey = Secret.take(copy(randomBytes(32)))
    using madeSealer = new RecordSealer(madeKey)
    const vault = new RecordVault(made, madeSealer, new FileIndex(made))
    vault.initialise(wrapKey(madeKey, next, kdf), root.generation)
    const reseal = resealing(file, sealer)
    const rows = recordsOf(file, sealer)
    for (let done = 0; done < size; progress(done, size)) {
      done += vault.transaction((tx) => {
        let count = 0
        for (; count < BATCH; count++) {
          const row = rows.next()
          if (row.done === true) break
          reseal(tx, row.value)
        }
        return count
      })
      if (done < size && done % BATCH !== 0) throw new CosignerError("E-CLI-001", { what: "records were lost" })
    }
    const checked = scan(made, madeSealer, "thorough", () => undefined)
    if (checked.size !== size) throw new CosignerError("E-CLI-001", { what: "records were lost" })
  })
  return size
}

/** Every record but header and root. */
function* recordsOf(file: SecretsFile, sealer: RecordSealer): Generator<SealedRecord, void> {
  const rootId = sealer.blind(ROOT.byte, NO_NAME)
  for (const place of file.sql.places.all()) {
    if (place.kind === 0 || Buffer.compare(place.id, rootId) === 0) continue
    const row = getRow(file, place.id)
    if (row === undefined) throw new CosignerError("E-STO-010", { path: file.path, what: "a record" })
    yield row
  }
}

const alone = <T>(kind: RecordKind<T>): FiledKind<T> => ({ kind, nameOf: () => NO_NAME })
interface OfEpoch {
  readonly groupId: string
  readonly epochId: Bytes
}
const ofEpoch = <T extends OfEpoch>(kind: RecordKind<T>): FiledKind<T> => ({
  kind,
  nameOf: ({ groupId, epochId }) => epochName(groupId, epochId),
})

function resealing(file: SecretsFile, sealer: RecordSealer): Resealed {
  const byKind = new Map<number, Resealed>()
  const on = <T>({ kind, nameOf }: FiledKind<T>, also: (tx: StoreTransaction, value: T) => void = () => {}): void => {
    byKind.set(kind.byte, (tx, record) => {
      const value = opened(file, sealer, kind, record)
      try {
        tx.put(kind, nameOf(value), value)
        also(tx, value)
      } finally {
        wipeSecrets(value)
      }
    })
  }
  for (const kind of [IDENTITY, ENTROPY, CALLBACK_KEY, EVENT_KEY, AUDIT_KEY]) on(alone(kind))
  for (const kind of [BOOTS, PROBE, INCARNATION]) on(alone(kind))
  // A secret part does not say which epoch it belongs to, so it is sealed again together with its group, and skipped in the scan.
  on(ofEpoch(GROUP), (tx, { groupId, epochId }) => {
    const name = epochName(groupId, epochId)
    const row = getRow(file, sealer.blind(GROUP_SECRET.byte, name))
    if (row === undefined) return
    const secret = opened(file, sealer, GROUP_SECRET, row)
    try {
      tx.put(GROUP_SECRET, name, secret)
    } finally {
      wipeSecrets(secret)
    }
  })
  byKind.set(GROUP_SECRET.byte, () => {})
  on(ofEpoch(CHECKUP))
  on(ofEpoch(AWAITS_REFRESH))
  on({ kind: BAN, nameOf: ({ groupId, epochId, peer }) => peerName(groupId, epochId, peer) })
  on({ kind: CHECKS, nameOf: ({ groupId, epochId, peer }) => peerName(groupId, epochId, peer) })
  on({ kind: STRIKES, nameOf: ({ peer }) => partyBytes(peer) })
  on({ kind: TASK, nameOf: ({ record }) => utf8(record.taskId) })
  on({ kind: SESSION, nameOf: ({ row }) => row.sid })
  on({ kind: EVENT, nameOf: ({ seq }) => u64be(seq) })
  on({ kind: WITNESSED, nameOf: ({ party }) => partyBytes(party) })
  on({ kind: APPROVALS, nameOf: ({ taskId }) => utf8(taskId) })
  on({ kind: FREEZE, nameOf: ({ groupId }) => utf8(groupId) })
  on({ kind: FOLLOWED_WAAS, nameOf: ({ waasKey }) => waasKey })
  on(alone(COSIGNED))
  on(alone(LOG_DOUBT))
  on(alone(TRUSTED_WAAS))
  on(alone(SERVED))
  on(alone(POLICY))
  on(alone(SPENT_ORDERS))
  on({ kind: AUDIT_LEAF, nameOf: ({ seq }) => u64be(seq) })
  on({ kind: AUDIT_TILE, nameOf: ({ index }) => u64be(index) })
  return (tx, record) => {
    const reseal = byKind.get(record.kind)
    if (reseal === undefined) {
      throw new CosignerError("E-STO-027", { path: file.path, kind: record.kind, version: record.version })
    }
    reseal(tx, record)
  }
}

function opened<T>(file: SecretsFile, sealer: RecordSealer, kind: RecordKind<T>, record: SealedRecord): T {
  const found = withPlain(sealer, record, (plain) => parseBody(file.path, kind, record.version, plain))
  if (found === undefined) throw new CosignerError("E-STO-011", { path: file.path, what: "a record" })
  return found.value
}
