/** `cosigner strikes` and `cosigner strikes pardon <node-id>`: which nodes misbehaved towards this one (threshold.md 2.4), and pardons. */
import { EXIT } from "../errors/entry.ts"
import { pardonPeer, showStrikes } from "../ops/inventory/strikes.ts"
import { MAX_STRIKES } from "../store/strikes.ts"
import { parseNodeId } from "../wire/nodeId.ts"
import { changeBeside, showBeside } from "./besideNode.ts"
import { command, refuse, required } from "./command.ts"

export const strikes = command({
  summary: "Show which nodes misbehaved in sessions with this one, and who is refused for it",
  details: [
    `A strike is a message that no honest node sends: malformed, with a false proof (FAULT), or in two versions (EQUIV). From ${MAX_STRIKES}`,
    "strikes on, this node begins no task with that node until it is pardoned (threshold.md 2.4). The newest strikes are kept in full.",
    "With --json an EQUIV has its evidence: header, SHA-256 of the body and signature of both versions. The node's Ed25519",
    'key signed frame("msg", header, body_sha256) twice, which anybody can verify. A running node answers without the password.',
  ].join("\n"),
  examples: [["cosigner strikes --json > evidence.json", "for the other node's operator"]],
  run: async (base) => {
    await showBeside(base, { command: "strikes" }, showStrikes)
    return EXIT.ok
  },
})

export const pardon = command({
  summary: "Begin tasks with a refused node again",
  details: [
    "Pardon a node only when its operator has explained the strikes. They stay on record, and so does the pardon; counting starts again from zero. A ban",
    "is something else and stays. A running node carries out the pardon itself, if the password is right.",
  ].join("\n"),
  args: { node: required("node-id", "the node to pardon") },
  examples: [["cosigner strikes pardon NODE_ID", "after its operator has explained them"]],
  run: async (base) => {
    const { node } = base.args
    const peer = parseNodeId(node) ?? refuse("the node id", "one that `cosigner strikes` shows", node)
    await changeBeside(base, { command: "strikes pardon", node_id: node }, (store) =>
      pardonPeer(store, peer, Date.now()),
    )
    return EXIT.ok
  },
})
