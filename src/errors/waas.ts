import { EXIT, entry } from "./entry.ts"

/** Codes E-WAA-nnn: the coordinator. 001 to 019 end a command; 020 and above say why a request ended. */
export const waasCodes = {
  "E-WAA-001": entry<{ readonly dir: string; readonly file: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.dir} already holds a WaaS (${d.file} exists), and init never overwrites one`,
    next: "start it with: cosigner waas start --dir <dir>, or choose another --dir",
  }),
  "E-WAA-002": entry<{ readonly dir: string; readonly file: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.dir} holds no WaaS: ${d.file} is missing`,
    next: "create one with: cosigner waas init --dir <dir>",
  }),
  "E-WAA-003": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.secrets,
    what: (d) => `the signing key ${d.file} was not used: ${d.problem}`,
    next: "it must be a plain file of mode 600 with the 64 hex digits that init wrote; restore it from its backup or run: chmod 600 <file>",
  }),
  "E-WAA-004": entry<{ readonly dir: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `another process serves ${d.dir}`,
    next: "stop the other `cosigner waas start` first; one process serves one folder",
  }),
  "E-WAA-005": entry<{ readonly file: string; readonly found: number; readonly known: number }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${d.file} has schema version ${d.found}, and this program knows up to ${d.known}`,
    next: "use the newer version of cosigner that wrote it; a database is never downgraded",
  }),
  "E-WAA-006": entry<{ readonly file: string; readonly problem: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `${d.file} cannot be used: ${d.problem}`,
    next: "check the disk, its space and the file's owner; restore the folder from a backup if it is damaged",
  }),
  "E-WAA-008": entry<{ readonly problem: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `that is not an API key: ${d.problem}`,
    next: "give the public key as 64 hex digits (ed25519) or 66 hex digits (secp256k1, compressed)",
  }),
  "E-WAA-009": entry<{ readonly key: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the API key ${d.key} is registered already, and a revoked key stays revoked`,
    next: "see: cosigner waas key list; create another key pair",
  }),
  "E-WAA-010": entry<{ readonly key: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `no API key ${d.key} is registered`,
    next: "see: cosigner waas key list",
  }),
  "E-WAA-011": entry<{ readonly address: string; readonly problem: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `cannot listen on ${d.address}: ${d.problem}`,
    next: "choose another [waas] listen address, or stop the program that holds it",
  }),
  "E-WAA-012": entry<{ readonly status: number; readonly errorCode: number; readonly message: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) => `WaaS answered ${d.status}, error ${d.errorCode}: ${d.message}`,
    next: "correct the request; the numbers are those of the REST reference",
  }),
  "E-WAA-013": entry<{ readonly url: string; readonly problem: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `no usable answer from ${d.url}: ${d.problem}`,
    next: "check that `cosigner waas start` runs and that the address and its response key are right",
  }),
  "E-WAA-014": entry<{ readonly address: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `${JSON.stringify(d.address)} is neither an IP address nor a network`,
    next: "give an address such as 192.0.2.7, or a network such as 10.0.0.0/8 or 2001:db8::/32",
  }),
  "E-WAA-015": entry<{ readonly file: string; readonly table: string; readonly id: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) =>
      `${d.file}: the record ${d.id} of ${d.table} is not what was written: the disk or another program changed it`,
    next: "keep the file for whoever looks into it; put back a copy from before, or delete it, then run: cosigner waas adopt",
  }),

  "E-WAA-060": entry<{ readonly own: string; readonly seen: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `this WaaS is an older copy: a node has followed a newer one of the same key (here ${d.own}; there ${d.seen}); it serves nobody any more`,
    next: "stop it and let the newer one work; if that one is lost for good and this one is to go on: cosigner waas adopt",
  }),
  "E-WAA-061": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the store of WaaS takes no writes: ${d.why}`,
    next: "nothing new is signed until it does; it goes on by itself. For a store in a file check the space of its disk and that its mount is writable, for a shared one ([waas.store] url) check that database",
  }),
  "E-WAA-062": entry<{ readonly file: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.file} is there already, and a restore overwrites nothing`,
    next: "name an empty folder with --dir; or stop WaaS and move what is there away, if it is surely not needed",
  }),
  "E-WAA-063": entry<{ readonly file: string; readonly key: string; readonly wanted: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `${d.file} holds the key ${d.key}, and the backup is of the WaaS with the key ${d.wanted}`,
    next: "put the waas.key of that WaaS there, or name its backup with --key-backup; if it is lost, restore into an empty folder with --new-key",
  }),
  "E-WAA-065": entry<{ readonly path: string; readonly what: string }>({
    kind: "fault",
    exit: EXIT.secrets,
    what: (d) => `${d.path} opens and cannot be restored: ${d.what}`,
    next: "take another copy of the backup or an older one; nothing was restored from this one",
  }),

  "E-WAA-020": entry<{ readonly missing: readonly string[]; readonly causes: readonly string[] }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) =>
      `the deadline passed; waiting for ${d.missing.join(", ") || "no node in particular"}${d.causes.length === 0 ? "" : `; before: ${d.causes.join("; ")}`}`,
    next: "bring those nodes online and look at their logs, then make a new request",
  }),
  "E-WAA-021": entry({
    kind: "input",
    exit: EXIT.failure,
    what: () => "cancelled through the API",
    next: "make a new request if it is still wanted",
  }),
  "E-WAA-022": entry<{ readonly nodes: readonly string[] }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `nodes reported different results of one key generation: ${d.nodes.join(", ")}`,
    next: "the key is not used; find the faulty node by its log before generating again",
  }),
  "E-WAA-023": entry<{ readonly nodes: readonly string[] }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `no reported signature verifies; reported by ${d.nodes.join(", ")}`,
    next: "nothing was released; those nodes are faulty or hostile: look at their logs",
  }),
  "E-WAA-024": entry<{ readonly attempts: number; readonly last: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `${d.attempts} attempts ended without a result; the last: ${d.last}`,
    next: "look at the nodes' logs for that time, then make a new request",
  }),
  "E-WAA-025": entry<{ readonly node: string; readonly problem: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `${d.node} reported a result that does not answer the task: ${d.problem}`,
    next: "the result is not used; check that node's version and log",
  }),
  "E-WAA-026": entry<{ readonly task: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `another task of the same request, ${d.task}, ended without a result`,
    next: "see that task's reason",
  }),
  "E-WAA-027": entry<{ readonly node: string; readonly code: string; readonly reason: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `${d.node} ended the task with ${d.code || "no code"}: ${d.reason || "no reason given"}`,
    next: "see that node's log under the task id",
  }),
  "E-WAA-028": entry<{ readonly outdated: readonly string[]; readonly what: string }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the signers share no ${d.what} with each other and this WaaS; outdated: ${d.outdated.join(", ")}`,
    next: "upgrade what is named (docs/how-to/upgrade.md), or name other signers; nobody misbehaved",
  }),
  "E-WAA-029": entry<{ readonly readings: readonly string[] }>({
    kind: "input",
    exit: EXIT.failure,
    what: (d) => `the signers do not read the payload alike: ${d.readings.join("; ")}`,
    next: "compare their [intent] settings and versions with `cosigner info task` on each; nothing was signed, and nobody is to blame",
  }),

  "E-WAA-070": entry<{ readonly store: string; readonly problem: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the database ${d.store} does not answer: ${d.problem}`,
    next: "check the database, its address and what lies in between; a running WaaS goes on by itself once it answers",
  }),
  "E-WAA-071": entry<{ readonly store: string; readonly problem: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the database ${d.store} refused: ${d.problem}`,
    next: "see the database's own log; the user of [waas.store] url needs to own its database, or the right to create and change tables in it",
  }),
  "E-WAA-073": entry<{ readonly key: string; readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `[waas.store] ${d.key}: ${d.file} cannot be used: ${d.problem}`,
    next: "correct the path or the file; keys and passwords are plain files of mode 600, certificates are PEM",
  }),
  "E-WAA-074": entry<{ readonly store: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) =>
      `another WaaS has taken over the work of this one in ${d.store}, since it was not heard there for a while`,
    next: "nothing is lost: this process starts again by itself; look for what stopped it or kept it from its database",
  }),
  "E-WAA-075": entry<{ readonly program: string; readonly problem: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `[waas] key_command: ${d.program}: ${d.problem}`,
    next: "run it by hand: `public-key` as its last word gives 32 bytes, `sign` 64 for any input, in hex or base64, within 5 s",
  }),
  "E-WAA-077": entry<{ readonly command: string; readonly store: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.command} is for a database in a file, and this WaaS has ${d.store}`,
    next: "back up and restore that database with its own tools (docs/how-to/replicas.md); after a restore: cosigner waas adopt",
  }),
  "E-WAA-080": entry<{ readonly address: string; readonly why: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the console cannot be served at ${d.address}: ${d.why}`,
    next: "choose another waas.console.listen, or stop the program that holds it; waas.console.enable = false starts without the page",
  }),
  "E-WAA-081": entry<{ readonly file: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `the token of the console in ${d.file} cannot be used: ${d.problem}`,
    next: "remove the file, and the start makes a new one; or write one line of 16 to 512 visible characters, mode 600",
  }),
  "E-WAA-082": entry<{ readonly reason: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the thread of the console died: ${d.reason}`,
    next: "it is started again, and requests go on; if it repeats, keep the log and report it",
  }),
  "E-WAA-083": entry<{ readonly why: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `the console could not look at WaaS: ${d.why}`,
    next: "it tries again every second, and its page says how old its picture is; look at the database",
  }),
  "E-WAA-085": entry<{ readonly request: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the replica that works on the request ${d.request} has not answered in time`,
    next: "ask again: what was asked is kept, and done by whoever works on the request next",
  }),
  "E-WAA-086": entry<{ readonly problem: string }>({
    kind: "fault",
    exit: EXIT.failure,
    what: (d) => `another WaaS works on that request now, so nothing was written: ${d.problem}`,
    next: "nothing is lost: the other one carries the request on; ask again",
  }),
  "E-WAA-088": entry<{ readonly name: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `other work of the kind "${d.name}" took too long on this store; nothing was begun`,
    next: "ask again in a moment; if it repeats, look for a WaaS of this store that hangs, and at the database",
  }),
  "E-WAA-090": entry<{ readonly requestId: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `too much waits for the WaaS that works on request ${d.requestId}`,
    next: "ask again in a moment: that WaaS looks every second, and another one takes over if it is gone",
  }),
} as const
