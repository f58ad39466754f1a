import { EXIT, entry } from "./entry.ts"

/** Codes E-OPS-nnn: the process and the machine it runs on. 1xx are findings of `cosigner doctor`. */
export const opsCodes = {
  "E-OPS-001": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `core dumps cannot be switched off (${d.why}), and a core holds key shares`,
    next: "look for a seccomp profile that denies setrlimit; danger_allow_unhardened_process = true starts without it",
  }),
  "E-OPS-002": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the process cannot be made undumpable (${d.why}): others of the same user could read its memory`,
    next: "look for a seccomp profile that denies prctl; danger_allow_unhardened_process = true starts without it",
  }),
  "E-OPS-003": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `no_new_privs cannot be set (${d.why})`,
    next: "look for a seccomp profile that denies prctl; danger_allow_unhardened_process = true starts without it",
  }),
  "E-OPS-004": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `memory cannot be locked (${d.why}), so key shares may reach the swap`,
    next: "set LimitMEMLOCK=infinity in the unit (--ulimit memlock=-1 for a container), or switch the swap off or encrypt it",
  }),
  "E-OPS-005": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `new executable memory cannot be denied: ${d.why}`,
    next: "a kernel of 6.3 or newer on x86-64 has this; without it the other measures stand",
  }),
  "E-OPS-006": entry<{ readonly names: readonly string[] }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.names.join(", ")} in the environment: such variables put code of others into a process`,
    next: "find out who set them, and unset them (UnsetEnvironment= in a unit); danger_allow_unhardened_process = true starts with them",
  }),
  "E-OPS-007": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `the process is not hardened: ${d.why}`,
    next: "run production on Linux with glibc; elsewhere see to it that core dumps are off and the swap is encrypted",
  }),
  "E-OPS-008": entry<{ readonly address: string; readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the service manager cannot be told at ${d.address}: ${d.why}`,
    next: "look at NOTIFY_SOCKET: a unit of Type=notify waits for this word, one of Type=simple does not",
  }),
  "E-OPS-010": entry<{ readonly path: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.path} is there and says something else; nothing was written`,
    next: "put your own settings into a drop-in (systemctl edit), then run the command again with --force",
  }),
  "E-OPS-011": entry<{ readonly binary: string; readonly hidden: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the service could not start ${d.binary}: its sandbox hides ${d.hidden}`,
    next: "install -m 755 cosigner /usr/local/bin/ and run the command from there, or name the place with --binary",
  }),
  "E-OPS-012": entry<{ readonly scope: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `processes of this user may trace one another (${d.scope}): one that opens this process's memory in the moment before it is hardened reads it from then on`,
    next: "set kernel.yama.ptrace_scope = 1 or more in /etc/sysctl.d, or give the node a user that runs nothing else",
  }),

  "E-OPS-101": entry({
    kind: "input",
    exit: EXIT.failure,
    what: () => "this program runs from its sources and not as the locked-down binary",
    next: "use the binary for anything that matters: npm run build",
  }),
  "E-OPS-102": entry({
    kind: "fault",
    exit: EXIT.failure,
    what: () => "BUN_BE_BUN=1 turns this binary into a plain interpreter",
    next: "on Linux use the released binary; elsewhere let nobody else set variables of the service",
  }),
  "E-OPS-103": entry({
    kind: "input",
    exit: EXIT.failure,
    what: () => "this runs as root, and a node needs nothing that only root may do",
    next: "run it as a user of its own: cosigner install-service",
  }),
  "E-OPS-105": entry<{ readonly path: string; readonly mode: string; readonly wanted: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.path} has mode ${d.mode} where ${d.wanted} is right: others may use it`,
    next: "chmod it: folders 700, files 600, the configuration 640 at most; then find out who could read it, and since when",
  }),
  "E-OPS-106": entry<{ readonly path: string; readonly owner: number; readonly user: number }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.path} belongs to uid ${d.owner}, and this runs as uid ${d.user}`,
    next: "run this command as the node's user, or give the files to it: chown",
  }),
  "E-OPS-107": entry<{ readonly folder: string; readonly free: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `only ${d.free} are free in ${d.folder}; a full disk stops every task`,
    next: "make room: old logs and backups first; the database itself never shrinks by hand",
  }),
  "E-OPS-108": entry<{ readonly text: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the clocks differ: ${d.text}`,
    next: "set this machine's clock (timedatectl, chronyc tracking), then the other side's; tokens and deadlines depend on it",
  }),
  "E-OPS-109": entry<{ readonly host: string; readonly why: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the name ${d.host} is not found (${d.why})`,
    next: "check websocket.url (or websocket.proxy) and the resolver: getent hosts NAME",
  }),
  "E-OPS-113": entry<{ readonly folder: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `there is no backup in ${d.folder}; without one a lost disk is a lost key share`,
    next: "cosigner backup create, then switch the schedule on: [backup] interval, or cosigner-backup.timer",
  }),
  "E-OPS-114": entry<{ readonly folder: string; readonly hours: number; readonly limitHours: number }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the newest backup in ${d.folder} is ${d.hours} h old, more than ${d.limitHours} h`,
    next: "cosigner backup create, and look at the log of the schedule for why it did not run",
  }),
  "E-OPS-115": entry<{ readonly pid: number; readonly missing: readonly string[] }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the running node (process ${d.pid}) is not hardened: ${d.missing.join(", ")}`,
    next: "restart it with this version, and read the warnings at its start",
  }),
  "E-OPS-116": entry<{ readonly where: string; readonly what: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the rules are odd: ${d.where}: ${d.what}`,
    next: "see `cosigner policy check` and try the rules out: cosigner policy explain",
  }),
  "E-OPS-117": entry<{ readonly key: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.key} is on, and with it a protection is off`,
    next: "remove the line from the configuration unless somebody has decided this, and written down why",
  }),
  "E-OPS-118": entry<{ readonly problem: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the kernel's random bytes cannot be read from /dev/urandom: ${d.problem}`,
    next: "give the node a /dev with urandom in it (systemd's PrivateDevices=yes does); no session runs without it",
  }),
} as const
