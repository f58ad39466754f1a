/**
 * The risk officer's sentence, as written: only transfers of ETH, at most 1 ETH a day in all with fees, to these three addresses,
 * asked for by these people (as WaaS states it), Monday to Friday, fee at most 0.02 ETH.
 */
import { expect, test } from "bun:test"
import { checkConfig } from "../../src/config/load.ts"
import type { Effect, Reading } from "../../src/intent/reading.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import { explainIntents } from "../../src/policy/explainIntents.ts"
import { lint } from "../../src/policy/lint.ts"
import { type Past, replay } from "../../src/policy/replay.ts"
import type { KeySignRequest } from "../../src/policy/request.ts"
import { RollingUsage } from "../../src/policy/rollingUsage.ts"
import { SENTENCE_ADDRESSES, SENTENCE_LIMIT, sentencePayout } from "../support/riskSentence.ts"
import { ALICE, BOB, CAROL, ETH, OWN, USDC } from "./intentSamples.ts"
import { signRequest } from "./samples.ts"

const EVE = "0x1111111111111111111111111111111111111111"
const TOML = `${SENTENCE_ADDRESSES}
[embedded_risk_control_rules]
enable = true
[embedded_risk_control_rules.key_gen]
reject_all = true
[embedded_risk_control_rules.key_reshare]
reject_all = true
[embedded_risk_control_rules.key_share_sign]
reject_all = true
[embedded_risk_control_rules.key_sign]
reject_all = false
required_node_ids = ["n1"]
${sentencePayout({ name: "payout", initiators: ["ada", "grace"], zone: "Europe/Zurich", days: ["mon", "tue", "wed", "thu", "fri"] })}${SENTENCE_LIMIT}`
const { embedded_risk_control_rules: rules } = checkConfig(TOML, "risk.toml").config
/** A Wednesday. */
const NOON = Date.parse("2026-11-25T11:00:00Z")
const HOUR = 3_600_000
const wei = (milli: number): bigint => BigInt(milli) * 10n ** 15n

interface Ask {
  readonly milli: number
  readonly fee?: number
  readonly to?: string
  readonly who?: string
  readonly nonce?: number
  readonly effects?: readonly Effect[]
}

function request({ milli, fee = 1, to = BOB, who = "ada", nonce = 0, effects }: Ask): KeySignRequest {
  const path = [44, 60, 0, 0, 5]
  const reading: Reading = {
    format: "evm/transaction",
    chain: "eip155:1",
    from: [ALICE],
    effects: effects ?? [{ kind: "transfer", from: ALICE, to, asset: ETH, amount: wei(milli) }],
    fee: { max: wei(fee), asset: ETH, unbounded: false },
    nonce: `${nonce}`,
    signs: [{ path, bytes: new Uint8Array(32) }],
  }
  return signRequest({
    extraInfo: { transaction: { initiator: who } },
    intents: [{ reading, accounts: new Map() }],
    messages: [{ path, hash: "0x", payload: 0 }],
  })
}

/** One task after another on one node; answers the code of the refusal, empty for an approval. */
class Node {
  readonly usage = new RollingUsage()
  tasks = 0
  ask(one: Ask, atMs: number): string {
    const { verdict, debits } = evaluate(rules, request(one), this.usage, atMs)
    if (verdict.action === "approve") this.usage.debit(`t${this.tasks++}`, atMs, debits)
    return verdict.code
  }
}

test("the sentence is sound: lint finds nothing", () => {
  expect(lint(rules)).toEqual([])
})

test.each<[string, Ask, string]>([
  ["a payment to one of the three", { milli: 500 }, ""],
  ["to another of them, by another of them", { milli: 500, to: OWN, who: "grace" }, ""],
  ["a fee of exactly 0.02 ETH", { milli: 500, fee: 20 }, ""],
  ["a fee above it", { milli: 500, fee: 21 }, "E-RSK-018"],
  ["to somebody else", { milli: 500, to: EVE }, "E-RSK-018"],
  ["asked for by somebody else", { milli: 500, who: "eve" }, "E-RSK-018"],
  ["asked for by nobody", { milli: 500, who: "" }, "E-RSK-018"],
  [
    "of another asset",
    { milli: 0, effects: [{ kind: "transfer", from: ALICE, to: BOB, asset: USDC, amount: 1n }] },
    "E-RSK-018",
  ],
  [
    "an approval beside it",
    {
      milli: 0,
      effects: [
        { kind: "transfer", from: ALICE, to: BOB, asset: ETH, amount: 1n },
        { kind: "approve", from: ALICE, spender: BOB, asset: USDC, amount: 1n },
      ],
    },
    "E-RSK-018",
  ],
  [
    "to an address that the payload does not say",
    { milli: 0, effects: [{ kind: "transfer", from: ALICE, to: { unresolved: "?" }, asset: ETH, amount: 1n }] },
    "E-RSK-018",
  ],
  ["1 ETH with its fee", { milli: 999, fee: 1 }, ""],
  ["1 ETH and its fee", { milli: 1000, fee: 1 }, "E-RSK-011"],
  [
    "all there is",
    { milli: 0, effects: [{ kind: "transfer", from: ALICE, to: BOB, asset: ETH, amount: (1n << 256n) - 1n }] },
    "E-RSK-011",
  ],
])("%s", (_, one, code) => {
  expect(new Node().ask(one, NOON)).toBe(code)
})

