/** `cosigner client order FILE`: sends an order that a person signed through WaaS to the node that it names. */
import { readOrder, readSignedOrder } from "../../approvals/order.ts"
import { isUnfit } from "../../approvals/statement.ts"
import { EXIT } from "../../errors/entry.ts"
import { CosignerError } from "../../errors.ts"
import { command, required } from "../command.ts"
import { textOfFile } from "../payloads.ts"
import { connect, profileOption } from "./profile.ts"

export const order = command({
  summary: "Hand a signed order to a node through WaaS: freeze, unfreeze, veto",
  details:
    "The order is what `cosigner freeze --as`, `unfreeze --as` or `policy veto --as` printed, with the signature behind it. WaaS can withhold it and can make none; whether it counts is the node's to say, and its readiness shows a freeze.",
  args: { file: required("file", "the order with its signature behind it") },
  options: { profile: profileOption },
  examples: [["cosigner client order signed", "an approver freezes a node from afar"]],
  run: async ({ args, options, out }) => {
    const text = textOfFile("FILE", args.file)
    const signed = readSignedOrder(text)
    const read = isUnfit(signed) ? signed : readOrder(signed.statement)
    if (isUnfit(read)) throw new CosignerError("E-POL-007", { problem: read.problem })
    using connection = connect(options.profile)
    await connection.client.call("POST", `/wallets/mpc/nodes/${read.node}/orders`, {}, { order: text })
    out.result({ node: read.node, order: read.kind }, [`Handed on: ${read.kind}, to ${read.node}`])
    return EXIT.ok
  },
})
