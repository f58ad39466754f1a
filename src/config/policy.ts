/** [policy]: the signed bundle that this node follows, and the terms under which it takes the first one (bundle.md 2.3). */
import { Type } from "@sinclair/typebox"
import { integer, path, tableOf, text } from "../settings/schema.ts"

export const policy = tableOf(
  "Policy as a signed bundle. Rules, [intent], approvers, callback servers, danger keys and waas_public_key come from the bundle, and must not be in this file.",
  {
    bundle: Type.Optional(path("configs/policy.bundle", "The bundle; read at the start and at SIGHUP.")),
    owners: Type.Optional(text("owners", "For the first bundle: the approver group in it that owns it.")),
    min: Type.Optional(integer(1, 256, 2, "For the first bundle: how many owners must sign it.")),
    delay: Type.Optional(text("24h", "For the first bundle: how long a change that loosens the policy waits.")),
  },
)
