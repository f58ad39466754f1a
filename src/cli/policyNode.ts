/** `cosigner policy status|veto|recover`: the bundle that a node follows, an owner's veto, and the recovery from lost keys. */

import { readConfig } from "../config/load.ts"
import { readBundleFile } from "../config/policyBundle.ts"
import { recoverPolicy } from "../config/policyInForce.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { requireNewest } from "../jobs/rollbackGuard.ts"
import { askNode } from "../ops/admin/client.ts"
import { showPolicy } from "../ops/inventory/policy.ts"
import { openStore } from "../store/store.ts"
import { showBeside } from "./besideNode.ts"
import { command, required, value } from "./command.ts"
import { lastingFor, orderOptions, sendOrder, writeOut } from "./orders.ts"

export const status = command({
  summary: "Show the policy bundle that this node follows",
  details:
    "What is in force, what waits and until when, and every version that came before. A running node answers without the password.",
  examples: [["cosigner policy status", "what counts here, and since when"]],
  run: async (base) => {
    await showBeside(base, { command: "policy status" }, showPolicy)
    return EXIT.ok
  },
})

export const veto = command({
  summary: "Stop a version of the policy that waits, as one of its owners",
  details: [
    "Without --signed it prints the order to sign, for the version that waits on the running node:",
    "`cosigner policy veto --as NAME > veto; ssh-keygen -Y sign -n cosigner-policy -f KEY veto; cat veto veto.sig > signed`",
    "With --signed it gives the signed order to the node. A version that was vetoed never comes into force; the next one has a higher number.",
  ].join("\n"),
  options: orderOptions,
  examples: [["cosigner policy veto --signed signed", "gives the signed order to the node"]],
  run: async (base) => {
    const { options } = base
    if (options.signed !== undefined) return sendOrder(base, options.signed)
    const { db } = await base.config()
    const answer = await askNode(db.path, { command: "policy status" })
    const { waiting }: { waiting?: { version: number; document: string } } = Object(answer?.shown.value)
    if (waiting === undefined) throw new CosignerError("E-POL-009", {})
    const about = `policy ${waiting.version} ${waiting.document}`
    return writeOut(base, options, { kind: "veto", about, until: undefined, notAfter: lastingFor(options) })
  },
})

export const recover = command({
  summary: "Take a bundle over whose owners the ones in force did not sign, because they lost their keys",
  details: [
    "The host's operator decides this, with the password, while the node is stopped. The bundle's own owners must have signed it. It waits seven",
    "times the delay, at least seven days in service, and every owner of the version in force can veto it meanwhile. What it tightens counts at once.",
  ].join("\n"),
  args: { file: required("file", "the bundle") },
  options: { yes: value("--yes-owners-lost-their-keys <version>", "the version of the bundle, so that it is meant") },
  examples: [
    ["cosigner policy recover new.bundle --yes-owners-lost-their-keys 7", "then put it in the place of the old one"],
  ],
  run: async (base) => {
    const { args, options, globals } = base
    const bundle = readBundleFile(args.file)
    const { version } = bundle.document.terms
    if (options.yes !== String(version)) {
      throw new CosignerError("E-CLI-002", {
        what: "--yes-owners-lost-their-keys",
        expected: `the version of the bundle, ${version}`,
        got: options.yes ?? "nothing",
      })
    }
    const { db } = await base.config()
    using password = await base.passwords.existing(db)
    using store = openStore(db.path, password, { readOnly: false })
    requireNewest(store)
    const told = recoverPolicy(store.policies, bundle, (document) => readConfig(globals, {}, document), Date.now())
    base.out.result({ version, told }, [told])
    return EXIT.ok
  },
})
