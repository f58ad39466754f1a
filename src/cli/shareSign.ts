/** `cosigner share-sign`: the share check-up signature (formats.md 4.1, 8). The rules apply to it, and the journal records it. */
import { randomUUID } from "node:crypto"
import { readConfig } from "../config/load.ts"
import { configsInForce } from "../config/policyInForce.ts"
import { systemRng } from "../crypto/random.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { selfOf } from "../ops/inventory/nodeKeys.ts"
import { showSignature } from "../ops/inventory/shareSignature.ts"
import type { BundleDocument } from "../policy/bundle.ts"
import { signLocally } from "../tasks/localShareSign.ts"
import { changeBeside } from "./besideNode.ts"
import { type Command, command, value } from "./command.ts"

const options = {
  groupId: value("--group-id <id>", "the group"),
  message: value("--message <text>", "1 to 4096 bytes: hex behind 0x, or any other text as its UTF-8"),
}

const DETAILS = [
  "No network, and no other node: the signature verifies under this node's share public key, never under the group's key.",
  "What is signed is SHA-256 of the message's bytes; the output says how the message was read. A running node signs itself, by",
  "the rules that it has in force, when the password is right.",
]

const named = (name: string, summary: string, details: readonly string[]): Command =>
  command({
    summary,
    details: details.join("\n"),
    options,
    examples: [
      [`cosigner ${name} --group-id OoQGkknsPdPjLCmSuuSf --message 0x68656c6c6f`, "as a check-up script does"],
    ],
    run: async (base) => {
      const { message, groupId } = base.options
      if (message === undefined) throw new CosignerError("E-BAK-022", { message: "is missing" })
      if (groupId === undefined)
        throw new CosignerError("E-CLI-002", { what: "--group-id", expected: "a group", got: "" })
      if (name === "sign") base.out.note("cosigner: `sign` is called `share-sign` now; the old name still works")
      const own = await base.config()
      await changeBeside(base, { command: "share-sign", group_id: groupId, message }, (store) => {
        using seed = store.identity()
        const { party: self } = selfOf(seed)
        const { groups, tasks, freezes } = store
        const load = (document: BundleDocument) => readConfig(base.globals, {}, document)
        const { inForce, waiting } = configsInForce(store.policies, own, load)
        const policy = { rules: inForce.embedded_risk_control_rules, also: waiting?.embedded_risk_control_rules }
        const taskId = `local-${randomUUID()}`
        const signer = { self, groups, tasks, freezes, policy, rng: systemRng, taskId, nowMs: Date.now() }
        return showSignature(signLocally(signer, groupId, message))
      })
      return EXIT.ok
    },
  })

export const shareSign = named(
  "share-sign",
  "Sign a message with this node's own share, to show that it holds it",
  DETAILS,
)
export const sign = named("sign", "The old name of share-sign", [
  ...DETAILS,
  "Use share-sign: this name stays for scripts.",
])
