/** Runbook of the database (E-STO), of backups (E-BAK) and of keys (E-KEY). */
import { guide } from "./guide.ts"

const STARTS = "the node starts, and `cosigner info group` lists every group"
const RESTORE =
  "stop, move the file away for the investigation, and restore the newest proven backup with `cosigner backup restore`"
const OTHERS_SIGN = "The other nodes still sign if the threshold allows"
const TAMPERED = guide(
  [
    "somebody changed the file, or put a part of another copy into it",
    "a restore that mixed two copies, as where a copy came beside the `-wal` of the file before it",
  ],
  "ask who had access and what was restored when; records do not do this by accident, and a failing disk damages (E-STO-008) instead",
  `treat it as tampering until you know better: ${RESTORE}, on another machine. ${OTHERS_SIGN}. Then refresh the groups, so that copies of the old shares are worthless`,
  STARTS,
)
const DISK = guide(
  ["the disk or its connection fails", "the file system turned read-only"],
  "`dmesg`, SMART values, `mount`; a network disk says so in the log of its own",
  "repair or replace the disk, then start again: what was acknowledged is on it, and the file itself says what stands. If it does not open, restore the newest backup",
  STARTS,
)
const RIGHTS = guide(
  ["owner or mode of file or folder changed", "the disk is mounted read-only", "the command runs as another user"],
  "`ls -ld` of the path and every folder above it, `mount`, `id`",
  "give owner and mode back (folder 700, file 600), or run the command as the node's user",
  "the same command ends with 0",
)
const SPACE = guide(
  ["logs, old backups or other programs filled the disk", "a quota, or no inodes"],
  "`df -h` and `df -i` of the folder, then `du -xh --max-depth=1`",
  "remove rotated logs and backups that are also elsewhere; never files beside secrets.db. Then repeat; a running node goes on by itself",
  "the same command ends with 0; readiness item `store` is ok",
)
const DEFECT = guide(
  ["a defect of this program"],
  "nothing in the machine causes it; the same step fails again after a restart",
  "the operation was stopped and the stored state stands. Keep the log and a copy of the file, and report it. Other tasks go on",
  "a release that names this code in its changelog is installed",
)
const DAMAGED_BACKUP = guide(
  ["the copy was cut or damaged on its way or in its store", "the disk that holds it fails"],
  "compare size and checksum with another copy of the same backup",
  "take another copy, or the backup before it; nothing was restored. Drill the restore more often",
  "`cosigner backup restore` ends with 0",
)

