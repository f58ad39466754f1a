/**
 * The commands, in the order in which help shows them. A row is a name, a line for help, and how to load the rest: no code of a
 * command runs before its name was typed. Help, completion and the generated reference walk this table.
 */
import type { Row } from "./row.ts"
import { waasTable } from "./waasTable.ts"

export const table: readonly Row[] = [
  {
    path: ["init"],
    summary: "Create this node: its identity, its keys, its database",
    load: async () => (await import("./init.ts")).init,
  },
  {
    path: ["start"],
    summary: "Run this node until a signal ends it",
    load: async () => (await import("./start.ts")).start,
  },
  {
    path: ["info"],
    summary: "Show the node id and the callback public key",
    load: async () => (await import("./info.ts")).info,
  },
  {
    path: ["info", "group"],
    summary: "Show the groups this node holds key shares of",
    load: async () => (await import("./info.ts")).group,
  },
  {
    path: ["info", "address"],
    summary: "Show an address of a group, derived by this node and attested with its identity key",
    load: async () => (await import("./info.ts")).address,
  },
  {
    path: ["info", "task"],
    summary: "Show what the journal knows of one task, or the newest tasks",
    load: async () => (await import("./info.ts")).task,
  },
  {
    path: ["share-sign"],
    summary: "Sign a message with this node's own share, to show that it holds it",
    load: async () => (await import("./shareSign.ts")).shareSign,
  },
  {
    path: ["sign"],
    summary: "The old name of share-sign",
    load: async () => (await import("./shareSign.ts")).sign,
  },
  {
    path: ["export-share"],
    summary: "Write encrypted recovery files of this node's key shares",
    load: async () => (await import("./exportShare.ts")).exportShare,
  },
  {
    path: ["import-share"],
    summary: "Take this node's share of a key over from a recovery file",
    load: async () => (await import("./importShare.ts")).importShare,
  },
  {
    path: ["change-password"],
    summary: "Give the database another password",
    load: async () => (await import("./changePassword.ts")).changePassword,
  },
  {
    path: ["migrate"],
    summary: "Bring the database to the format of this version",
    load: async () => (await import("./migrate.ts")).migrate,
  },
  {
    path: ["recover-rollback"],
    summary: "Let an older copy of the database be this node, after a rollback was detected",
    load: async () => (await import("./recoverRollback.ts")).recoverRollback,
  },
  {
    path: ["freeze"],
    summary: "Stop this node from signing, at once",
    load: async () => (await import("./freeze.ts")).freeze,
  },
  {
    path: ["unfreeze"],
    summary: "Let a frozen node sign again",
    load: async () => (await import("./freeze.ts")).unfreeze,
  },
  {
    path: ["strikes"],
    summary: "Show which nodes misbehaved in sessions with this one, and who is refused for it",
    load: async () => (await import("./strikes.ts")).strikes,
  },
  {
    path: ["strikes", "pardon"],
    summary: "Begin tasks with a refused node again",
    load: async () => (await import("./strikes.ts")).pardon,
  },
  { path: ["audit"], summary: "The log for auditors: its keys, exports, proofs, reports, and verifying them" },
  {
    path: ["audit", "key"],
    summary: "Print the keys by which others verify this node's log",
    load: async () => (await import("./audit.ts")).key,
  },
  {
    path: ["audit", "export"],
    summary: "Write this node's log as files that anybody can verify",
    load: async () => (await import("./audit.ts")).exportLog,
  },
  {
    path: ["audit", "verify"],
    summary: "Verify an exported log or a proof, with nothing but the keys",
    load: async () => (await import("./audit.ts")).verify,
  },
  {
    path: ["audit", "prove"],
    summary: "Write proofs of what the log says of a task",
    load: async () => (await import("./audit.ts")).prove,
  },
  {
    path: ["audit", "report"],
    summary: "Say what happened in some time: who asked, what was signed and refused, where time is missing",
    load: async () => (await import("./auditReport.ts")).report,
  },
  { path: ["backup"], summary: "Write, prove and restore backups of the whole node" },
  {
    path: ["backup", "create"],
    summary: "Write a proven backup of this node; it may be running",
    load: async () => (await import("./backup.ts")).create,
  },
  {
    path: ["backup", "verify"],
    summary: "Prove a backup, with nothing but its password",
    load: async () => (await import("./backup.ts")).verify,
  },
  {
    path: ["backup", "restore"],
    summary: "Make a new database from a backup, on any host",
    load: async () => (await import("./backup.ts")).restore,
  },
  {
    path: ["status"],
    summary: "Ask the running node how it is",
    load: async () => (await import("./status.ts")).status,
  },
  { path: ["metrics"], summary: "What a node measures" },
  {
    path: ["metrics", "list"],
    summary: "List every metric of a node",
    load: async () => (await import("./metrics.ts")).list,
  },
  {
    path: ["metrics", "dashboard"],
    summary: "Print a Grafana dashboard of every metric",
    load: async () => (await import("./metrics.ts")).dashboard,
  },
  { path: ["config"], summary: "Write, check and show the configuration" },
  {
    path: ["config", "init"],
    summary: "Write an annotated configuration",
    load: async () => (await import("./config.ts")).init,
  },
  {
    path: ["config", "check"],
    summary: "Check the configuration as `start` would",
    load: async () => (await import("./config.ts")).check,
  },
  {
    path: ["config", "show"],
    summary: "Show the configuration, and where the running node has another",
    load: async () => (await import("./config.ts")).show,
  },
  {
    path: ["config", "import"],
    summary: "Make a configuration of one in the published YAML format",
    load: async () => (await import("./config.ts")).importFile,
  },
  { path: ["policy"], summary: "Check, explain and try out the embedded risk control rules" },
  {
    path: ["policy", "check"],
    summary: "Check the rules for parts that contradict each other or do nothing",
    load: async () => (await import("./policyCheck.ts")).check,
  },
  {
    path: ["policy", "explain"],
    summary: "Say what the rules make of a task, and why",
    load: async () => (await import("./policyExplain.ts")).explain,
  },
  {
    path: ["policy", "replay"],
    summary: "Try a draft of the rules on the tasks of the journal",
    load: async () => (await import("./policyReplay.ts")).replay,
  },
  {
    path: ["policy", "diff"],
    summary: "Say what changes between two policies, and what would have ended otherwise",
    load: async () => (await import("./policyDiff.ts")).diff,
  },
  { path: ["policy", "bundle"], summary: "Policy as a file that its owners sign" },
  {
    path: ["policy", "bundle", "make"],
    summary: "Make a policy bundle of a draft, for its owners to sign",
    load: async () => (await import("./policyBundle.ts")).make,
  },
  {
    path: ["policy", "bundle", "sign"],
    summary: "Add the signature of an owner to a policy bundle",
    load: async () => (await import("./policyBundle.ts")).sign,
  },
  {
    path: ["policy", "bundle", "verify"],
    summary: "Check a policy bundle: who signed it, and whether a node can follow it",
    load: async () => (await import("./policyBundle.ts")).verify,
  },
  {
    path: ["policy", "status"],
    summary: "Show the policy bundle that this node follows",
    load: async () => (await import("./policyNode.ts")).status,
  },
  {
    path: ["policy", "veto"],
    summary: "Stop a version of the policy that waits, as one of its owners",
    load: async () => (await import("./policyNode.ts")).veto,
  },
  {
    path: ["policy", "recover"],
    summary: "Take a bundle over whose owners the ones in force did not sign, because they lost their keys",
    load: async () => (await import("./policyNode.ts")).recover,
  },
  { path: ["intent"], summary: "Payloads, as a node reads them before it signs" },
  {
    path: ["intent", "decode"],
    summary: "Show what a node reads in a payload",
    load: async () => (await import("./intentDecode.ts")).decode,
  },
  {
    path: ["callback-server"],
    summary: "Run a small callback server for demos and as a start for your own",
    load: async () => (await import("./callbackServer.ts")).callbackServer,
  },
  {
    path: ["callback-server", "init"],
    summary: "Make the keys and the configuration of a callback server",
    load: async () => (await import("./callbackServerInit.ts")).callbackServerInit,
  },
  {
    path: ["callback-test"],
    summary: "Test a callback server as a hostile node would",
    load: async () => (await import("./callbackTest.ts")).callbackTest,
  },
  { path: ["event"], summary: "The key that signs events, and the events that no server took" },
  { path: ["event", "key"], summary: "Make and show the event key" },
  {
    path: ["event", "key", "create"],
    summary: "Make this node's event key",
    load: async () => (await import("./eventKey.ts")).create,
  },
  {
    path: ["event", "key", "info"],
    summary: "Show the public half of the event key",
    load: async () => (await import("./eventKey.ts")).info,
  },
  {
    path: ["event", "list"],
    summary: "Show what event servers are still to get, and the events that they never took",
    load: async () => (await import("./eventList.ts")).list,
  },
  {
    path: ["event-server"],
    summary: "Run a small event server that prints what nodes report",
    load: async () => (await import("./eventServer.ts")).eventServer,
  },
  {
    path: ["recovery"],
    summary: "The way out, step by step; its commands work offline",
    load: async () => (await import("./recoverySteps.ts")).recovery,
  },
  {
    path: ["recovery", "verify"],
    summary: "Check recovery files, alone and together",
    load: async () => (await import("./recovery.ts")).verify,
  },
  {
    path: ["recovery", "reconstruct"],
    summary: "Put a root private key together from the files of enough nodes",
    load: async () => (await import("./recovery.ts")).reconstruct,
  },
  {
    path: ["recovery", "derive"],
    summary: "Derive child keys and addresses from a root key",
    load: async () => (await import("./recoveryDerive.ts")).derive,
  },
  {
    path: ["trust-waas"],
    summary: "Trust the WaaS of another key from now on, and no more the one before",
    load: async () => (await import("./trustWaas.ts")).trustWaasCommand,
  },
  ...waasTable,
  {
    path: ["doctor"],
    summary: "Look at everything a node depends on, and say what to do about it",
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    path: ["install-service"],
    summary: "Install the systemd units of a node, or print them",
    load: async () => (await import("./installUnits.ts")).installService,
  },
  {
    path: ["demo"],
    summary: "See it work: a WaaS and three nodes make keys, sign with them, and replace a lost node",
    load: async () => (await import("./demo.ts")).demo,
  },
  {
    path: ["release-key"],
    summary: "Make the key that signs releases",
    load: async () => (await import("./release.ts")).releaseKey,
  },
  {
    path: ["release-sign"],
    summary: "Sign the SHA256SUMS of a release",
    load: async () => (await import("./release.ts")).releaseSign,
  },
  {
    path: ["release-verify"],
    summary: "Say whether a release is what its key signed",
    load: async () => (await import("./release.ts")).releaseVerify,
  },
  {
    path: ["completion"],
    summary: "Print a completion script for a shell",
    load: async () => (await import("./completion.ts")).completion,
  },
  { path: ["version"], summary: "Print the version", load: async () => (await import("./version.ts")).version },
]
