/**
 * The second way to meet the retention condition of threshold.md 6.4: check-ups of threshold distinct members of a later epoch, each
 * verified under the public share that this node has on record for it. The only way for a node that left its group.
 *
 * A check-up need not name its epoch, nor be fresh: the shares of two epochs are values of independent polynomials, so what
 * verifies under S'_j was made with s'_j, which did not exist before that epoch. Who hands it on does not matter.
 */
import { equal } from "../bytes.ts"
import { verifyCheckup } from "../keys/checkupSign.ts"
import { type GroupPublic, memberOf, outranks } from "../keys/group.ts"
import type { MemberCheckup, ToNode } from "../wire/frames.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { GroupPort, TaskPorts } from "./ports.ts"
import { sayErased } from "./succession.ts"

/** Erases what the epoch of these check-ups supersedes, or keeps everything: one check-up that proves nothing spoils them all. */
export function retireByCheckups(
  { groupId, epochId, checkups }: Extract<ToNode, { kind: "checkups" }>,
  ports: Pick<TaskPorts, "self" | "log"> & { readonly groups: Pick<GroupPort, "list" | "retire"> },
): void {
  const epochs = ports.groups.list().filter((group) => group.groupId === groupId)
  const successor = epochs.find((group) => equal(group.epochId, epochId))
  // Without its certificate the epoch is only somebody's word; WaaS says succession and check-ups again at each connection.
  if (successor?.certificate === undefined) return
  // They are handed to everybody who may need them, and again and again: verified only where they would change something.
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

/** A share that signs no more, or that was promised to an attempt nobody has certified: what outranks it ends both. */
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
