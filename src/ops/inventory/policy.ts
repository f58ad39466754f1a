/** The policy bundle of a node, for people and for programs: what is in force, what waits, and what came before. */
import { documentOf } from "../../config/policyInForce.ts"
import { CosignerError } from "../../errors.ts"
import { goTime } from "../../keys/groupInfo.ts"
import { formatWindow } from "../../policy/duration.ts"
import type { AdoptedBundle, PolicyStep } from "../../store/policies.ts"
import type { Store } from "../../store/store.ts"
import type { Shown } from "./shown.ts"

export function showPolicy({ policies }: Pick<Store, "policies">): Shown {
  const { record, followed } = policies
  if (record === undefined || followed === undefined) {
    return { value: { follows: false, history: record?.history ?? [] }, lines: ["This node follows no policy bundle"] }
  }
  const { active, waiting, history } = record
  const { terms } = documentOf(active)
  const value = {
    follows: true,
    active: shown(active),
    owners: terms.owners,
    min: terms.min,
    unfreeze_min: terms.unfreezeMin,
    delay_ms: terms.delayMs,
    waiting: waiting && {
      ...shown(waiting),
      since_ms: waiting.sinceMs,
      until_ms: waiting.end.atMs,
      is_recovery: waiting.isRecovery,
    },
    history,
  }
  const waits = waiting && [
    `Waiting: version ${waiting.version} (${waiting.digest.slice(0, 16)}), until ${goTime(waiting.end.atMs)} at the earliest${waiting.isRecovery ? ", a recovery by the host" : `, signed by ${waiting.owners.join(", ")}`}`,
  ]
  return {
    value,
    lines: [
      `In force: version ${active.version} (${active.digest.slice(0, 16)}), signed by ${active.owners.join(", ")}`,
      `Changed by: ${terms.min} of ${terms.owners}; what loosens waits ${formatWindow(terms.delayMs)}`,
      ...(waits ?? []),
      ...history.map(line),
    ],
  }
}

const shown = ({ version, digest, owners }: AdoptedBundle) => ({ version, document: digest, owners })

const line = ({ version, digest, fate, atMs, by }: PolicyStep): string =>
  `    ${goTime(atMs)} version ${version} (${digest.slice(0, 16)}) ${fate}, by ${by.join(", ")}`

/** Throws E-POL-010 if the owners of a bundle lift freezes, and not the host. */
export function requireHostMayUnfreeze({ policies }: Pick<Store, "policies">): void {
  const { followed } = policies
  if (followed !== undefined)
    throw new CosignerError("E-POL-010", { min: documentOf(followed.active).terms.unfreezeMin })
}
