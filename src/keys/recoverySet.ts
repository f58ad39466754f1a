/**
 * What recovery files prove, alone and together (formats.md 5.2), and the root key that enough of them give (5.3).
 * Every check that needs no password comes first, and no key is made from shares that were not each proven.
 */
import { type Bytes, equal, toHex } from "../bytes.ts"
import { type Curve, curveNamed, type Point } from "../crypto/curve.ts"
import { lagrange } from "../crypto/shamir.ts"
import { CosignerError } from "../errors.ts"
import {
  decodeExtendedPublicKey,
  type ExtendedPrivateKey,
  encodeExtendedPublicKey,
  neuter,
  rootPrivateKey,
} from "./extendedKey.ts"
import { type OpeningKeys, openShare } from "./recoveryBox.ts"
import { type RecoveryGroup, type RecoveryParticipant, sameParticipant } from "./recoveryFile.ts"

/** A share that was opened and proven to belong to its public share. */
export interface ProvenShare {
  readonly group: RecoveryGroup
  /** In [1, q). */
  readonly share: bigint
}

/**
 * Whether the public shares lead to the root key: tests participants 1 .. t-1 with each of the others in turn, so that every
 * public share is used. Throws E-KEY-014.
 */
export function checkPublicShares(group: RecoveryGroup): void {
  const curve = curveNamed(group.curve)
  const root = decodeExtendedPublicKey(group.rootExtendedPublicKey).publicKey
  const fixed = group.participants.slice(0, group.threshold - 1)
  for (const other of group.participants.slice(group.threshold - 1)) {
    if (!equal(reconstructPublic(curve, [...fixed, other]), root)) {
      throw new CosignerError("E-KEY-014", { file: group.file, group: group.groupId })
    }
  }
}

/**
 * Whether these are files of different nodes about one epoch of one group. Throws E-KEY-018 for different keys, E-KEY-019
 * for two epochs of one key, E-KEY-020 for one node's share twice.
 */
export function checkTogether(groups: readonly RecoveryGroup[]): void {
  for (const [i, a] of groups.entries()) for (const b of groups.slice(i + 1)) checkPair(a, b)
}

function checkPair(a: RecoveryGroup, b: RecoveryGroup): void {
  const [files, group] = [[a.file, b.file] as const, a.groupId]
  const differs = (field: string) => new CosignerError("E-KEY-018", { files, group, field })
  if (a.groupId !== b.groupId) throw differs("id")
  if (a.curve !== b.curve) throw differs("curve")
  if (a.rootExtendedPublicKey !== b.rootExtendedPublicKey) throw differs("root extended public key")
  // The same key with other holders or another threshold: one file is from before a reshare, and one from after it.
  const reshared = (field: string) => new CosignerError("E-KEY-019", { files, group, field })
  if (a.threshold !== b.threshold) throw reshared("threshold")
  if (!sameSet(a.participants, b.participants)) throw reshared("participants")
  if (a.own.nodeId === b.own.nodeId) throw new CosignerError("E-KEY-020", { files, group })
}

function sameSet(a: readonly RecoveryParticipant[], b: readonly RecoveryParticipant[]): boolean {
  const byNode = new Map(b.map((participant) => [participant.nodeId, participant]))
  const known = (one: RecoveryParticipant) => {
    const other = byNode.get(one.nodeId)
    return other !== undefined && sameParticipant(one, other)
  }
  return a.length === b.length && a.every(known)
}

/** Opens a share and compares it with its public share. Throws E-KEY-015 if it does not open, E-KEY-016 if they do not fit. */
export function proveShare(group: RecoveryGroup, keys: OpeningKeys): ProvenShare {
  const at = { file: group.file, group: group.groupId }
  const share = openShare(group.sealed, group.curve, keys)
  if (share === undefined) throw new CosignerError("E-KEY-015", at)
  const curve = curveNamed(group.curve)
  const publicShare = curve.multiplyBase(share)
  if (curve.isIdentity(publicShare) || !equal(curve.encodePoint(publicShare), group.own.sharePublicKey)) {
    throw new CosignerError("E-KEY-016", at)
  }
  return { group, share }
}

/**
 * The root key of proven shares of at least `threshold` nodes. Throws E-KEY-021 for too few shares, E-KEY-022 if the key does not match the
 * files' root key, and the errors of checkTogether and checkPublicShares: it repeats those checks, so that no caller can leave them out.
 */
export function reconstruct(proven: readonly ProvenShare[]): ExtendedPrivateKey {
  const [first] = proven
  if (first === undefined) throw new RangeError("no shares")
  const { group } = first
  if (proven.length < group.threshold) {
    throw new CosignerError("E-KEY-021", { group: group.groupId, have: proven.length, need: group.threshold })
  }
  const groups = proven.map((share) => share.group)
  checkTogether(groups)
  checkPublicShares(group)
  const curve = curveNamed(group.curve)
  const lambdas = lagrange(
    curve,
    residues(
      curve,
      groups.map(({ own }) => own),
    ),
  )
  const scalar = proven.reduce((sum, { share }, i) => curve.mod(sum + share * (lambdas[i] ?? 0n)), 0n)
  const root = rootPrivateKey(group.curve, scalar, group.chainCode)
  if (encodeExtendedPublicKey(neuter(root)) !== group.rootExtendedPublicKey) {
    root.scalar.wipe()
    throw new CosignerError("E-KEY-022", { group: group.groupId })
  }
  return root
}

/** enc(sum lambda_i S_i); 33 zero bytes for the identity, which do not equal any encoded key. */
function reconstructPublic(curve: Curve, participants: readonly RecoveryParticipant[]): Bytes {
  const lambdas = lagrange(curve, residues(curve, participants))
  const sum = participants.reduce<Point>((total, { sharePublicKey }, i) => {
    const point = curve.decodePoint(sharePublicKey)
    if (point === undefined) throw new TypeError(`not a point: ${toHex(sharePublicKey)}`)
    return curve.add(total, curve.multiplyPublic(point, lambdas[i] ?? 0n))
  }, curve.identity)
  return curve.isIdentity(sum) ? new Uint8Array(33) : curve.encodePoint(sum)
}

const residues = (curve: Curve, participants: readonly RecoveryParticipant[]): readonly bigint[] =>
  participants.map(({ shareId }) => curve.mod(shareId))
