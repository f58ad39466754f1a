/**
 * The messages between the main thread and a session worker: structured-cloneable forms of specifications, records and
 * endings. Classes do not survive the clone, so secrets travel as bytes and blame as its fields; this module rebuilds both.
 */
import type { Bytes } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import type { GroupPublic, GroupSecret } from "../keys/group.ts"
import { decodeGroupSecret, encodeGroupSecret } from "../keys/groupCodec.ts"
import type { PartyId } from "../keys/party.ts"
import { Blame, type BlameClass } from "../mpc/blame.ts"
import type { SessionRecord } from "../mpc/exchange.ts"
import type { EncodedSpec, Ending, SessionSpec } from "../mpc/session.ts"

export interface WorkerIdentity {
  /** Ed25519 seed, 32 bytes. */
  readonly seed: Bytes
  /** The node's secret of 32 bytes (threshold.md 1.5). */
  readonly nodeSecret: Bytes
  readonly bootCounter: number
  /** Unique among all workers of this process, so that no two sessions share a session counter. */
  readonly worker: number
}

export type ToWorker =
  /** The worker keeps `memory` as long as it lives. */
  | { readonly kind: "init"; readonly identity: WorkerIdentity; readonly memory: WebAssembly.Memory }
  | { readonly kind: "start"; readonly session: number; readonly spec: EncodedSpec }
  | { readonly kind: "deliver"; readonly session: number; readonly envelope: Bytes }
  | { readonly kind: "cancel"; readonly session: number; readonly reason: "deadline" | "cancelled" | "flooded" }
  /** The answer to a call; `ok: false` means that the call failed. */
  | { readonly kind: "answer"; readonly call: number; readonly ok: boolean; readonly value: boolean }
  | { readonly kind: "ping"; readonly at: number }

export type FromWorker =
  | { readonly kind: "ready" }
  /** A delivered envelope of that length has left the queue. */
  | { readonly kind: "took"; readonly session: number; readonly length: number }
  | { readonly kind: "send"; readonly session: number; readonly envelope: Bytes }
  | { readonly kind: "call"; readonly session: number; readonly call: number; readonly what: WorkerCall }
  | { readonly kind: "ended"; readonly session: number; readonly ending: PlainEnding }
  | { readonly kind: "pong"; readonly at: number }

/** What a session asks the main thread to do, and waits for. */
export type WorkerCall =
  | { readonly kind: "begin"; readonly sid: Bytes }
  | { readonly kind: "record"; readonly record: PlainRecord }
  | { readonly kind: "blamed"; readonly blame: PlainBlame; readonly sid: Bytes }
  | { readonly kind: "mayRelease" }

interface PlainBlame {
  readonly kind: BlameClass
  readonly parties: readonly PartyId[]
  readonly reason: string
  readonly evidence: readonly Bytes[]
}

type PlainRecord =
  | Exclude<SessionRecord, { kind: "prepared" }>
  | { readonly kind: "prepared"; readonly group: GroupPublic; readonly secret: Bytes }

type PlainEnding = Exclude<Ending, { kind: "blamed" }> | { readonly kind: "blamed"; readonly blame: PlainBlame }

/** Decodes the secret part and overwrites the bytes it was read from. Throws E-KEY-007 if the bytes are not a valid secret. */
export function decodedSpec(encoded: EncodedSpec): SessionSpec {
  switch (encoded.protocol) {
    case "dkg":
      return encoded
    case "sign":
      return { ...encoded, secret: secretOf(encoded.secret, encoded.group) }
    case "reshare": {
      const { old } = encoded
      return { ...encoded, old: old && { group: old.group, secret: old.secret && secretOf(old.secret, old.group) } }
    }
  }
}

/** The secret parts of a specification in a worker. They are wiped when its session has ended. */
export function secretsOf(spec: SessionSpec): readonly GroupSecret[] {
  if (spec.protocol === "sign") return [spec.secret]
  return spec.protocol === "reshare" && spec.old?.secret !== undefined ? [spec.old.secret] : []
}

/** The byte arrays that hold secrets. They are transferred, not copied, so that only one thread holds them. */
export function encodedSecretsOf(spec: EncodedSpec): readonly Bytes[] {
  if (spec.protocol === "sign") return [spec.secret]
  return spec.protocol === "reshare" && spec.old?.secret !== undefined ? [spec.old.secret] : []
}

/** The byte arrays with secrets in a worker's call; transferred for the same reason. */
export const transferOfCall = (call: WorkerCall): readonly ArrayBuffer[] =>
  call.kind === "record" && call.record.kind === "prepared" ? [call.record.secret.buffer] : []

export const plainRecord = (record: SessionRecord): PlainRecord =>
  record.kind === "prepared" ? { ...record, secret: encodeGroupSecret(record.secret) } : record

export const recordOf = (plain: PlainRecord): SessionRecord =>
  plain.kind === "prepared" ? { ...plain, secret: secretOf(plain.secret, plain.group) } : plain

export const plainBlame = ({ kind, parties, reason, evidence }: Blame): PlainBlame => ({
  kind,
  parties,
  reason,
  evidence,
})
export const blameOf = (plain: PlainBlame): Blame => new Blame(plain.kind, plain.parties, plain.reason, plain.evidence)

export const plainEnding = (ending: Ending): PlainEnding =>
  ending.kind === "blamed" ? { kind: "blamed", blame: plainBlame(ending.blame) } : ending
export const endingOf = (plain: PlainEnding): Ending =>
  plain.kind === "blamed" ? { kind: "blamed", blame: blameOf(plain.blame) } : plain

function secretOf(bytes: Bytes, { groupId }: GroupPublic): GroupSecret {
  const secret = decodeGroupSecret(bytes)
  bytes.fill(0)
  if (secret === undefined)
    throw new CosignerError("E-KEY-007", { group: groupId, reason: "its secret part cannot be read" })
  return secret
}
