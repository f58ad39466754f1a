/**
 * The second way to meet the retention condition of threshold.md 6.4: check-up signatures of `threshold` distinct members of a later epoch,
 * each verified under the member's public share in this node's own record. For a node that left its group it is the only way.
 *
 * A check-up need not name its epoch, and need not be fresh. The shares of two epochs are values of independent polynomials, so a signature
 * that verifies under S'_j was made with s'_j, which did not exist before that epoch. It does not matter who passes it on.
 */
import { equal } from "../bytes.ts"
import { verifyCheckup } from "../keys/checkupSign.ts"
import { type GroupPublic, memberOf, outranks } from "../keys/group.ts"
import type { MemberCheckup, ToNode } from "../wire/frames.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { GroupPort, TaskPorts } from "./ports.ts"
import { sayErased } from "./succession.ts"

/** Erases the shares that the epoch of these check-ups supersedes. Erases nothing if even one of the check-ups is invalid. */
export function retireByCheckups(
  { groupId, epochId, checkups }: Extract<ToNode, { kind: "checkups" }>,
  ports: Pick<TaskPorts, "self" | "log"> & { readonly groups: Pick<GroupPort, "list" | "retire"> },
): void {
  const epochs = ports.groups.list().filter((group) => group.groupId === groupId)
  const successor = epochs.find((group) => equal(group.epochId, epochId))
  // An epoch without a certificate is not proven. WaaS sends succession and check-ups again at each connection.
  if (successor?.certificate === undefined) return
  // WaaS sends them repeatedly to every node that may need them, so verify them only if they would change something.
  if (!epochs.some((old) => isKept(old) && outranks(successor, old))) return
  const problem = problemOf(successor, checkups)
  if (problem !== undefined) {
    return ports.log.warn("kept the share of a superseded epoch: check-ups prove nothing", {
      group: groupId,
      problem,
    })
  }
  sayErased(ports.groups.retire(groupId, epochId), ports)
}

/** True if this node may still hold a share of an epoch that does not sign: superseded, or prepared and never certified. */
const isKept = ({ status }: GroupPublic): boolean => status === "SUPERSEDED" || status === "PREPARED"

function problemOf(epoch: GroupPublic, checkups: readonly MemberCheckup[]): string | undefined {
  const distinct = new Set(checkups.map(({ party }) => party))
  if (distinct.size !== checkups.length) return "a member is there twice"
  if (distinct.size < epoch.threshold) return `${distinct.size} of ${epoch.threshold} members`
  for (const { party, message, signature } of checkups) {
    const member = memberOf(epoch, party)
    if (member === undefined) return `${nodeIdOf(party)} is not a member of the epoch`
    if (!verifyCheckup(epoch.curve, member.sharePublicKey, message, signature)) {
      return `the signature of ${nodeIdOf(party)} does not verify`
    }
  }
  return undefined
}
