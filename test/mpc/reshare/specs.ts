/** Reshares of dealt groups: the specification of every participant, and what its run left behind. */
import { expect } from "bun:test"
import { type Bytes, copy } from "../../../src/bytes.ts"
import { curveNamed } from "../../../src/crypto/curve.ts"
import { lagrange } from "../../../src/crypto/shamir.ts"
import type { GroupPublic } from "../../../src/keys/group.ts"
import type { Member, PartyId } from "../../../src/keys/party.ts"
import type { ReshareSpec } from "../../../src/mpc/session.ts"
import { membersOf } from "../../../src/mpc/sid.ts"
import { Secret } from "../../../src/secret.ts"
import type { NodeRun } from "../cluster.ts"
import type { DealtGroup } from "../dealer.ts"

export interface Members {
  readonly dealers: readonly PartyId[]
  readonly members: readonly Member[]
  readonly threshold: number
}

/** `change` is everybody's. Whoever is in the old group holds its record, whether it deals or not. */
export function reshareSpecs(
  old: DealtGroup,
  { dealers, members, threshold }: Members,
  change: Partial<ReshareSpec> = {},
): readonly ReshareSpec[] {
  const { group } = old
  const everybody = [...new Set([...dealers, ...members.map(({ party }) => party)])].sort()
  return everybody.map((self): ReshareSpec => {
    const isOld = group.members.some(({ party }) => party === self)
    return {
      protocol: "reshare",
      self,
      taskId: "reshare task",
      attempt: 1,
      mode: "replace",
      curve: group.curve,
      oldGroupId: group.groupId,
      newGroupId: group.groupId,
      rootPublicKey: group.commitments[0] ?? group.sid,
      chainCode: group.chainCode,
      oldThreshold: group.threshold,
      dealers: membersOf(group, dealers),
      newThreshold: threshold,
      members,
      createdMs: 1_800_000_000_000,
      old: isOld ? { group, secret: dealers.includes(self) ? old.secretOf(self) : undefined } : undefined,
      ...change,
    }
  })
}

/** Copies what is recorded before the protocol wipes it. */
export class Kept {
  readonly groups = new Map<PartyId, GroupPublic>()
  readonly shares = new Map<PartyId, Bytes>()
  readonly onRecord = (party: PartyId, record: NodeRun["records"][number]): void => {
    if (record.kind === "acknowledged") this.groups.set(party, record.group)
    if (record.kind !== "prepared") return
    this.groups.set(party, record.group)
    this.shares.set(party, copy(record.secret.share.expose()))
  }

  /** The new epoch as everybody recorded it, which must be one and the same; a dealer that leaves has no share of it. */
  group(): GroupPublic {
    const all = [...this.groups].map(([party, group]) => {
      expect(group.status).toBe(this.shares.has(party) ? "PREPARED" : "ERASED")
      return { ...group, status: "PREPARED" as const }
    })
    const [first] = all
    if (first === undefined) throw new Error("nothing was recorded")
    for (const other of all) expect(other).toEqual(first)
    return first
  }

  /** The new epoch as a group to go on with. */
  dealt(): DealtGroup {
    return {
      group: { ...this.group(), status: "ACTIVE" },
      secretKey: this.key([...this.shares.keys()].slice(0, this.group().threshold)),
      secretOf: (party) => ({ share: Secret.from(this.shares.get(party) ?? new Uint8Array(32)), pairs: [] }),
    }
  }

  /** What these shares interpolate to. */
  key(parties: readonly PartyId[]): bigint {
    const group = this.group()
    const curve = curveNamed(group.curve)
    const members = membersOf(group, parties)
    const lambdas = lagrange(
      curve,
      members.map(({ x }) => x),
    )
    const sum = members.reduce((sum, { party }, i) => {
      const share = curve.decodeScalar(this.shares.get(party) ?? new Uint8Array(0))
      if (share === undefined) throw new Error("no share")
      return sum + (lambdas[i] ?? 0n) * share
    }, 0n)
    return curve.mod(sum)
  }
}
