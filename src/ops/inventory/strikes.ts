/** Which peers misbehaved towards a node (threshold.md 2.4), and the result of a pardon, for people and for programs. */
import { toHex } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { goTime } from "../../keys/groupInfo.ts"
import type { PartyId } from "../../keys/party.ts"
import { equivocatorOf, parseStatement } from "../../mpc/statement.ts"
import type { StrikeRecord } from "../../store/records.ts"
import type { Store } from "../../store/store.ts"
import { MAX_STRIKES } from "../../store/strikes.ts"
import type { Strike } from "../../tasks/ports.ts"
import { nodeIdOf } from "../../wire/nodeId.ts"
import type { Shown } from "./shown.ts"

export function showStrikes(store: Store): Shown {
  const all = store.strikes.list()
  return {
    value: all.map(json),
    lines: [`Nodes with strikes: ${all.length}, from ${store.path}`, ...all.flatMap(text)],
  }
}

/** Begins to count that peer's strikes from zero, durably. Throws E-CLI-011 for one without strikes. */
export function pardonPeer(store: Store, peer: PartyId, nowMs: number): Shown {
  const all = store.strikes.list()
  if (!all.some((record) => record.peer === peer)) {
    throw new CosignerError("E-CLI-011", {
      what: "node with strikes",
      known: all.map((strikeRecord) => nodeIdOf(strikeRecord.peer)),
    })
  }
  const lifted = store.strikes.pardon(peer, nowMs)
  const node = nodeIdOf(peer)
  return {
    value: { node_id: node, lifted },
    lines: [
      lifted === 0
        ? `Nothing to pardon: ${node} has no strike since its last pardon`
        : `Pardoned: ${node}, ${lifted} strikes`,
    ],
  }
}

const isRefused = ({ count }: StrikeRecord): boolean => count >= MAX_STRIKES

function text(record: StrikeRecord): readonly string[] {
  const { peer, count, total } = record
  return [
    `Node ID: ${nodeIdOf(peer)}`,
    `    Strikes: ${count} since the last pardon, ${total} ever`,
    `    Refused: ${isRefused(record) ? "yes" : "no"}`,
    ...record.strikes.map(
      ({ atMs, kind, reason, taskId, sid }) =>
        `    ${goTime(atMs)} ${kind}: ${reason} (task ${taskId}, session ${toHex(sid).slice(0, 16)})`,
    ),
    ...record.pardons.map(({ atMs, strikes: lifted }) => `    ${goTime(atMs)} pardoned: ${lifted} strikes`),
  ]
}

const json = (record: StrikeRecord): object => ({
  node_id: nodeIdOf(record.peer),
  strikes_since_pardon: record.count,
  strikes_ever: record.total,
  refused: isRefused(record),
  strikes: record.strikes.map(strikeJson),
  pardons: record.pardons.map(({ atMs, strikes: lifted }) => ({ at_ms: atMs, lifted })),
})

const strikeJson = ({ kind, reason, taskId, sid, atMs, evidence, peer }: Strike): object => ({
  kind,
  reason,
  task_id: taskId,
  session: toHex(sid),
  at_ms: atMs,
  proven: evidence[0] !== undefined && evidence[1] !== undefined && equivocatorOf(evidence[0], evidence[1]) === peer,
  evidence: evidence.flatMap((bytes) => {
    const statement = parseStatement(bytes)
    if (statement === undefined) return []
    const { headerBytes, bodyDigest, signature } = statement
    return { header: toHex(headerBytes), body_sha256: toHex(bodyDigest), signature: toHex(signature) }
  }),
})
