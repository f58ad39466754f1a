/**
 * The highest cost of a transaction, in sun: energy up to its limit, bandwidth at the configured price, and fixed charges of the
 * chain for some types (chain parameters of java-tron since 2022; votes can change them).
 */

const TRX = 1_000_000n

/** By type of contract. A transfer may create its recipient's account: 1 TRX, and 0.1 TRX in place of bandwidth. */
const CHARGES: ReadonlyMap<string, bigint> = new Map([
  ["AccountCreateContract", 1_100_000n],
  ["TransferContract", 1_100_000n],
  ["TransferAssetContract", 1_100_000n],
  ["WitnessCreateContract", 9999n * TRX],
  ["AssetIssueContract", 1024n * TRX],
  ["ExchangeCreateContract", 1024n * TRX],
  ["AccountPermissionUpdateContract", 100n * TRX],
])
const MEMO = TRX
/** For a transaction with more than one signature. */
const SEVERAL_SIGNATURES = TRX
/** Keys of one permission, and so signatures. */
const MAX_SIGNATURES = 5
/** A tag, a length, 65 bytes. */
const SIGNATURE_BYTES = 67
/** Room that the chain counts for the result. */
const RESULT_BYTES = 64

interface Charged {
  readonly type: string
  readonly rawLength: number
  readonly feeLimit: bigint
  readonly hasMemo: boolean
  /** Whether it acts under a permission that others may also have to sign for. The owner's permission is assumed to have one key. */
  readonly shared: boolean
}

export function maxFee({ type, rawLength, feeLimit, hasMemo, shared }: Charged, bandwidthPrice: bigint): bigint {
  const signatures = shared ? MAX_SIGNATURES : 1
  const length = rawLength + 1 + lengthBytes(rawLength) + signatures * SIGNATURE_BYTES + RESULT_BYTES
  const charges = (CHARGES.get(type) ?? 0n) + (hasMemo ? MEMO : 0n) + (shared ? SEVERAL_SIGNATURES : 0n)
  return feeLimit + BigInt(length) * bandwidthPrice + charges
}

/** Of a length as a varint. */
const lengthBytes = (length: number): number => Math.max(1, Math.ceil(length.toString(2).length / 7))
