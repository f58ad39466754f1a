import { EXIT, entry } from "./entry.ts"

/** What every code about one file knows. */
interface OfFile {
  readonly path: string
}

/** A copy from before would undo bans; a restore knows that it is one, and says so to WaaS. */
const RESTORE =
  "do not edit the file and put no older copy in its place; move it away, keep it, and make the database anew from the newest backup: cosigner backup restore BACKUP"

/** Codes E-STO-nnn: Secrets.db, from the password at the door to the single record. */
export const storeCodes = {
  "E-STO-001": entry<OfFile>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} exists already, and is never overwritten: it may hold key shares`,
    next: "choose another path with --db, or move the old file away yourself",
  }),
  "E-STO-002": entry<OfFile>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} does not exist`,
    next: "create it with: cosigner init; or name the right file with --db",
  }),
  "E-STO-003": entry<OfFile & { readonly holder: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} is in use by ${d.holder}; two nodes on one file would undo each other's records`,
    next: "stop that process first; the lock goes with it, there is no file to delete",
  }),
  "E-STO-004": entry<OfFile>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the password does not open ${d.path}`,
    next: "check the password or the --key-file: a line break at its end is not part of the password",
  }),
  "E-STO-005": entry<OfFile & { readonly found: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} is not a secrets file of this program: ${d.found}`,
    next: "name the right file with --db; if this is the right one it is damaged: move it away and restore the newest backup, cosigner backup restore BACKUP",
  }),
  "E-STO-006": entry<OfFile & { readonly format: number; readonly supported: number }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} has format ${d.format}, this program reads up to ${d.supported}`,
    next: "run the version that wrote the file, or a later one",
  }),
  "E-STO-007": entry<OfFile & { readonly bytes: number }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} is cut short: its end is missing after ${d.bytes} bytes`,
    next: RESTORE,
  }),
  "E-STO-008": entry<OfFile & { readonly where: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} is damaged: ${d.where}`,
    next: `${RESTORE}; check the disk, and who can write there`,
  }),
  "E-STO-009": entry<OfFile>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `in ${d.path} a record stands in the place of another one: somebody moved records`,
    next: `${RESTORE}; find out who can write there`,
  }),
  "E-STO-010": entry<OfFile & { readonly what: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} lacks ${d.what}: records were deleted behind this program's back`,
    next: `${RESTORE}; find out who can write there`,
  }),
  "E-STO-011": entry<OfFile & { readonly what: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} holds an older copy of ${d.what}: part of the file was rolled back`,
    next: `${RESTORE}; find out who can write there`,
  }),
  "E-STO-012": entry<OfFile & { readonly extra: number }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} holds ${d.extra} record(s) that this program did not put there, or had erased`,
    next: `${RESTORE}; find out who can write there`,
  }),
  "E-STO-013": entry<OfFile & { readonly action: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `no space left to ${d.action} ${d.path}; nothing was changed`,
    next: "free or add disk space, then repeat",
  }),
  "E-STO-014": entry<OfFile & { readonly action: string; readonly cause: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `not allowed to ${d.action} ${d.path} (${d.cause})`,
    next: "check the owner and mode of file and folder, and that the disk is not mounted read-only",
  }),
  "E-STO-015": entry<OfFile & { readonly action: string; readonly cause: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `the disk failed to ${d.action} ${d.path} (${d.cause})`,
    next: "look at the kernel log and the disk, then start again: what was acknowledged is on it",
  }),
  "E-STO-016": entry<OfFile & { readonly action: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `could not ${d.action} ${d.path}: another program holds it for too long`,
    next: "find the program that has the file open, such as an sqlite shell (fuser -v FILE), and end it, then repeat",
  }),
  "E-STO-017": entry<OfFile & { readonly how: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} was ${d.how} while it was open; nothing more is written or signed`,
    next: "find out who did it, make sure that one file and one node are left, then start again",
  }),
  "E-STO-019": entry<OfFile & { readonly why: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `${d.path} was used although ${d.why}`,
    next: "the operation was stopped; keep the log and report it",
  }),
  "E-STO-020": entry<{ readonly groupId: string; readonly epochId: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `there is no epoch ${d.epochId} of group ${d.groupId} here`,
    next: "list what is here with: cosigner info group",
  }),
  "E-STO-021": entry<{ readonly groupId: string; readonly epochId: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the share of epoch ${d.epochId} of group ${d.groupId} has been erased`,
    next: "sign with the active epoch: cosigner info group",
  }),
  "E-STO-022": entry<{ readonly groupId: string; readonly epochId: string; readonly status: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) =>
      `epoch ${d.epochId} of group ${d.groupId} is ${d.status} already and was to be prepared with other content`,
    next: "the stored one stands; keep the log and report it",
  }),
  "E-STO-023": entry<{ readonly groupId: string; readonly epochId: string; readonly status: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the share of epoch ${d.epochId} of group ${d.groupId} is ${d.status} and may still be needed`,
    next: "only a superseded epoch, or a prepared one that a certified epoch outranks, can be erased",
  }),
  "E-STO-024": entry<{ readonly sid: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `session ${d.sid} was used before, and a session id never serves twice`,
    next: "WaaS must begin a new attempt",
  }),
  "E-STO-025": entry<{ readonly taskId: string; readonly state: string; readonly wanted: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `task ${d.taskId} is ${d.state} and cannot become ${d.wanted}`,
    next: "the journal was left as it was; keep the log and report it",
  }),
  "E-STO-026": entry<{ readonly what: string; readonly id: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `the store knows no ${d.what} ${d.id}`,
    next: "the operation was stopped; keep the log and report it",
  }),
  "E-STO-027": entry<OfFile & { readonly kind: number; readonly version: number }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `${d.path} holds a genuine record of kind ${d.kind}, version ${d.version}, that cannot be read`,
    next: "run the version that wrote the file, or a later one; if it did, keep the file and report it",
  }),
  "E-STO-029": entry<OfFile>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `the disk failed in the middle of a commit to ${d.path}, and it is not known whether it stands`,
    next: "look at the disk, then start again: the file itself says what stands",
  }),
  "E-STO-030": entry<{ readonly groupId: string; readonly epochId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `group ${d.groupId} has another key already, and epoch ${d.epochId} does not take its place`,
    next: "nothing was changed; a WaaS that certifies a second key for a group must be looked at",
  }),
  "E-STO-031": entry<OfFile & { readonly names: number }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) =>
      `${d.path} has ${d.names} names (hard links); two nodes could run on it, each with a lock beside its own name`,
    next: "stop every node that uses it, find the other names with find -samefile, and remove them; a hard link is no backup either: it changes with the file",
  }),
  "E-STO-032": entry<OfFile & { readonly format: number; readonly wanted: number }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} has format ${d.format}, and this program writes format ${d.wanted}`,
    next: "bring it to the new format: cosigner migrate, or a start of the node; a copy of the file is kept first",
  }),
  "E-STO-033": entry<OfFile>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `${d.path} does not exist, and a node has run on it here: ${d.path}.guard remembers it`,
    next: "find the file, or name it with --db; if it is lost, restore the newest backup: cosigner backup restore BACKUP. A new node would be another one, without these shares",
  }),
  "E-STO-034": entry<OfFile & { readonly tries: number }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `a node wrote to ${d.path} while it was copied, ${d.tries} times one after another`,
    next: "end a stopped cosigner command on that file, if there is one (fuser -v FILE.gate), and repeat; where a copy takes longer than 5 s, stop the node first",
  }),
} as const
