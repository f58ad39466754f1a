import { EXIT, entry } from "./entry.ts"

/** Codes E-CLI-nnn: the command line, the terminal, and the program itself. */
export const cliCodes = {
  "E-CLI-001": entry<{ readonly what: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `an invariant of this program is broken: ${d.what}`,
    next: "the operation was stopped; keep the log and report it",
  }),
  "E-CLI-002": entry<{ readonly what: string; readonly expected: string; readonly got: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.what} must be ${d.expected}, not ${JSON.stringify(d.got)}`,
    next: "see --help of the command",
  }),
  "E-CLI-003": entry<{ readonly missing: string }>({
    kind: "bug",
    exit: EXIT.refused,
    what: (d) =>
      `this binary was started without its lockdown (${d.missing}), so files and variables could run code in it`,
    next: "use the binary that `npm run build` makes, and compare it with SHA256SUMS",
  }),
  "E-CLI-004": entry<{ readonly where: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `a password is needed, and there is no terminal to ask on (${d.where})`,
    next: "give --key-file FILE, or set [db] key_file, or hand the systemd credential cosigner-password to the service",
  }),
  "E-CLI-005": entry<{ readonly least: number }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the password is shorter than ${d.least} characters`,
    next: "choose a longer one; nothing was written",
  }),
  "E-CLI-006": entry({
    kind: "input",
    exit: EXIT.secrets,
    what: () => "the two passwords differ",
    next: "run the command again; nothing was written",
  }),
  "E-CLI-007": entry<{ readonly path: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the key file ${d.path} cannot be used: ${d.why}`,
    next: "a key file is a regular file that only its owner may use: chmod 600 FILE (defaultMode: 0400 for a Kubernetes secret); where its mode cannot be set, --danger-allow-readable-key-file or [db] danger_allow_readable_key_file = true accepts it",
  }),
  "E-CLI-008": entry({
    kind: "input",
    exit: EXIT.secrets,
    what: () => "the password prompt was interrupted",
    next: "nothing was written; run the command again",
  }),
  "E-CLI-009": entry<{ readonly path: string; readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `${d.path} cannot be written: ${d.why}`,
    next: "check the folder, its owner and the space on the disk",
  }),
  "E-CLI-011": entry<{ readonly what: string; readonly known: readonly string[] }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `there is no ${d.what} here; known: ${d.known.length === 0 ? "none" : d.known.join(", ")}`,
    next: "take one of the known ones",
  }),
  "E-CLI-012": entry<{ readonly name: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `the variable ${d.name} is set, and would switch a protection of the connections off`,
    next: "unset it (UnsetEnvironment= in a unit); for a private authority set [websocket] ca_path or SSL_CERT_FILE",
  }),
  "E-CLI-013": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the result could not be written to stdout (${d.why})`,
    next: "look at what stdout leads to, a full disk for instance, and repeat the command",
  }),
  "E-CLI-014": entry<{ readonly problem: string; readonly command: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.problem}; ${d.command} --help says more`,
    next: "correct the command line and type it again; nothing was done",
  }),
  "E-CLI-016": entry<{ readonly path: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the key file ${d.path} cannot take the new password: ${d.why}; nothing was changed`,
    next: "make the file and its folder writable for this user; where the file comes from elsewhere (a Kubernetes secret), run the command with a configuration that names no key file, and put the new password where it comes from before the next start",
  }),
  "E-CLI-017": entry<{ readonly path: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) =>
      `the password comes from the systemd credential ${d.path}, which no command can write; nothing was changed`,
    next: "run the command outside the service, on a terminal; then encrypt the new password with systemd-creds, as the unit says, before the next start",
  }),
  "E-CLI-020": entry<{ readonly command: string; readonly exit: number; readonly said: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `a process of the demo (${d.command}) ended with exit code ${d.exit}; it said: ${d.said}`,
    next: "run the demo with --keep and read the logs in its folder",
  }),
  "E-CLI-021": entry<{ readonly name: string; readonly seconds: number; readonly said: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `${d.name} did not come so far within ${d.seconds} s; it said: ${d.said}`,
    next: "run the demo with --keep on a machine with less load and read the logs in its folder",
  }),
  "E-CLI-022": entry<{ readonly what: string }>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `the demo's own verification failed: ${d.what}`,
    next: "do not use this build; keep the demo's folder (--keep) and report it",
  }),
  "E-CLI-030": entry<{ readonly what: string; readonly status: string; readonly seconds: number }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `${d.what} is ${d.status} after ${d.seconds} s; it goes on without this command`,
    next: "ask again with: cosigner client request show <id>; `cosigner client nodes` shows which nodes are online",
  }),
  "E-CLI-031": entry<{ readonly what: string; readonly status: string; readonly reason: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.what} ended as ${d.status}: ${d.reason || "no reason was given"}`,
    next: "look the reason's own code up in the error reference, and the request's id in the logs of WaaS and its nodes",
  }),
  "E-CLI-032": entry<{ readonly what: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `WaaS answered what is not so: ${d.what}`,
    next: "use nothing of that answer; find out who runs this WaaS, and compare its roots with `cosigner info group` on a node",
  }),
  "E-CLI-034": entry<{ readonly problem: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the chain's endpoint was of no use: ${d.problem}`,
    next: "check --rpc-url, or give --nonce, --gas, --max-fee and --priority-fee yourself; nothing more was sent than this says",
  }),
  "E-CLI-040": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the release key ${d.file} was not used: ${d.problem}`,
    next: "name a key that `cosigner release-key` or minisign made, and give its password; an existing key is never overwritten: choose another name",
  }),
  "E-CLI-041": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.file} is not shown to be what the release key signed: ${d.problem}`,
    next: "use none of these files; download the release again, with its .minisig, and compare the public key with a source that the download has no part in",
  }),
  "E-CLI-033": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the API key ${d.file} was not used: ${d.problem}`,
    next: "it must be a plain file of mode 600 with the 64 hex digits of the secret; `cosigner client init` makes one",
  }),
} as const
