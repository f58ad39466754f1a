import { EXIT, entry } from "./entry.ts"

interface OfSocket {
  readonly path: string
}

/** Codes E-ADM-nnn: the admin socket of a running node, and the commands that go through it. */
export const adminCodes = {
  "E-ADM-001": entry<OfSocket & { readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the admin socket ${d.path} is not open: ${d.why}`,
    next: "the node signs all the same; until this is mended and it is started again, commands that change its database need it to stop",
  }),
  "E-ADM-002": entry<OfSocket & { readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the node at ${d.path} took the command and gave no answer: ${d.why}`,
    next: "read the node's log, which names every admin command with its outcome, before you repeat it",
  }),
  "E-ADM-003": entry<OfSocket & { readonly why: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `nothing was sent to ${d.path}: ${d.why}`,
    next: "run the command as the user of the node; find out who made that socket, and remove it if no node runs",
  }),
  "E-ADM-004": entry<{ readonly wrong: number; readonly seconds: number }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the node was given ${d.wrong} wrong passwords within ${d.seconds} s and takes none for now`,
    next: "wait a minute, then repeat with the right password; the node's log says who gave the wrong ones",
  }),
  "E-ADM-005": entry({
    kind: "fault",
    exit: EXIT.failure,
    what: () => "the node has more admin commands at once than it takes",
    next: "repeat the command in a few seconds",
  }),
  "E-ADM-006": entry<{ readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the node does not take this admin command: ${d.problem}`,
    next: "use the same version of this program as the node: `cosigner version` says this one's, and the first lines of the node's log its own",
  }),
  "E-ADM-007": entry<{ readonly reason: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the thread of the admin socket ended: ${d.reason}`,
    next: "the node signs all the same and starts the thread again; keep the log and report it",
  }),
  "E-ADM-008": entry<{ readonly said: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the running node refused the command: ${d.said}`,
    next: "do what the node's own words say",
  }),
} as const
