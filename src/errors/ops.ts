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
} as const
