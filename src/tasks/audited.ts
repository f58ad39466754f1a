/**
 * The leaves of the audit log about tasks: each decision, each share that leaves, each end (audit.md 2). Of what was signed they contain
 * only hashes and the words of its intent.
 */
import { type AuditEntry, canonical } from "../audit/entry.ts"
import { type Bytes, toHex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import type { SpentWord } from "../policy/decision.ts"
import { statedInitiator } from "../policy/initiators.ts"
import type { TaskOutcome } from "../wire/frames.ts"
import { decodeRecordedTask } from "../wire/task.ts"
import { recordedIntents, taskIntentHash } from "./intents.ts"
import type { Finish, TaskRecord } from "./ports.ts"

/** The most characters of the words of all intents. Their hash is beside them. */
const MOST_WORDS = 600
/** The most rule outcomes in one leaf. The field `verdict` is the hash of all of them. */
const MOST_RULES = 16
const MOST_REASON = 120

const hashOf = (text: string): string => toHex(sha256(utf8(text)))

/** The leaf of a decision. `rules` is the SHA-256 of the rules in force, hex. */
export function decided(record: TaskRecord, rules: string): AuditEntry {
  const { taskId, type, digest, verdict } = record
  const intents = recordedIntents(verdict)
  const outcomes = (verdict?.rules ?? []).filter(({ rule }) => rule !== "intent")
  const words = intents.map(({ text }) => text).join("; ")
  return {
    kind: "decision",
    facts: {
      task: taskId,
      type,
      document: digest,
      ...asked(record),
      intent: taskIntentHash(intents),
      words: words === "" ? undefined : cut(words, MOST_WORDS),
      rules,
      decision: verdict?.action,
      code: verdict?.code || undefined,
      reason: verdict?.reason ? cut(verdict.reason, MOST_REASON * 2) : undefined,
      outcomes: outcomes.slice(0, MOST_RULES).map(({ rule, outcome, reason }) => {
        const why = outcome === "allow" && !rule.startsWith("callback:") && !rule.includes(".require.") ? "" : reason
        return [cut(rule, MOST_REASON), outcome, rule.startsWith("callback:") ? withAnswer(why) : cut(why, MOST_REASON)]
      }),
      verdict: verdict && hashOf(canonical({ ...verdict, rules: verdict.rules.map((rule) => ({ ...rule })) })),
    },
  }
}

/** The leaf of a person's word that the next decision consumes. */
export const consumed = (task: string, { approver, decision, nonce, signed }: SpentWord): AuditEntry => ({
  kind: "approval",
  facts: { task, approver, decision, nonce, signed: toHex(sha256(signed)) },
})

/** The leaf of a share that leaves: from then on a signature may exist. */
export const shareLeaves = ({ taskId, attempt }: TaskRecord, digest: Bytes): AuditEntry => ({
  kind: "share",
  facts: { task: taskId, attempt, message: toHex(digest) },
})

/** The leaf of a task's end. `emitted`: the digests for which a share left. */
export function ended(record: TaskRecord, end: Finish, emitted: readonly Bytes[]): AuditEntry {
  const { taskId, type, attempt } = record
  const result = end.state === "completed" ? resultOf(end.outcome) : { code: end.code, reason: cut(end.reason, 200) }
  return { kind: "end", facts: { task: taskId, type, attempt, state: end.state, shares: emitted.length, ...result } }
}

function resultOf(outcome: TaskOutcome): AuditEntry["facts"] {
  switch (outcome.type) {
    case "group":
      return {
        group: outcome.group_id,
        epoch: outcome.epoch_id,
        root_key: outcome.root_extended_public_key,
        threshold: outcome.threshold,
        members: outcome.participants.map(({ node_id }) => node_id),
      }
    case "signatures":
    case "shareSignatures":
      return {
        signatures: outcome.signatures.length,
        signature: hashOf(outcome.signatures.map(({ signature }) => signature).join("\n")),
      }
  }
}

/** Group, initiator and messages, as the document states them. */
function asked({ document }: TaskRecord): AuditEntry["facts"] {
  const task = decodeRecordedTask(document)
  if ("problem" in task) return {}
  const initiator = statedInitiator(task.extra_info)
  switch (task.type) {
    case "KeySign":
      return {
        group: task.group_id,
        initiator,
        messages: task.messages.length,
        message: hashOf(task.messages.map(({ msg_hash }) => msg_hash).join("\n")),
      }
    case "KeyReshare":
      return { group: task.old_group_id, initiator }
    case "KeyGen":
    case "KeyShareSign":
      return { initiator }
  }
}

/** Cuts a callback server's reason, but keeps the hash of the answer at its end. */
const withAnswer = (why: string): string => {
  const at = why.lastIndexOf("; answer sha256 ")
  return at < 0 ? cut(why, MOST_REASON) : `${cut(why.slice(0, at), MOST_REASON)}${why.slice(at)}`
}

const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most)}…` : text)