test("not on Saturday, and a digest without payload never", () => {
  expect(new Node().ask({ milli: 1 }, NOON + 3 * 24 * HOUR)).toBe("E-RSK-018")
  const blind = { ...request({ milli: 1 }), intents: [], messages: [{ path: [44, 60, 0, 0, 5], hash: "0x" }] }
  expect(evaluate(rules, blind, new RollingUsage(), NOON).verdict.code).toBe("E-RSK-021")
})

test("the fourth payout of the day exceeds the limit, and the day moves on", () => {
  const node = new Node()
  for (const [i, hours] of [0, 1, 2].entries())
    expect(node.ask({ milli: 300, nonce: i, to: [BOB, CAROL, OWN][i] ?? BOB }, NOON + hours * HOUR)).toBe("")
  expect(node.ask({ milli: 300, nonce: 3 }, NOON + 3 * HOUR)).toBe("E-RSK-011")
  expect(node.ask({ milli: 300, nonce: 3 }, NOON + 24 * HOUR)).toBe("E-RSK-011")
  expect(node.ask({ milli: 300, nonce: 3 }, NOON + 24 * HOUR + 1)).toBe("")
})

test("a thousand payments of nothing that burn fees are stopped by the same limit", () => {
  const node = new Node()
  const codes = Array.from({ length: 1000 }, (_, nonce) => node.ask({ milli: 0, fee: 20, nonce }, NOON + nonce))
  expect(codes.filter((code) => code === "")).toHaveLength(50)
  expect(new Set(codes.slice(50))).toEqual(new Set(["E-RSK-011"]))
})

test("a replacement counts once, at its largest", () => {
  const node = new Node()
  expect(node.ask({ milli: 600, fee: 1, nonce: 7 }, NOON)).toBe("")
  expect(node.ask({ milli: 600, fee: 10, nonce: 7 }, NOON + HOUR)).toBe("")
  expect(node.ask({ milli: 0, fee: 20, nonce: 7 }, NOON + 2 * HOUR)).toBe("")
  expect(node.usage.sum(`amount/all/${ETH}`, 0)).toBe(wei(610))
  expect(node.ask({ milli: 385, fee: 1, nonce: 8 }, NOON + 3 * HOUR)).toBe("")
  expect(node.ask({ milli: 3, fee: 1, nonce: 9 }, NOON + 3 * HOUR)).toBe("")
  expect(node.ask({ milli: 1, fee: 0, nonce: 10 }, NOON + 3 * HOUR)).toBe("E-RSK-011")
})

test("a replacement a day later brings the largest back, and at the edge of the window it still replaces", () => {
  const later = new Node()
  expect(later.ask({ milli: 900, fee: 0, nonce: 7 }, NOON)).toBe("")
  expect(later.ask({ milli: 200, fee: 0, nonce: 8 }, NOON + 25 * HOUR)).toBe("")
  expect(later.ask({ milli: 1, fee: 0, nonce: 7 }, NOON + 26 * HOUR)).toBe("E-RSK-011")
  const edge = new Node()
  expect(edge.ask({ milli: 900, fee: 0, nonce: 7 }, NOON)).toBe("")
  expect(edge.ask({ milli: 905, fee: 0, nonce: 7 }, NOON + 24 * HOUR)).toBe("")
})

test("explain says for each effect which entry covers it, or which condition does not hold", () => {
  expect(explainIntents(rules, request({ milli: 500, to: EVE }), NOON)).toEqual([
    "payload 1: evm/transaction on eip155:1",
    `  NOT covered: transfer 0.5 ETH to ${EVE} on eip155:1, fee at most 0.001 ETH`,
    "    payout: no, to does not hold",
    "  NOT covered: its fee",
  ])
  expect(explainIntents(rules, request({ milli: 500 }), NOON)).toEqual([
    "payload 1: evm/transaction on eip155:1",
    `  covered: transfer 0.5 ETH to ${BOB} (@exchange) on eip155:1, fee at most 0.001 ETH`,
    "    payout: covers it",
    "  covered: its fee",
  ])
  const { verdict } = evaluate(rules, request({ milli: 500 }), new RollingUsage(), NOON)
  expect(verdict.rules.find(({ rule }) => rule === "key_sign.allow")?.reason).toBe("covered by payout")
})

test("replay counts what payloads do", () => {
  const past = (n: number, milli: number): Past => ({
    request: { ...request({ milli, nonce: n }), taskId: `t${n}` },
    atMs: NOON + n,
    verdict: { action: "approve", code: "", reason: "", rules: [{ rule: "enable", outcome: "allow", reason: "" }] },
  })
  const replayed = replay(rules, [past(0, 600), past(1, 600), past(2, 300)], NOON)
  expect(replayed.map(({ now, changed }) => [now.code, changed])).toEqual([
    ["", false],
    ["E-RSK-011", true],
    ["", false],
  ])
})
