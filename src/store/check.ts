/**
 * Checks a whole database without using it: the checks of a start, SQLite's page check, and a decoding of every record. Memory does not
 * grow with the number of records.
 */
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"
import { APPROVALS } from "./approvals.ts"
import { AUDIT_KEY, AUDIT_LEAF, AUDIT_TILE, COSIGNED, LOG_DOUBT, WITNESSED } from "./auditRecords.ts"
import { asFault } from "./faults.ts"
import { SecretsFile } from "./file.ts"
import { FREEZE } from "./freezes.ts"
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
  GROUP,
  GROUP_SECRET,
  IDENTITY,
  INCARNATION,
  PROBE,
  type RecordKind,
  SESSION,
  STRIKES,
  TASK,
} from "./records.ts"
import { openHeader, parseBody } from "./rows.ts"
import { scan, type Visitors } from "./scan.ts"
import { RecordSealer } from "./seal.ts"
import { SERVED } from "./serviceTime.ts"
import { SPENT_ORDERS } from "./spentOrders.ts"
import { FOLLOWED_WAAS, TRUSTED_WAAS } from "./waasTrust.ts"

/** Every kind of record but the root, which the scan itself decodes. */
const KINDS: readonly RecordKind<unknown>[] = [
  IDENTITY,
  ENTROPY,
  BOOTS,
  CALLBACK_KEY,
  EVENT_KEY,
  PROBE,
  GROUP,
  GROUP_SECRET,
  TASK,
  APPROVALS,
  SESSION,
  BAN,
  CHECKS,
  EVENT,
  INCARNATION,
  AWAITS_REFRESH,
  CHECKUP,
  STRIKES,
  FOLLOWED_WAAS,
  TRUSTED_WAAS,
  FREEZE,
  POLICY,
  SPENT_ORDERS,
  SERVED,
  AUDIT_KEY,
  AUDIT_LEAF,
  AUDIT_TILE,
  WITNESSED,
  COSIGNED,
  LOG_DOUBT,
]

/** Returns the number of records. Throws what a start would throw, and E-STO-027 for a record that this version cannot decode. */
export function checkStore(path: string, password: Secret): number {
  using file = SecretsFile.open(path, true)
  try {
    using dataKey = openHeader(file, password)
    using sealer = new RecordSealer(dataKey)
    return scan(file, sealer, "thorough", decodingAll(path)).size
  } catch (error) {
    throw asFault(error, path, "open")
  }
}

/** Visitors for a scan that decode every record and wipe the secrets in it. Throw E-STO-027. */
export const decodingAll =
  (path: string): Visitors =>
  (byte) =>
  (version, plain) => {
    const kind = KINDS.find((candidate) => candidate.byte === byte)
    if (kind === undefined) throw new CosignerError("E-STO-027", { path, kind: byte, version })
    wipeSecrets(parseBody(path, kind, version, plain))
  }

/** Wipes every Secret inside a decoded record. */
export function wipeSecrets(value: unknown): void {
  if (value instanceof Secret) return value.wipe()
  if (Array.isArray(value)) return value.forEach(wipeSecrets)
  if (typeof value === "object" && value !== null && !(value instanceof Uint8Array)) {
    Object.values(value).forEach(wipeSecrets)
  }
}
