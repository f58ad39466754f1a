import { EXIT, entry } from "./entry.ts"

/** Exit code of `cosigner status` when no node answers. */
const UNREACHABLE = 2

/** Codes E-STA-nnn: the status port (00n), what the watchdog finds (01n), measurements that leave the node (02n). */
export const statusCodes = {
  "E-STA-001": entry<{ readonly listen: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the status port cannot be opened at ${d.listen}: ${d.why}`,
    next: "choose another place with status.listen, or end what listens there",
  }),
  "E-STA-002": entry<{ readonly listen: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `status.listen = ${JSON.stringify(d.listen)} cannot be used: ${d.problem}`,
    next: "set status.listen to 127.0.0.1:PORT, [::1]:PORT or unix:PATH; the port is for this machine alone",
  }),
  "E-STA-003": entry<{ readonly path: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the token in ${d.path} cannot be used: ${d.problem}`,
    next: "write one line of 16 to 512 visible characters, for example: openssl rand -hex 32 > FILE; chmod 600 FILE",
  }),
  "E-STA-004": entry<{ readonly listen: string; readonly why: string }>({
    kind: "fault",
    exit: UNREACHABLE,
    what: (d) => `no node answers at ${d.listen}: ${d.why}`,
    next: "check that the node runs, that its configuration has status.enable = true, and --config names that file",
  }),
  "E-STA-005": entry<{ readonly listen: string; readonly problem: string }>({
    kind: "fault",
    exit: UNREACHABLE,
    what: (d) => `what listens at ${d.listen} does not answer as a node does: ${d.problem}`,
    next: "check status.listen; if it is the node's, run the same version of this program as the node",
  }),
  "E-STA-006": entry<{ readonly listen: string }>({
    kind: "input",
    exit: UNREACHABLE,
    what: (d) => `the node at ${d.listen} did not take the token`,
    next: "check that status.token_path names the file that the node was started with",
  }),
  "E-STA-007": entry<{ readonly listen: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) =>
      `the status port at ${d.listen} would answer every user of this machine: production wants a token or a socket`,
    next: 'set status.listen = "unix:run/status.sock"; or set status.token_path = "configs/status.token" and write it: openssl rand -hex 32 > configs/status.token; chmod 600 configs/status.token',
  }),
  "E-STA-008": entry<{ readonly listen: string; readonly why: string }>({
    kind: "fault",
    exit: UNREACHABLE,
    what: (d) => `the token was not sent to ${d.listen}: ${d.why}`,
    next: 'run this command as the user of the node; or give the port a unix socket, which only its owner can make: status.listen = "unix:run/status.sock"',
  }),
  "E-STA-010": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `the store cannot be written: ${d.why}`,
    next: "nothing is signed until it can: check space, owner and mode, and who else has the file open",
  }),
  "E-STA-011": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the link to WaaS does not work: ${d.why}`,
    next: "check name resolution, firewall and proxy, and whether WaaS runs; the node goes on trying",
  }),
  "E-STA-012": entry<{ readonly offsetMs: number; readonly limitMs: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `this clock and the clock of WaaS are ${d.offsetMs} ms apart (limit ${d.limitMs} ms)`,
    next: "nothing is approved or begun meanwhile (E-TSK-045); check NTP on this machine: timedatectl; deadlines, limits and tokens depend on the clock",
  }),
  "E-STA-013": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the session workers do not work: ${d.why}`,
    next: "a silent worker is replaced; if it repeats, look for a lack of memory or CPU time, keep the log and report it",
  }),
  "E-STA-014": entry<{ readonly sessions: number; readonly overMs: number }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `${d.sessions} session(s) did not end when they should have, the oldest ${d.overMs} ms ago`,
    next: "restart the node when no task is open; keep the log and report it",
  }),
  "E-STA-015": entry<{ readonly stalledMs: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the main thread has not answered for ${d.stalledMs} ms: nothing is signed meanwhile`,
    next: "look at the disk and at the load of the machine; if it does not pass, restart the node and report it",
  }),
  "E-STA-016": entry<{ readonly ageMs: number; readonly limitMs: number }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `no key share was seen to sign for ${d.ageMs} ms (limit ${d.limitMs} ms)`,
    next: "ask WaaS for a signature or a check-up, and look why the scheduled ones did not come",
  }),
  "E-STA-017": entry<{ readonly reason: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the thread of the status port died: ${d.reason}`,
    next: "it is started again, and signing goes on; if it repeats, keep the log and report it",
  }),
  "E-STA-018": entry<{ readonly blocked: number; readonly groups: number; readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `${d.blocked} of ${d.groups} groups cannot sign: ${d.why}`,
    next: "take the next step of the code named for each group; /groups and cosigner doctor list them all: after a restore, a rollback or bans that is a refresh: a KeyReshare at WaaS with the group as source and target",
  }),
  "E-STA-019": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `WaaS says that it cannot work: ${d.why}`,
    next: "nothing is wrong with this node; tell whoever runs WaaS, whose log and GET /readyz say the same",
  }),
  "E-STA-020": entry<{ readonly url: string; readonly reason: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `InfluxDB at ${d.url} does not take measurements: ${d.reason}`,
    next: "check metrics.influxdb; measurements are left out meanwhile, and signing goes on",
  }),
  "E-STA-021": entry<{ readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `[metrics.influxdb] cannot be used: ${d.problem}`,
    next: "give database, username and password for 1.8, or org, bucket and token for 2.x",
  }),
} as const