export const storeGuides = {
  "E-AUD-001": DEFECT,
  "E-STO-007": guide(
    ["a copy that was interrupted", "a disk that lost its last writes"],
    "size and date of the file against a backup; `dmesg`",
    `${RESTORE}. ${OTHERS_SIGN}`,
    STARTS,
  ),
  "E-STO-008": guide(
    ["the disk or the memory flipped bits", "somebody wrote into the file"],
    "SMART values and `dmesg` tell the first; several damaged places at once, or a recent change of the folder, the second",
    `${RESTORE}. ${OTHERS_SIGN}`,
    STARTS,
  ),
  "E-STO-009": TAMPERED,
  "E-STO-010": TAMPERED,
  "E-STO-011": TAMPERED,
  "E-STO-012": TAMPERED,
  "E-STO-013": SPACE,
  "E-STO-014": RIGHTS,
  "E-STO-015": DISK,
  "E-STO-016": guide(
    ["an sqlite shell or a backup program holds the file", "a second node works on it, and the lock file was deleted"],
    "`fuser -v secrets.db` names the process",
    "end that process; then repeat. Copy the database with `cosigner backup create`, or with `cp`, and not with SQLite",
    "the same command ends with 0",
  ),
  "E-STO-017": guide(
    ["a backup or deployment job moves or replaces the file", "somebody put another copy there"],
    "what changed it and when: the job's log, `stat` of file and folder",
    "make sure that one file and one node are left, put the right file back, then start. If you cannot tell which is newer, the start does (E-BAK-015)",
    STARTS,
  ),
  "E-STO-019": DEFECT,
  "E-STO-022": DEFECT,
  "E-STO-024": guide(
    ["WaaS repeats an attempt that ran before", "this database is an older copy"],
    "the log of WaaS for the same task; E-BAK-015 or E-LNK-015 accompany the second",
    "nothing, if WaaS begins another attempt by itself; else ask again. For an older copy see E-LNK-015",
    "the task ends, or a new request does",
  ),
  "E-STO-025": DEFECT,
  "E-STO-026": DEFECT,
  "E-STO-027": guide(
    ["a later release wrote the file", "a defect of this program"],
    "`cosigner version` against the release that ran last on it",
    "run the release that wrote it, or a later one; there is no way back but a backup made before `cosigner migrate`",
    STARTS,
  ),
  "E-STO-029": DISK,
  "E-STO-034": guide(
    ["a cosigner command was stopped (Ctrl-Z) while it copied, so the node waits for no copy", "the disk is slow"],
    "`fuser -v secrets.db.gate` names the node and whoever copies; `ps` shows state T for a stopped one",
    "end the stopped command and repeat. Where a copy takes longer than 5 s, let the node make its backups itself (`[backup] interval`), or stop it for the command",
    "the same command ends with 0",
  ),
  "E-BAK-006": DAMAGED_BACKUP,
  "E-BAK-007": DAMAGED_BACKUP,
  "E-BAK-008": SPACE,
  "E-BAK-009": RIGHTS,
  "E-BAK-010": DISK,
  "E-BAK-011": guide(
    ["the share in the database is not what its record says", "the backup was made while memory or disk failed"],
    "a check-up of the same group on the node: if it fails too it is the first",
    "do not rely on the file. Make another backup; if that fails as well see E-KEY-008",
    "`cosigner backup create` ends with 0",
  ),
  "E-BAK-013": guide(
    ["another release or program wrote it", "its end was written by an interrupted program"],
    "the header names the release that made it",
    "use the release that wrote it, or another backup",
    "`cosigner backup restore` ends with 0",
  ),
  "E-BAK-015": guide(
    ["a machine or volume snapshot was put back", "a backup of the file itself was restored", "a clone ran further"],
    "both numbers in the text say how much is missing: ask who restored what",
    "put the newest copy back. Only if it is lost for good and no other runs: `cosigner recover-rollback`, then refresh the ECDSA groups. This check prevents that an older copy is made to sign by hand",
    STARTS,
  ),
  "E-BAK-016": guide(
    ["the guard file was damaged or written by somebody else", "owner or mode changed"],
    "`ls -l secrets.db.guard`; its date against that of the database",
    "give owner and mode back. If it is damaged and this is surely the newest copy, `cosigner recover-rollback`",
    STARTS,
  ),
  "E-BAK-018": guide(
    ["the disk failed while it was read back", "a share in the database is damaged"],
    "the reason in the text: a code of E-BAK or E-KEY names the share, one of E-WAA what is wrong with a WaaS",
    "the last proven backup is still there. Repair what the reason names, then `cosigner backup create`, of a WaaS `cosigner waas backup create`",
    "the command ends with 0 and says `Proven`",
  ),
  "E-BAK-019": DISK,
  "E-BAK-024": guide(
    ["the root of the container or unit is read-only and has no folder for temporary files", "a full or foreign /tmp"],
    "the message names both folders and the system's error for each",
    "set TMPDIR to a folder that the user may write (`--tmpfs /tmp` for a container), with room for a copy of the database",
    "`cosigner backup create` ends with 0 and says `Proven`",
  ),
  "E-KEY-007": TAMPERED,
  "E-KEY-008": TAMPERED,
  "E-KEY-022": DEFECT,
  "E-KEY-034": guide(["a signal ended the command"], "you, or a time limit", "run it again", "it ends with 0"),
  "E-FRZ-002": guide(
    ["the disk is full or read-only", "the database was moved or replaced under the running node"],
    "the reason names the store's own code, E-STO-nnn; its entry here has more",
    "leave the node running while you mend the disk: it signs nothing. Then `cosigner freeze` again. If it must stop, keep it stopped, or move `secrets.db` aside",
    "`cosigner freeze` ends with 0 and `cosigner status` shows the freeze",
  ),
} as const
