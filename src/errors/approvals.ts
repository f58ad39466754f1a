import { EXIT, entry } from "./entry.ts"

/** Codes E-APR-nnn: words of people on a task. */
export const approvalCodes = {
  "E-APR-001": entry<{ readonly missing: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the deadline of the task passed before people had agreed; missing: ${d.missing}`,
    next: "ask for it again and tell the approvers in time, or raise approval_deadline_seconds of the vault",
  }),
  "E-APR-002": entry<{ readonly reason: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the task was rejected by a person after it had been approved: ${d.reason}`,
    next: "ask whoever rejected it; a new request needs new approvals",
  }),
  "E-APR-003": entry<{ readonly approver: string; readonly nonce: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the word of ${d.approver} with nonce ${d.nonce} was consumed by another task`,
    next: "let the approver sign again: each statement has a nonce of its own",
  }),
  "E-APR-004": entry<Record<never, never>>({
    kind: "input",
    exit: EXIT.refused,
    what: () =>
      "the task needs approvals of people, and this node takes up no task to wait for them while so many come to nothing",
    next: "ask again in some minutes; if it goes on, ask the operator of WaaS why so many of its tasks come to nothing",
  }),
  "E-APR-005": entry<{
    readonly operation: string
    readonly group: string
    readonly min: number
    readonly agreed: readonly string[]
  }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      `${d.operation} needs orders of ${d.min} different members of ${d.group}, and has ${d.agreed.length === 0 ? "none" : `those of ${d.agreed.join(", ")}`}`,
    next: "let them sign what the same command prints with --as NAME, and give it the signed orders with --signed FILE,FILE",
  }),
  "E-APR-006": entry<{ readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `an order of a person does not count: ${d.problem}`,
    next: "let that person sign a new order for this node, for exactly what is to be done; each counts once",
  }),
} as const
