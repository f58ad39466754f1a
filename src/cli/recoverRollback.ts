/** `cosigner recover-rollback`: the operator decides that an older copy of the database is the node from now on. */
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { writeRollbackGuard } from "../store/rollbackGuard.ts"
import { openStore } from "../store/store.ts"
import { command, flag } from "./command.ts"

export const recoverRollback = command({
  summary: "Let an older copy of the database be this node, after a rollback was detected",
  details: [
    "Use this only when the newest copy is lost for good and no other copy runs: bans and journal entries made since are gone. The decision is",
    "written to the database. ECDSA waits in every group until a refresh has made new one-time material (threshold.md 2.5 rule 11);",
    "EdDSA and Schnorr sign at once. WaaS then refuses every other copy. The node must not run meanwhile; it refuses to start on the older copy.",
  ].join("\n"),
  options: { understood: flag("--yes-i-understand", "say that no newer copy exists or runs") },
  run: async ({ config, options, out, passwords }) => {
    if (!options.understood) throw new CosignerError("E-BAK-017", {})
    const { db } = await config()
    using password = await passwords.existing(db)
    using store = openStore(db.path, password, { readOnly: false })
    const incarnation = store.acceptRollback(Date.now())
    writeRollbackGuard(db.path, store.fencingToken)
    const waiting = store.groups
      .list()
      .filter(({ groupId, epochId, status }) => status === "ACTIVE" && store.bans.awaitsRefresh(groupId, epochId))
      .map(({ groupId }) => groupId)
    out.result({ db: db.path, incarnation, ecdsa_waits_for_refresh: waiting }, [
      `Accepted: ${db.path} is this node from now on (incarnation ${incarnation})`,
      ...(waiting.length === 0 ? [] : [`ECDSA waits for a refresh of: ${waiting.join(" ")}`]),
    ])
    return EXIT.ok
  },
})
