/** Runbook of readiness and the status port (E-STA) and of the link to WaaS (E-LNK). */
import { guide } from "./guide.ts"

const READY = (item: string) => `\`cosigner status\` shows ${item} as ok, and the log says once that it recovered`
const LINK_UP = "the log says `TSS Node registration accepted` again, and readiness item `link` is ok"

export const alarmGuides = {
  "E-AUD-008": guide(
    [
      "an older copy of the database was put in the place of the newest",
      "a snapshot of the machine or disk was rolled back",
      "a copy of the node ran elsewhere",
      "the disk lost commits that it had acknowledged",
    ],
    "`cosigner audit report` ends where this copy ends; the peer that is named has the later checkpoint (its operator finds it with `cosigner audit report`). Who restored, cloned or rolled back what, and when?",
    "find the newest copy and start that. If it is lost for good: stop the node, `cosigner recover-rollback --yes-i-understand`, start it, refresh its groups by a reshare. Until then the other nodes sign if the threshold allows",
    READY("item `log`"),
  ),
  "E-AUD-010": guide(
    [
      "the storage or the program is away, full or refuses",
      "it was renamed, or its rights changed",
      "a witness has seen more of the log than there is",
    ],
    "the reason names what the system said; run [audit] anchor_command by hand with `cosigner audit export` beside it, or write into anchor_folder as the node's user",
    "repair it; nothing is lost, the next checkpoint covers all leaves. If a witness has seen more, treat it as E-AUD-008",
    READY("item `log`, without a notice"),
  ),
  "E-AUD-009": guide(
    [
      "the other nodes of its groups are offline",
      "they run a release that knows no witnesses",
      "WaaS is of such a release",
    ],
    "`cosigner client nodes` shows who is online; `cosigner version` on each host",
    "bring the nodes back, upgrade them and WaaS; nothing is lost meanwhile, the next checkpoint covers all leaves",
    READY("item `log`, without a notice"),
  ),
  "E-STA-004": guide(
    ["the node does not run", "[status] is off, or another file was asked", "the port is another one"],
    "`systemctl status cosigner` tells the first; `cosigner config show` in the node's folder the others",
    "start the node and read the last lines of its log; or name its configuration with --config",
    "the same command answers with 0 or 1",
  ),
  "E-STA-005": guide(
    ["another program has the port", "command and node are of different versions"],
    "`ss -ltnp` on the port names the program; `cosigner version` and the node's first log line the versions",
    "give one of the programs another port; use the node's own binary for its commands",
    "the same command answers with 0 or 1",
  ),
  "E-STA-008": guide(
    ["the command runs as another user than the node", "a stranger's program holds the port"],
    "`ss -ltnp` names process and user of the port; if it is not the node's user, it is the second",
    "run the command as the node's user; end a stranger's program and change the token, which it may want",
    "the same command answers with 0 or 1",
  ),
  "E-STA-010": guide(
    ["the disk is full", "it turned read-only after an error", "owner or mode of the folder changed", "the disk hangs"],
    "`df -h` and `df -i` of the folder; `mount` says ro; `ls -ld`; `dmesg` shows errors, and writes that only hang show no error at all",
    "make room (rotated logs, old backups; never the database), remount, give owner and mode back, or move to another disk by backup and restore. Nothing is signed meanwhile, and nothing is lost",
    READY("item `store`"),
  ),
  "E-STA-011": guide(
    ["WaaS is down or restarts", "the network, a proxy or a firewall", "TLS or a key", "WaaS does not know this node"],
    "the reason has the link's own code, E-LNK-nnn; if all nodes say it at once it is WaaS or its network",
    "`cosigner doctor` walks the way step by step; then the entry of that E-LNK code. The node dials by itself",
    READY("item `link`"),
  ),
  "E-STA-012": guide(
    ["this machine's clock is off", "that of WaaS is off", "a virtual machine slept"],
    "if other nodes say the same it is WaaS; `timedatectl` or `chronyc tracking` tells about this one",
    "set the clock, and find out why it was not kept. Nothing has to be restarted; tasks approved before begin with their next attempt",
    READY("item `clock`"),
  ),
  "E-STA-013": guide(
    ["no processor time", "no memory", "a worker crashed on one session"],
    "load and `free -m` for the first two; the log names the session of a worker that died",
    "give the node its processors and memory back; keep the log of a crash and report it. Dead workers are replaced, and WaaS begins a new attempt",
    READY("item `workers`"),
  ),
  "E-STA-014": guide(
    ["a defect of this program"],
    "other items of readiness are ok; with `loop` or `workers` failing too, treat those first",
    "keep the log. When `cosigner status` shows no open task, restart the node; open tasks go on after it. Report it",
    READY("item `sessions`"),
  ),
  "E-STA-015": guide(
    ["the disk hangs in a write", "no processor time, or the machine swaps", "a defect of this program"],
    "`iostat -x` or `vmstat 1`: high wait is the disk, high run queue the processor, neither is the third",
    "relieve the machine. If it lasts for minutes, restart the node and keep the log; under systemd the watchdog does so",
    READY("item `loop`"),
  ),
  "E-STA-016": guide(
    ["nobody asked for a signature", "check-ups are not scheduled, or WaaS is away", "shares do not sign"],
    "`cosigner info group` shows the last check-up of each group; a check-up that fails has a code of its own in the log",
    "ask for one: `cosigner client group checkup`, or set [checkup] interval. If a share fails it, see E-KEY-008",
    READY("item `proof`"),
  ),
  "E-STA-017": guide(
    ["memory pressure", "a defect of this program"],
    "the reason in the text; the kernel log names an out-of-memory kill",
    "nothing at once: the thread starts again and signing went on. If it repeats, keep the log and report it",
    "`cosigner status` answers",
  ),
  "E-STA-018": guide(
    ["the node was restored or rolled back: ECDSA waits for a refresh", "bans or strikes leave too few members"],
    "`cosigner doctor` lists each group with its code: E-TSK-040 is the first, E-TSK-013 and E-TSK-023 the second",
    "refresh the group: `cosigner client group reshare GROUP --kind refresh`. Before you refresh after a ban, find out what happened to the named node: a ban is what honest nodes never cause",
    READY("item `groups`"),
  ),
  "E-STA-019": guide(
    ["the disk of WaaS is full", "it turned read-only", "its shared database is away"],
    "the reason names the code and what the store of WaaS said; all nodes of that WaaS say the same",
    "repair it where WaaS has its store: see E-WAA-061. Nothing has to be done here, and nothing is lost here",
    READY("item `waas`"),
  ),
  "E-FRZ-004": guide(
    ["somebody froze the node or a group: cosigner freeze on its host, or an approver's statement"],
    "the reason names since when, until when, by whom and why; the log has the line `frozen`",
    "deal with what it was frozen for; look at `cosigner info task` for approved tasks that nobody should have asked for; then cosigner unfreeze",
    READY("item `freeze`"),
  ),
  "E-STA-020": guide(
    ["the server is down or slow", "token, bucket or database is wrong"],
    "the reason has the HTTP status: 401 and 404 are the second",
    "repair the server or [metrics.influxdb]; signing is not concerned, and left-out rounds are not sent later",
    "`cosigner_influx_skipped_total` no longer rises and points arrive",
  ),
  "E-LNK-001": guide(
    ["WaaS does not listen", "the name does not resolve", "a firewall or proxy is in the way"],
    "the detail: ECONNREFUSED is the first, ENOTFOUND the second, a time-out the third; `cosigner doctor` tries each",
    "repair what it names. The node dials again, at most half a minute apart, and within 5 s while a task waits",
    LINK_UP,
  ),
  "E-LNK-002": guide(
    ["the certificate expired", "its authority is not trusted here", "the name is not in it", "somebody opens TLS"],
    "`openssl s_client -connect HOST:PORT` shows issuer, names and dates: an issuer that you do not know is the last",
    "renew the certificate and restart WaaS; or set websocket.ca_path. A proxy that opens TLS has no place there",
    LINK_UP,
  ),
  "E-LNK-003": guide(
    ["websocket.url leads to something else", "WaaS is overloaded"],
    "`curl -i` on the address shows who answers; other nodes are slow too if it is WaaS",
    "correct websocket.url, or relieve WaaS",
    LINK_UP,
  ),
  "E-LNK-007": guide(
    ["somebody alters the connection", "the database was damaged or mixed"],
    "`cosigner info` shows another node id than WaaS has: the second; else the first",
    "take the proxy out of the way; or restore the last proven backup. Do not register the node under a new id before you know",
    LINK_UP,
  ),
  "E-LNK-009": guide(
    ["a firewall or load balancer drops idle connections", "the network is down", "WaaS hangs"],
    "again and again after the same time is the first; other nodes at the same moment is WaaS",
    "raise the idle time-out on the way to more than a minute; the node reconnects by itself and resumes",
    LINK_UP,
  ),
  "E-LNK-010": guide(
    ["WaaS and node are of releases too far apart", "a proxy alters messages", "a defect"],
    "compare `cosigner version` on both; without a proxy and with the same release it is a defect",
    "upgrade the older one; else keep both logs and report it",
    LINK_UP,
  ),
  "E-LNK-011": guide(
    ["WaaS restarted", "the network was cut"],
    "the log of WaaS says whether it started anew",
    "nothing: the node reconnects and resumes where it was",
    LINK_UP,
  ),
  "E-FRZ-005": guide(
    ["a freeze began while messages of its sessions were on their way"],
    "the log has the line `frozen` right before it",
    "nothing: the node reconnects and resumes where it was, without what it took back",
    LINK_UP,
  ),
  "E-LNK-013": guide(
    [
      "WaaS stops, or its database does not answer",
      "this node is too slow to answer, or sends too fast",
      "its place was taken by a newer connection",
    ],
    "the reason says which; `replaced` on a node that did not restart means a second process of this identity: E-LNK-008",
    "for a stop, nothing; for a database see the log of WaaS (E-WAA-070). For the others look at load and network of this node, and for a clone",
    LINK_UP,
  ),
  "E-LNK-014": guide(
    ["the proxy wants other credentials", "it does not allow this destination"],
    "407 is the first, 403 the second",
    "correct websocket.proxy, or have the destination allowed for CONNECT",
    LINK_UP,
  ),
  "E-LNK-015": guide(
    ["an older copy of secrets.db was put back", "a clone ran elsewhere and went further"],
    "ask who restored what and when; the newer copy is on some machine if it is a clone",
    "stop this node. Find the newest copy and run that one alone. Only if it is lost for good: `cosigner recover-rollback`, then refresh the ECDSA groups",
    LINK_UP,
  ),
  "E-LNK-027": guide(
    [
      "that replica of WaaS is stopped or restarts",
      "its machine or the way to it is down",
      "its address is not that of a replica any more",
    ],
    "`cosigner status` has a line for each replica with the code of its last error; `cosigner doctor` tries each address; other nodes that name the same replica say that it is the replica",
    "bring it back, or take its address out of [websocket] urls. Nothing is urgent while others are there: requests go on through them, and the node dials it again at most half a minute apart",
    "the item `link` of `cosigner status` names as many replicas as there are",
  ),
  "E-LNK-022": guide(
    [
      "a second WaaS was started on a copy of the first one's folder",
      "an older waas.db was put back without a decision",
      "an earlier release of WaaS took the place of this one",
    ],
    "the text has both positions: the incarnation and mark that it shows, and those that this node has seen; ask who copied or restored what",
    "stop the older one. If it is the one to go on with, stop every other, then `cosigner waas adopt` on it: that raises its incarnation, and brings what nodes know and it does not",
    LINK_UP,
  ),
  "E-LNK-023": guide(
    ["the WaaS that this node reaches is an older copy, and another node has shown it so"],
    "the log of WaaS and its GET /readyz say E-WAA-060",
    "as for E-LNK-022; look also whether names or balancers lead to the older one",
    LINK_UP,
  ),
} as const
