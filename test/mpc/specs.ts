/** Specifications for sessions of the test identities. */
import { type Bytes, utf8 } from "../../src/bytes.ts"
import type { CurveName } from "../../src/crypto/curve.ts"
import { shareIdOf } from "../../src/crypto/shamir.ts"
import { type Member, type PartyId, partyBytes } from "../../src/keys/party.ts"
import type { Algorithm, DkgSpec, MessageToSign, SignSpec } from "../../src/mpc/session.ts"
import { partyAt } from "./cluster.ts"
import type { DealtGroup } from "./dealer.ts"

/** Members of the first n identities, with share ids derived or given. */
export const makeMembers = (n: number, ids?: readonly bigint[]): readonly Member[] =>
  Array.from({ length: n }, (_, i) => ({ party: partyAt(i), x: ids?.[i] ?? shareIdOf(partyBytes(partyAt(i))) }))

export const dkgSpecs = (
  curve: CurveName,
  threshold: number,
  members: readonly Member[],
  change: Partial<DkgSpec> = {},
): readonly DkgSpec[] =>
  members.map(({ party }) => ({
    protocol: "dkg",
    taskId: "task",
    attempt: 1,
    groupId: "group",
    createdMs: 1_700_000_000_000,
    curve,
    threshold,
    members,
    self: party,
    ...change,
  }))

export const toSign = (message: string | Bytes, path: readonly number[] = [], taproot?: Bytes): MessageToSign => ({
  path,
  message: typeof message === "string" ? utf8(message) : message,
  taproot,
})

export const signSpecs = (
  dealt: DealtGroup,
  algorithm: Algorithm,
  signers: readonly PartyId[],
  messages: readonly MessageToSign[],
  change: Partial<SignSpec> = {},
): readonly SignSpec[] =>
  signers.map((self) => ({
    protocol: "sign",
    taskId: "task",
    attempt: 1,
    algorithm,
    group: dealt.group,
    secret: dealt.secretOf(self),
    signers,
    messages,
    self,
    ...change,
  }))
