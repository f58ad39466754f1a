import { EXIT, entry } from "./entry.ts"

/** What is wrong with one key. `got` is redacted where the key holds a secret. */
export interface KeyProblem {
  /** `configs/cosigner.toml:9`, or the flag that said it. */
  readonly where: string
  readonly key: string
  readonly expected: string
  readonly got: string
}

const problemLine = (p: KeyProblem): string => `${p.where}: ${p.key}: expected ${p.expected}, got ${p.got}`

/** Codes E-CFG-nnn: configuration files (001 to 003 every kind of them), and the files they name. */
export const configCodes = {
  "E-CFG-001": entry<{ readonly file: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the configuration ${d.file} cannot be read: ${d.why}`,
    next: "name a file that is there, the configuration with --config; an annotated one is written by: cosigner config init, waas init or callback-server init",
  }),
  "E-CFG-002": entry<{ readonly where: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.where}: ${d.why}`,
    next: "correct the line, then run the command again; for a node's file: cosigner config check",
  }),
  "E-CFG-003": entry<{ readonly problems: readonly KeyProblem[] }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => d.problems.map(problemLine).join("\n  "),
    next: "correct the file, then run the command again; for a node's file: cosigner config check",
  }),
  "E-CFG-004": entry<{ readonly key: string; readonly file: string; readonly flag: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.flag} says another ${d.key} than ${d.file}`,
    next: "drop the flag or the line: a flag fills in what the file leaves out, and only -c, -d, --key-file and --ws-url win over it",
  }),
  "E-CFG-005": entry<{ readonly key: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `production refuses this configuration: ${d.key}: ${d.why}`,
    next: "correct the file, then: cosigner config check",
  }),
  "E-CFG-006": entry<{ readonly key: string; readonly path: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.key}: the file ${d.path} cannot be used: ${d.why}`,
    next: "relative paths are relative to the working directory; files with secrets need chmod 600",
  }),
  "E-CFG-015": entry<{ readonly key: string; readonly path: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.key}: the ABI ${d.path} cannot be used: ${d.why}`,
    next: "write the file anew with the contract's compiler, or leave out the abi; without it calls are judged by their selectors alone",
  }),
  "E-CFG-008": entry<{ readonly key: string; readonly why: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the configuration does not fit together: ${d.key}: ${d.why}`,
    next: "correct the file, then: cosigner config check",
  }),
  "E-CFG-014": entry<{ readonly path: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.path} is the configuration here, and a second one beside it would be refused`,
    next: "make ours of it: cosigner config import configs/cobo-tss-node-config.yaml; or write another with --config",
  }),
  "E-CFG-013": entry<{ readonly one: string; readonly other: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.one} and ${d.other} are both there, and only one of them can be the configuration`,
    next: "rename the one that is not meant, for instance to configs/cobo-tss-node-config.yaml.imported, or name the other with --config",
  }),
  "E-CFG-012": entry<{ readonly keys: readonly string[] }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the file has changed, and these keys are not in force before a restart: ${d.keys.join(", ")}`,
    next: "restart the node, or put the file back; `cosigner config show` names what is in force",
  }),
  "E-CFG-010": entry({
    kind: "input",
    exit: EXIT.refused,
    what: () => "neither a callback server nor embedded rules: this node would sign whatever WaaS asks",
    next: "name a callback server in [callback] or enable [embedded_risk_control_rules]; danger_allow_unguarded_signing = true accepts it, for a node that holds nothing of value",
  }),
  "E-CFG-011": entry<{ readonly key: string; readonly host: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.key}: ${d.host} is reached over plain http: others on the way can read what this node sends`,
    next: "give the server a certificate and write https://; a private authority is named by ca_path",
  }),
  "E-CFG-009": entry<{ readonly path: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.path} exists already, and it is not overwritten`,
    next: "read it, and if it is really to be replaced: cosigner config init --force",
  }),
} as const
