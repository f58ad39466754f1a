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
} as const
