import { EXIT, entry } from "./entry.ts"

/** Codes E-KEY-nnn: paths, derivation, extended keys, group records, recovery files. */
export const keysCodes = {
  "E-KEY-001": entry<{ readonly path: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the derivation path ${JSON.stringify(d.path)} cannot be read: ${d.reason}`,
    next: "write it as decimal indices from the root, for example m/44/60/0/0/5",
  }),
  "E-KEY-002": entry<{ readonly path: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) =>
      `the derivation path ${JSON.stringify(d.path)} has a hardened index, and a shared key has non-hardened children only`,
    next: "drop the hardening marks (', h or H); every index must be below 2147483648",
  }),
  "E-KEY-003": entry<{ readonly index: number; readonly depth: number }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the key has no child at index ${d.index} (level ${d.depth}): the derived tweak is out of range`,
    next: "use the next index; this happens by chance about once in 2^127 derivations",
  }),
  "E-KEY-004": entry<{ readonly curve: string; readonly what: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.what} is not a valid public key on ${d.curve}`,
    next: "check where the key came from: it was altered, cut, or belongs to the other curve",
  }),
  "E-KEY-005": entry<{ readonly reason: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the extended key cannot be read: ${d.reason}`,
    next: "copy it again as a whole: xpub, xprv, cpub or cprv and about 107 more letters, without spaces",
  }),
  "E-KEY-006": entry<{ readonly rule: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the path rule ${JSON.stringify(d.rule)} cannot be used: ${d.reason}`,
    next: 'write each rule as a path and an algorithm, for example "m/86" = "bip340"',
  }),
  "E-KEY-007": entry<{ readonly group: string; readonly reason: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `the record of group ${d.group} is inconsistent: ${d.reason}`,
    next: "do not sign with this file; restore the last proven backup (cosigner backup restore)",
  }),
  "E-KEY-008": entry<{ readonly group: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `the key share of group ${d.group} does not belong to the public share in its record`,
    next: "the file was altered or mixed from two: restore the last proven backup (cosigner backup restore)",
  }),
  "E-KEY-009": entry<{ readonly length: number; readonly max: number }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `a check-up message has 1 to ${d.max} bytes, and this one has ${d.length}`,
    next: "give a shorter message, and not an empty one",
  }),
  "E-KEY-010": entry<{ readonly file: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.file} is not a complete recovery file: ${d.reason}`,
    next: "it may be cut or altered: take another copy, or export the shares again (cosigner export-share)",
  }),
  "E-KEY-011": entry<{ readonly file: string; readonly group: string; readonly version: number }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `group ${d.group} in ${d.file} has format version ${d.version}, and versions 1 to 3 are known`,
    next: "use the version of this program, or of the vendor's tool, that wrote the file",
  }),
  "E-KEY-012": entry<{ readonly file: string; readonly group: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the share of group ${d.group} in ${d.file} is sealed in an unknown way: ${d.reason}`,
    next: "the file was altered, or needs the tool that wrote it",
  }),
  "E-KEY-013": entry<{ readonly file: string; readonly group: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the participants of group ${d.group} in ${d.file} contradict each other: ${d.reason}`,
    next: "the file was altered or damaged: take another copy, or export the shares again (cosigner export-share)",
  }),
  "E-KEY-014": entry<{ readonly file: string; readonly group: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the public shares of group ${d.group} in ${d.file} do not lead to its root extended public key`,
    next: "the file was altered or damaged: take another copy, or export the shares again (cosigner export-share)",
  }),
  "E-KEY-015": entry<{ readonly file: string; readonly group: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) =>
      `the share of group ${d.group} in ${d.file} does not open: the password is wrong, or the file is damaged`,
    next: "type the password that was set at the export (white space at its ends does not count), or take another copy",
  }),
  "E-KEY-016": entry<{ readonly file: string; readonly group: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the share of group ${d.group} in ${d.file} opens, but is not the one its public share was made from`,
    next: "this file cannot help to recover the key: take the file of another node",
  }),
  "E-KEY-017": entry<{ readonly file: string; readonly group: string; readonly found: readonly string[] }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.file} holds no share of group ${d.group}, but of ${d.found.join(", ")}`,
    next: "give files of one group, or name another with --group-id",
  }),
  "E-KEY-018": entry<{
    readonly files: readonly [string, string]
    readonly group: string
    readonly field: string
  }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.files[0]} and ${d.files[1]} both name group ${d.group}, but differ in its ${d.field}`,
    next: "these are shares of different keys and cannot be combined: sort the files by root extended public key",
  }),
  "E-KEY-019": entry<{
    readonly files: readonly [string, string]
    readonly group: string
    readonly field: string
  }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) =>
      `${d.files[0]} and ${d.files[1]} are of two epochs of group ${d.group}: the key is the same, its ${d.field} changed by resharing`,
    next: "shares of two epochs cannot be combined: use files that were all exported after the last resharing, or all before",
  }),
  "E-KEY-020": entry<{ readonly files: readonly [string, string]; readonly group: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.files[0]} and ${d.files[1]} hold the same node's share of group ${d.group}`,
    next: "give one file of each node; copies do not count twice",
  }),
  "E-KEY-021": entry<{ readonly group: string; readonly have: number; readonly need: number }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the key of group ${d.group} needs the shares of ${d.need} nodes, and ${d.have} were given`,
    next: "add the files of further nodes of the group",
  }),
  "E-KEY-022": entry<{ readonly group: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `the key reconstructed for group ${d.group} is not its root key, although every share was verified`,
    next: "nothing was written; keep the files and report it",
  }),
  "E-KEY-023": entry<{ readonly least: number }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `a recovery password has at least ${d.least} bytes, not counting white space at its ends`,
    next: "give the password that was set at the export",
  }),
  "E-KEY-024": entry<{ readonly groups: readonly string[] }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the files hold shares of ${d.groups.length} groups, and one at a time can be reconstructed`,
    next: "name one with --group-id; cosigner recovery verify lists them",
  }),
  "E-KEY-030": entry<{ readonly file: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.file} is not an address list: ${d.reason}`,
    next: 'export it again; line 1 names 7 columns beginning with "wallet name", or 8 with "curve" as the fourth',
  }),
  "E-KEY-031": entry<{
    readonly file: string
    readonly bad: number
    readonly rows: number
    readonly first: readonly { readonly line: number; readonly problem: string }[]
    readonly written: string | undefined
  }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => {
      const shown = d.first.map(({ line, problem }) => `line ${line}: ${problem}`).join("; ")
      const more = d.bad > d.first.length ? `; and ${d.bad - d.first.length} more` : ""
      const outcome = d.written === undefined ? "nothing was written" : `the others are in ${d.written}`
      return `${d.bad} of ${d.rows} rows of ${d.file} cannot be used, and ${outcome}: ${shown}${more}`
    },
    next: "correct these lines, or let the good rows through with --skip-bad-rows",
  }),
  "E-KEY-032": entry<{ readonly path: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.path} cannot be read: ${d.why}`,
    next: "check the name and the rights of the file",
  }),
  "E-KEY-033": entry({
    kind: "input",
    exit: EXIT.refused,
    what: () => "private keys are about to be shown, and that was not confirmed",
    next: "type the phrase that is asked for, or give --yes-i-understand; do it on a computer without network",
  }),
  "E-KEY-034": entry<{ readonly path: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the derivation was interrupted; ${d.path} was not written`,
    next: "run the command again",
  }),
  "E-KEY-035": entry<{ readonly path: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.path} exists already, and is never overwritten`,
    next: "move it away, or name another file",
  }),
  "E-KEY-036": entry<{
    readonly file: string
    readonly group: string
    readonly expected: string
    readonly found: string
  }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.file}: the root key of group ${d.group} is ${d.found}, and ${d.expected} is expected`,
    next: "find out whose file this is; nothing was imported",
  }),
  "E-KEY-037": entry<{ readonly file: string; readonly group: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.file}: group ${d.group} cannot be imported: ${d.reason}`,
    next: "see cosigner import-share --help for which files and dealers it takes; nothing was imported",
  }),
  "E-KEY-038": entry<{ readonly reason: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `these records make no imported group: ${d.reason}`,
    next: "give the records that import-share wrote on each of the dealers, run there with the same file group and the same --dealers",
  }),
  "E-KEY-039": entry<{ readonly group: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `this node does not import group ${d.group}: ${d.why}`,
    next: "look at cosigner info group; a node takes a group over once, and only one that it has nothing of",
  }),
} as const
