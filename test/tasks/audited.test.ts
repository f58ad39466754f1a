/** What leaves say of a task, and that a signature costs no more than 4 kB of them, whatever WaaS, rules and servers say. */
import { expect, test } from "bun:test"
import { type AuditEntry, leafBytes, MAX_LEAF, parseLeaf } from "../../src/audit/entry.ts"
import { utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { Verdict } from "../../src/policy/verdict.ts"
import { decided, ended, shareLeaves } from "../../src/tasks/audited.ts"
import type { TaskRecord } from "../../src/tasks/ports.ts"
import { encodeTask } from "../../src/wire/task.ts"
import { keySign } from "../wire/documents.ts"

const HASH = `0x${"ab".repeat(32)}`
const ANSWER = "cd".repeat(32)

const record = (verdict: Verdict): TaskRecord => ({
  taskId: keySign.task_id,
  digest: "ef".repeat(32),
  type: "KeySign",
  document: encodeTask({ ...keySign, extra_info: { transaction: { initiator: "ann" } } }),
  state: "approved",
  attempt: 3,
  claimedMs: 1,
  updatedMs: 2,
  deadlineMs: 3,
  verdict,
  code: "",
  reason: "",
  outcome: undefined,
  delivered: false,
})

/** In the database a leaf has an id, a seal and SQLite's own beside it. */
const ROW = 110
const sizeOf = (entry: AuditEntry): number =>
  leafBytes({ ...entry, seq: 10 ** 9, atMs: 1_800_000_000_000 }).length + ROW

const verdictOf = (rules: Verdict["rules"]): Verdict => ({ action: "approve", code: "", reason: "", rules })

test("a decision says who asked, what it does, who decided by which rules, and what a server answered", () => {
  const verdict = verdictOf([
    { rule: "intent", outcome: "allow", reason: `${HASH} send 5 USDC to Ann` },
    { rule: "key_sign.allow", outcome: "allow", reason: "the entry payroll" },
    { rule: "callback:https://risk.test", outcome: "allow", reason: `approved; answer sha256 ${ANSWER}` },
  ])
  const { kind, facts } = decided(record(verdict), "11")
  expect({ kind, facts }).toMatchObject({
    kind: "decision",
    facts: {
      task: keySign.task_id,
      document: "ef".repeat(32),
      group: keySign.group_id,
      initiator: "ann",
      intent: HASH,
      words: "send 5 USDC to Ann",
      rules: "11",
      decision: "approve",
    },
  })
  expect(facts["outcomes"]).toEqual([
    ["key_sign.allow", "allow", ""],
    ["callback:https://risk.test", "allow", `approved; answer sha256 ${ANSWER}`],
  ])
  // The hash is of the whole verdict: another one has another.
  expect(facts["verdict"]).not.toBe(decided(record({ ...verdict, reason: "x" }), "11").facts["verdict"])
})

test("the longest decision, share and end of a signature are below 4 kB; the hash of an answer stays whole", () => {
  const long = "ä".repeat(5000)
  const rules: Verdict["rules"] = [
    ...Array.from({ length: 20 }, () => ({ rule: "intent", outcome: "allow", reason: `${HASH} ${long}` }) as const),
    { rule: `callback:${long}`, outcome: "deny", reason: `${long}; answer sha256 ${ANSWER}` },
    ...Array.from({ length: 60 }, (_, n) => ({ rule: `key_sign.rule_${n}`, outcome: "deny", reason: long }) as const),
  ]
  const verdict: Verdict = { action: "reject", code: "E-RSK-001", reason: long, rules }
  const decision = decided(record(verdict), "11".repeat(32))
  const share = shareLeaves(record(verdict), sha256(utf8("share")))
  const signature = {
    bip32_path: "m",
    msg_hash: "0x",
    tweak: "",
    public_key: "",
    signature: long,
    signature_recovery: "",
  }
  const outcome = { type: "signatures", signatures: [signature] } as const
  const end = ended(record(verdict), { state: "completed", outcome }, [sha256(utf8("share"))])
  expect(sizeOf(decision)).toBeLessThanOrEqual(MAX_LEAF + ROW)
  expect(sizeOf(decision) + sizeOf(share) + sizeOf(end)).toBeLessThan(4096)
  expect(JSON.stringify(decision.facts["outcomes"])).toContain(ANSWER)
  expect(parseLeaf(leafBytes({ ...decision, seq: 1, atMs: 1 })).facts).toMatchObject({ task: keySign.task_id })
  const failed = ended(record(verdict), { state: "failed", code: "E-TSK-014", reason: long }, [])
  expect(sizeOf(failed)).toBeLessThan(700)
})
