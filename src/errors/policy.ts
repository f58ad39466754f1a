import { EXIT, entry } from "./entry.ts"

/** Codes E-POL-nnn: policy as a signed bundle. */
const listed = (names: readonly string[]): string => (names.length === 0 ? "nobody" : names.join(", "))

export const policyCodes = {
  "E-POL-001": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.file} is no policy bundle that can be used: ${d.problem}`,
    next: "make it with cosigner policy bundle make, and have the owners sign it; what is in force stays",
  }),
  "E-POL-002": entry<{ readonly file: string; readonly keys: readonly string[] }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.file} has parts of the policy beside the bundle: ${d.keys.join(", ")}`,
    next: "remove these keys from it: a node that follows a bundle takes them from there alone",
  }),
  "E-POL-003": entry<{ readonly version: number }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `this node follows version ${d.version} of a policy bundle, and its configuration names none`,
    next: "put [policy] bundle back; owners end it with a bundle that says leave = true, after the delay",
  }),
  "E-POL-004": entry<{ readonly version: number; readonly highest: number; readonly isOther: boolean }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) =>
      d.isOther
        ? `the bundle has version ${d.version}, and this node has taken another document of that version`
        : `the bundle has version ${d.version}, and this node has taken version ${d.highest}`,
    next: "give the bundle a version above both, have the owners sign it again; or put the newest bundle back",
  }),
  "E-POL-005": entry<{ readonly signed: readonly string[]; readonly min: number; readonly refused: readonly string[] }>(
    {
      kind: "input",
      exit: EXIT.refused,
      what: (d) =>
        `the bundle is signed by ${listed(d.signed)}, and ${d.min} owners are needed${d.refused.length === 0 ? "" : `; not counted: ${d.refused.join("; ")}`}`,
      next: "have more owners of the version in force sign it: cosigner policy bundle sign",
    },
  ),
  "E-POL-006": entry<{ readonly what: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the first bundle of this node is not the one that [policy] describes: ${d.what}`,
    next: "state owners, min and delay in [policy] as the bundle has them; they count for the first bundle alone",
  }),
  "E-POL-007": entry<{ readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `this statement does not count: ${d.problem}`,
    next: "make a new one for this node with the command that printed it, and sign exactly its bytes",
  }),
  "E-POL-008": entry<{ readonly version: number; readonly atMs: number }>({
    kind: "input",
    exit: EXIT.ok,
    what: (d) => `version ${d.version} of the policy waits until ${new Date(d.atMs).toISOString()} at the earliest`,
    next: "nothing, if it is wanted: what it tightens counts already; any owner ends it with cosigner policy veto",
  }),
  "E-POL-009": entry({
    kind: "input",
    exit: EXIT.refused,
    what: () => "no version of the policy waits on this node",
    next: "look at cosigner policy status; what is in force is changed by a bundle of a higher version",
  }),
  "E-POL-010": entry<{ readonly min: number }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `this node follows a policy bundle: ${d.min} of its owners lift a freeze, and not its host`,
    next: "each owner signs the order that cosigner unfreeze --as NAME prints, and gives it to the node: cosigner unfreeze --signed FILE",
  }),
  "E-POL-011": entry<{ readonly version: number }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `with version ${d.version} this node has left bundles, and its configuration still names that one`,
    next: "remove [policy] from the configuration and state the policy there; or name a bundle of a higher version",
  }),
  "E-POL-012": entry<{ readonly named: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `this node follows a policy bundle, and its owners say which WaaS counts: ${d.named}`,
    next: "have owners sign a bundle of a higher version that names the other key; if a key was stolen, cosigner freeze meanwhile",
  }),
} as const
