/** `cosigner trust-waas <key>`: the operator decides that this node follows the WaaS of another key from now on. */
import { EXIT } from "../errors/entry.ts"
import { parseWaasKey, trustWaas } from "../ops/inventory/waasTrust.ts"
import { changeBeside } from "./besideNode.ts"
import { command, refuse, required } from "./command.ts"

export const trustWaasCommand = command({
  summary: "Trust the WaaS of another key from now on, and no more the one before",
  details: [
    "Use this when the signing key of WaaS is lost or was stolen. Take the new key from its operator, not from the network: anybody who has the private key can",
    "ask this node for signatures; its rules and callback servers still decide about them. The decision is written to the database: the node does not trust the old key",
    "any more, even while the configuration still names it. Change the file to the new key too. A running node changes over at once, if the",
    "password is right. If you give the key that is trusted already, the node forgets how far that WaaS had come, and follows the next copy that it meets.",
    "A node that follows a policy bundle takes only the key that its owners signed.",
  ].join("\n"),
  args: { key: required("public-key", "of WaaS, 64 hex digits, as `cosigner waas info` shows it") },
  examples: [["cosigner trust-waas 5f3e...", "on each node of that WaaS"]],
  run: async (base) => {
    const { args } = base
    const key = parseWaasKey(args.key) ?? refuse("public-key", "an Ed25519 public key as 64 hex digits", args.key)
    const { websocket } = await base.config()
    const configured = parseWaasKey(websocket.waas_public_key ?? "")
    await changeBeside(base, { command: "trust-waas", public_key: args.key }, (store) =>
      trustWaas(store, key, store.waas.decision()?.waasKey ?? configured, Date.now()),
    )
    return EXIT.ok
  },
})
