import { EXIT, entry } from "./entry.ts"

/** Codes E-FRZ-nnn: freezing a node or a group, and lifting that. */
const scopeOf = (groupId: string): string => (groupId === "" ? "this node" : `group ${groupId}`)

export const freezeCodes = {
  "E-FRZ-001": entry<{ readonly groupId: string; readonly untilMs: number | undefined }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      `${scopeOf(d.groupId)} is frozen${d.untilMs === undefined ? "" : ` until ${new Date(d.untilMs).toISOString()} at the earliest`}: nothing is approved, and no share leaves`,
    next: "find out why with cosigner status on the node; cosigner unfreeze lifts it, and what was approved before then goes on unless its deadline has passed",
  }),
  "E-FRZ-002": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the freeze is in force in the running node and could not be recorded: ${d.why}`,
    next: "the node signs nothing until it is restarted; mend what the text names and freeze again, or keep the node stopped",
  }),
  "E-FRZ-003": entry<{ readonly groupId: string; readonly frozen: readonly string[] }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      `${scopeOf(d.groupId)} is not frozen; ${d.frozen.length === 0 ? "nothing is" : `frozen: ${d.frozen.map(scopeOf).join(", ")}`}`,
    next: "name with --group what the text says is frozen; without --group every freeze of the node is lifted; where nothing is frozen there is nothing to do",
  }),
  "E-FRZ-004": entry<{ readonly what: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `frozen: ${d.what}`,
    next: "nothing of it signs; cosigner unfreeze lifts it once the cause is dealt with",
  }),
  "E-FRZ-005": entry({
    kind: "fault",
    exit: EXIT.network,
    what: () => "the node ended its connection to WaaS, so that what it had just withdrawn is not sent",
    next: "nothing: a freeze began, and the link comes up again by itself",
  }),
} as const
