import { EXIT, entry } from "./entry.ts"

/** Codes E-AUD-nnn: the log for auditors, its exports, and what peers say of it. */
export const auditCodes = {
  "E-AUD-001": entry<{ readonly path: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `the log for auditors in ${d.path} lacks leaves, although every record of the file is there`,
    next: "keep a copy of the file and report it; every leaf that was exported or backed up before stands",
  }),
  "E-AUD-002": entry<{ readonly path: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.path} has no log for auditors yet: no node that writes one was started with it`,
    next: "start the node once with this version: cosigner start",
  }),
  "E-AUD-003": entry<{ readonly path: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.path} exists and is not an empty folder: an export is never mixed with other files`,
    next: "name a new folder",
  }),
  "E-AUD-004": entry<{ readonly text: string; readonly role: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) =>
      `${JSON.stringify(d.text)} is not the key of a ${d.role}: it was altered or cut, or is the other of the two`,
    next: "have it printed again on the node that it belongs to: cosigner audit key",
  }),
  "E-AUD-005": entry<{ readonly path: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.path} does not verify: ${d.problem}`,
    next: "compare with another copy of the same export; if every copy fails, the log or its export was altered: keep it, and have the node export again to another folder",
  }),
  "E-AUD-006": entry<{ readonly task: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the log says nothing of the task ${JSON.stringify(d.task)}`,
    next: "look for its id: cosigner info task; leaves of long ago may have been pruned, and are in exports of then",
  }),
  "E-AUD-007": entry<{ readonly path: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.path} cannot be read or written: ${d.why}`,
    next: "check the name, the rights and the space there",
  }),
  "E-AUD-008": entry<{ readonly from: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `${d.from} has a checkpoint that this node's log signed and that is not of the log as it is: this database went back, or a copy of it was at work elsewhere. The node signs nothing until an operator decides`,
    next: "find out where the newest copy of the database is, and start that; if it is lost for good: stop the node, then cosigner recover-rollback --yes-i-understand",
  }),
  "E-AUD-009": entry<{ readonly sinceMs: number | undefined; readonly unseen: number }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) =>
      `no witness has cosigned this node's log ${d.sinceMs === undefined ? "yet" : `since ${new Date(d.sinceMs).toISOString()}`}; ${d.unseen} leaves are seen by nobody else`,
    next: "see whether the other nodes of its groups are online and of this release, and whether WaaS is; signing goes on meanwhile",
  }),
  "E-AUD-010": entry<{ readonly name: string; readonly why: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `${d.name} does not take the checkpoints of this node's log: ${d.why}`,
    next: "run it by hand, or write there as the node's user; where it has other leaves than this node, or more, look for a newer copy of the database first. The next checkpoint covers all leaves, and signing goes on meanwhile",
  }),
} as const
