/** `cosigner strikes` and `cosigner strikes pardon <node-id>`: who misbehaved towards this node (threshold.md 2.4), and the way back. */
import { toHex } from "../bytes.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { goTime } from "../keys/groupInfo.ts"
import { equivocatorOf, parseStatement } from "../mpc/statement.ts"
import type { StrikeRecord } from "../store/records.ts"
import { openStore, type Store } from "../store/store.ts"
import { MAX_STRIKES } from "../store/strikes.ts"
import type { Strike } from "../tasks/ports.ts"
import { nodeIdOf, parseNodeId } from "../wire/nodeId.ts"
import { type CommandBase, command, refuse, required } from "./command.ts"

export const strikes = command({
  summary: "Show which nodes misbehaved in sessions with this one, and who is refused for it",
  details: [
    `A strike is a message that no honest node sends: malformed, with a false proof (FAULT), or in two versions (EQUIV). From ${MAX_STRIKES}`,
    "strikes on this node begins no task with that node until it is pardoned (threshold.md 2.4). The newest strikes are kept in full.",
    "With --json an EQUIV carries its evidence: header, SHA-256 of the body and signature of both versions. The node's Ed25519",
    'key signed frame("msg", header, body_sha256) twice, which anybody can verify.',
  ].join("\n"),
  examples: [["cosigner strikes --json > evidence.json", "for the other node's operator"]],
  run: async (base) => {
    using store = await open(base, true)
    const all = store.strikes.list()
    base.out.result(all.map(json), [`Nodes with strikes: ${all.length}, from ${store.path}`, ...all.flatMap(text)])
    return EXIT.ok
  },
})

export const pardon = command({
  summary: "Begin tasks with a refused node again",
  details: [
    "Only when its operator has explained the strikes. They stay on record, and so does the pardon; counting starts again from zero. A ban",
    "is something else and stays. The node must not be running.",
  ].join("\n"),
  args: { node: required("node-id", "the node to pardon") },
  examples: [["cosigner strikes pardon NODE_ID", "after its operator has explained them"]],
  run: async (base) => {
    const { node } = base.args
    const peer = parseNodeId(node) ?? refuse("the node id", "one that `cosigner strikes` shows", node)
    using store = await open(base, false)
    const all = store.strikes.list()
    if (!all.some((record) => record.peer === peer)) {
      throw new CosignerError("E-CLI-011", {
        what: "node with strikes",
        known: all.map((strikeRecord) => nodeIdOf(strikeRecord.peer)),
      })
    }
    const lifted = store.strikes.pardon(peer, Date.now())
    base.out.result({ node_id: node, lifted }, [
      lifted === 0
        ? `Nothing to pardon: ${node} has no strike since its last pardon`
        : `Pardoned: ${node}, ${lifted} strikes`,
    ])
    return EXIT.ok
  },
})

async function open({ config, passwords }: CommandBase, readOnly: boolean): Promise<Store> {
  const { db } = await config()
  using password = await passwords.existing(db)
  return openStore(db.path, password, { readOnly })
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
