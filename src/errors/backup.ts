import { EXIT, entry } from "./entry.ts"

interface OfBackupFile {
  readonly path: string
}

/** Codes E-BAK-nnn: backups, exports of shares, and the guard against rolled-back and cloned databases. */
export const backupCodes = {
  "E-BAK-001": entry<OfBackupFile>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.path} exists already, and is never overwritten`,
    next: "name another file, or move the old one away",
  }),
  "E-BAK-002": entry<OfBackupFile & { readonly cause: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.path} cannot be read (${d.cause})`,
    next: "check the name and the rights of the file",
  }),
  "E-BAK-003": entry<OfBackupFile>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} is not a backup of this program`,
    next: "name a file that cosigner backup create wrote; those of WaaS are read by: cosigner waas backup; recovery files by: cosigner recovery",
  }),
  "E-BAK-004": entry<OfBackupFile & { readonly found: number; readonly supported: number }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} has format ${d.found}, this program reads up to ${d.supported}`,
    next: "use the version that wrote the file, or a later one",
  }),
  "E-BAK-005": entry<OfBackupFile>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the password does not open ${d.path}`,
    next: "a backup has the password that was given when it was made, which need not be that of the database",
  }),
  "E-BAK-006": entry<OfBackupFile>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} is cut short: its end is missing`,
    next: "take another copy of the backup; nothing was restored from this one",
  }),
  "E-BAK-007": entry<OfBackupFile & { readonly where: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} is damaged: ${d.where}`,
    next: "take another copy of the backup; nothing was restored from this one",
  }),
  "E-BAK-008": entry<OfBackupFile>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `no space left to write ${d.path}; what was begun was removed`,
    next: "free or add disk space, then repeat",
  }),
  "E-BAK-009": entry<OfBackupFile & { readonly cause: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `not allowed to write ${d.path} (${d.cause})`,
    next: "check the owner and mode of the folder, and that the disk is not mounted read-only",
  }),
  "E-BAK-010": entry<OfBackupFile & { readonly cause: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the disk failed at ${d.path} (${d.cause})`,
    next: "look at the kernel log and the disk, then repeat; the database was not touched",
  }),
  "E-BAK-011": entry<{ readonly group: string; readonly why: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `the key share of group ${d.group} is not proven: ${d.why}`,
    next: "do not rely on this file; make a new backup, and check the node: cosigner info group",
  }),
  "E-BAK-012": entry<{ readonly unknown: readonly string[] }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `there is no group ${d.unknown.join(", ")} here`,
    next: "list what is here with: cosigner info group",
  }),
  "E-BAK-013": entry<OfBackupFile & { readonly what: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} is whole and yet no complete backup: ${d.what}`,
    next: "it was made by another program or version; use the version that wrote it, or another backup",
  }),
  "E-BAK-014": entry<{ readonly group: string; readonly status: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `group ${d.group} has no active epoch here, only one that is ${d.status}: its share is not exported`,
    next: "a prepared epoch may never come to be, and a superseded one is over: see cosigner info group",
  }),
  "E-BAK-015": entry<OfBackupFile & { readonly have: string; readonly known: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `${d.path} is older than what this host has run (it is at ${d.have}, ${d.known} was seen): it signs no more`,
    next: "put the newest copy back; if that one is lost for good, make sure no other runs, then: cosigner recover-rollback",
  }),
  "E-BAK-016": entry<OfBackupFile>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `${d.path}, which says how far this database had come, cannot be read`,
    next: "if the database beside it is surely the newest: cosigner recover-rollback",
  }),
  "E-BAK-017": entry({
    kind: "input",
    exit: EXIT.refused,
    what: () => "this would let an older database sign again, and that was not confirmed",
    next: "make sure that no newer copy exists or runs, then give --yes-i-understand",
  }),
  "E-BAK-018": entry<OfBackupFile & { readonly said: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the new backup ${d.path} was not proven and was removed: ${d.said}`,
    next: "read the reason, then make the backup again; the last proven backup is still there",
  }),
  "E-BAK-019": entry<OfBackupFile & { readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `${d.path} was written and does not read back (${d.why}); it was removed`,
    next: "check the disk, then repeat",
  }),
  "E-BAK-020": entry({
    kind: "input",
    exit: EXIT.failure,
    what: () => "this node holds no group to export",
    next: "list what is here with: cosigner info group",
  }),
  "E-BAK-021": entry<OfBackupFile>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `there is no password for ${d.path}: stdin ended before two equal lines came`,
    next: "type it on a terminal, or hand it over on stdin as two equal lines",
  }),
  "E-BAK-022": entry<{ readonly message: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `--message ${d.message}`,
    next: "give hex behind 0x, or any other text; it may have 1 to 4096 bytes",
  }),
  "E-BAK-023": entry<{ readonly group: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the share of group ${d.group} may not sign: ${d.why}`,
    next: "see the rules of key_share_sign: cosigner policy explain",
  }),
  "E-BAK-024": entry<OfBackupFile & { readonly tried: readonly string[] }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `there is no place to prove ${d.path} in: ${d.tried.join(", ")}`,
    next: "set TMPDIR to a folder that this user may write and that has room for a database, then repeat",
  }),
  "E-BAK-025": entry<OfBackupFile & { readonly why: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.path} cannot go into the backup: ${d.why}`,
    next: "make the configuration right (cosigner config check), or leave --with-config out; no backup was written",
  }),
} as const
