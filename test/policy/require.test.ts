/** require: when approvals are needed, whose words fulfil it, and that no second entry, no splitting and no doubt waives it. */
import { describe, expect, test } from "bun:test"
import { checkConfig } from "../../src/config/load.ts"
import { CosignerError } from "../../src/errors.ts"
import type { Effect } from "../../src/intent/reading.ts"
import type { Awaited, Decision } from "../../src/policy/decision.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import { lint } from "../../src/policy/lint.ts"
import { NOBODY, type Presented } from "../../src/policy/people.ts"
import type { KeySignRequest, PolicyRequest } from "../../src/policy/request.ts"
import { RollingUsage } from "../../src/policy/rollingUsage.ts"
import { type PasskeyTestKey, passkeyTestKey, sshTestKey } from "../support/approvers.ts"
import { ALICE, BOB, CAROL, ETH } from "./intentSamples.ts"
import { NOW, noUsage, signRequest } from "./samples.ts"

const KEYS = { ada: sshTestKey("ssh-ed25519").line, bea: sshTestKey("ecdsa-sha2-nistp256").line }
const passkey = passkeyTestKey("ES256")
const edPasskey = passkeyTestKey("EdDSA")
const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url")
const passkeyOf = (name: string, { credentialId, cose }: PasskeyTestKey): string => `[[approvers]]
name = "${name}"
credential_id = "${b64(credentialId)}"
public_key = "${b64(cose)}"
rp_id = "approvals.example.com"
origin = "https://approvals.example.com"
`
const PEOPLE = `
[[approvers]]
name = "ada"
key = "${KEYS.ada}"
[[approvers]]
name = "bea"
key = "${KEYS.bea}"
${passkeyOf("cy", passkey)}[[approver_groups]]
name = "treasury"
members = ["ada", "bea", "cy"]
[[approver_groups]]
name = "board"
members = ["bea", "cy"]
`
const toml = (entries: string, people = PEOPLE, more = "") => `${people}
[[intent.addresses]]
name = "exchange"
chain = "eip155:1"
address = "${CAROL}"
[embedded_risk_control_rules]
enable = true
[embedded_risk_control_rules.key_gen]
reject_all = false
allow_list = [{ threshold = 2, node_ids = ["n1", "n2"] }]
[[embedded_risk_control_rules.key_gen.require]]
group = "board"
min = 1
[embedded_risk_control_rules.key_sign]
reject_all = false
${more}
${entries}`
const rulesOf = (text: string) => checkConfig(text, "people.toml").config.embedded_risk_control_rules
const entry = (lines: string) => `[[embedded_risk_control_rules.key_sign.require]]\n${lines}\n`

const said = (
  request: readonly string[],
  approve: readonly string[] = [],
  reject: readonly string[] = [],
): Presented => ({ requestedBy: new Set(request), approvedBy: new Set(approve), rejectedBy: new Set(reject) })

function payments(...milli: readonly number[]): KeySignRequest {
  const path = [44, 60, 0, 0, 5]
  const intents = milli.map((much, i) => {
    const effect: Effect = { kind: "transfer", from: ALICE, to: BOB, asset: ETH, amount: BigInt(much) * 10n ** 15n }
    const reading = {
      format: "evm/transaction" as const,
      chain: "eip155:1",
      from: [ALICE],
      effects: [effect],
      fee: { max: 10n ** 15n, asset: ETH, unbounded: false },
      nonce: `${i}`,
      signs: [{ path, bytes: new Uint8Array(32) }],
    }
    return { reading, accounts: new Map() }
  })
  return signRequest({ intents, messages: milli.map((_, payload) => ({ path, hash: "0x", payload })) })
}
const blind = signRequest({ intents: [], messages: [{ path: [44, 60, 0, 0, 5], hash: "0x" }] })

const answers = (rules: ReturnType<typeof rulesOf>, request: PolicyRequest, presented = NOBODY, usage = noUsage) =>
  evaluate(rules, request, usage, NOW, presented)
const outcome = ({ verdict, awaits }: Decision): string =>
  verdict.action === "approve" ? "approve" : awaits === undefined ? "reject" : "waits"
const missing = ({ awaits = [] }: Decision): readonly string[] =>
  awaits.map((one: Awaited) =>
    one.kind === "request" ? "request" : `${one.min} of ${one.group}, has ${one.by.join(" ")}`,
  )

describe("two of treasury for everything", () => {
  const rules = rulesOf(toml(entry('group = "treasury"\nmin = 2')))
  const cases: readonly (readonly [string, Presented, string, readonly string[]])[] = [
    ["nobody", NOBODY, "waits", ["request", "2 of treasury, has "]],
    ["only the asker", said(["ada"]), "waits", ["2 of treasury, has "]],
    ["the asker and one", said(["ada"], ["bea"]), "waits", ["2 of treasury, has bea"]],
    ["the asker twice over", said(["ada"], ["ada", "bea"]), "waits", ["2 of treasury, has bea"]],
    ["two, and nobody asked", said([], ["ada", "bea"]), "waits", ["request"]],
    [
      "two askers, both of whom approve",
      said(["ada", "bea"], ["ada", "bea", "cy"]),
      "waits",
      ["2 of treasury, has cy"],
    ],
    ["two and an asker", said(["ada"], ["bea", "cy"]), "approve", []],
    ["an asker from outside the group", said(["zoe"], ["ada", "bea"]), "approve", []],
    ["strangers", said(["ada"], ["zoe", "yan", "xia"]), "waits", ["2 of treasury, has "]],
    ["one rejects", said(["ada"], ["bea", "cy"], ["ada"]), "reject", []],
    ["a stranger rejects", said(["ada"], ["bea", "cy"], ["zoe"]), "approve", []],
  ]
  for (const [name, presented, wanted, still] of cases) {
    test(name, () => {
      for (const request of [payments(1), blind]) {
        const decision = answers(rules, request, presented)
        expect([outcome(decision), missing(decision)]).toEqual([wanted, still])
        if (wanted !== "approve") expect(decision.verdict.code).toBe("E-RSK-024")
      }
    })
  }
  test("a veto is told apart from what is missing", () => {
    expect(answers(rules, blind, said(["ada"], [], ["bea"])).vetoed).toContain("rejected by bea")
    expect(answers(rules, blind, said(["ada"], [])).vetoed).toBeUndefined()
  })
})

describe("what else refuses", () => {
  test("a task that another rule refuses waits for nobody", () => {
    const rules = rulesOf(toml(entry('group = "treasury"\nmin = 2'), PEOPLE, "blind_paths = []\nallow = []"))
    expect(outcome(answers(rules, payments(1)))).toBe("reject")
    expect(outcome(answers(rules, payments(1), said(["ada"], ["bea", "cy"])))).toBe("reject")
  })
  test("all that apply must hold: no second entry waives the first, and no allow entry", () => {
    const rules = rulesOf(
      toml(`${entry('group = "treasury"\nmin = 2')}${entry('group = "board"\nmin = 1\nname = "always"')}`),
    )
    const decision = answers(rules, payments(1), said(["zoe"], ["ada"]))
    expect(missing(decision)).toEqual(["1 of board, has ", "2 of treasury, has ada"])
    expect(outcome(answers(rules, payments(1), said(["zoe"], ["ada", "bea"])))).toBe("approve")
  })
  test("a group that does not exist, and a name that stands for nothing, are refusals", () => {
    expect(
      outcome(answers(rulesOf(toml(entry('group = "trasury"\nmin = 2'))), blind, said(["ada"], ["bea", "cy"]))),
    ).toBe("reject")
    const broken = rulesOf(toml(entry('group = "treasury"\nmin = 2\nto = ["@nowhere"]')))
    expect(answers(broken, blind, said(["ada"], ["bea", "cy"])).verdict.code).toBe("E-RSK-023")
  })
})

describe("above", () => {
  const rules = rulesOf(toml(entry('group = "treasury"\nmin = 1\nabove = "1 ETH"')))
  test("compares the sum of the task, fees included, and not single payloads", () => {
    expect(outcome(answers(rules, payments(999)))).toBe("approve")
    expect(outcome(answers(rules, payments(1000)))).toBe("waits")
    expect(outcome(answers(rules, payments(400, 400)))).toBe("approve")
    expect(outcome(answers(rules, payments(600, 600)))).toBe("waits")
    expect(outcome(answers(rules, payments(600, 600), said(["ada"], ["bea"])))).toBe("approve")
  })
  test("what nobody can read is above everything, beside what can be read too", () => {
    expect(outcome(answers(rules, blind))).toBe("waits")
    const { messages, intents } = payments(1)
    expect(outcome(answers(rules, signRequest({ intents, messages: [...messages, ...blind.messages] })))).toBe("waits")
  })
  test("keeps no counter without a window", () => {
    expect(answers(rules, payments(1)).debits).toEqual([])
  })
  test("with a window splitting evades nothing, and what was approved counts", () => {
    const windowed = rulesOf(toml(entry('group = "treasury"\nmin = 1\nabove = "1 ETH"\nwindow = "24h"')))
    const usage = new RollingUsage()
    const ask = (n: number, presented = NOBODY, atMs = NOW): string => {
      const decision = evaluate(windowed, payments(n), usage, atMs, presented)
      if (decision.verdict.action === "approve")
        usage.debit(`task ${usage.sum.length} ${atMs} ${n}`, atMs, decision.debits)
      return outcome(decision)
    }
    expect(ask(500)).toBe("approve")
    const second = evaluate(windowed, { ...payments(500), intents: payments(1, 500).intents.slice(1) }, usage, NOW + 1)
    expect(outcome(second)).toBe("waits")
    const large = evaluate(windowed, payments(5000), usage, NOW + 2, said(["ada"], ["bea"]))
    expect(outcome(large)).toBe("approve")
    expect(large.debits.length).toBeGreaterThan(0)
    expect(ask(500, NOBODY, NOW + 25 * 3_600_000)).toBe("approve")
  })
  test("a window counts what the entry does not match: a sum is not evaded by splitting it into tasks of which one matches", () => {
    const elsewhere = rulesOf(
      toml(entry('group = "treasury"\nmin = 1\nabove = "1 ETH"\nwindow = "24h"\nto = ["@exchange"]')),
    )
    const first = evaluate(elsewhere, payments(900), noUsage, NOW)
    expect(outcome(first)).toBe("approve")
    const usage = new RollingUsage()
    usage.debit("first", NOW, first.debits)
    const second = payments(1, 200)
      .intents.slice(1)
      .map((intent) => ({
        ...intent,
        reading: { ...intent.reading, effects: intent.reading.effects.map((one) => ({ ...one, to: CAROL })) },
      }))
    expect(outcome(evaluate(elsewhere, { ...payments(200), intents: second }, usage, NOW + 1))).toBe("waits")
  })
})

describe("conditions", () => {
  test("only what they match needs approvals", () => {
    const rules = rulesOf(toml(entry('group = "treasury"\nmin = 1\nto = ["@exchange"]')))
    expect(outcome(answers(rules, payments(1)))).toBe("approve")
    const elsewhere = rulesOf(toml(entry(`group = "treasury"\nmin = 1\nto = ["${BOB}"]`)))
    expect(outcome(answers(elsewhere, payments(1)))).toBe("waits")
    expect(outcome(answers(rules, blind))).toBe("waits")
    const paths = rulesOf(toml(entry('group = "treasury"\nmin = 1\npaths = ["m/84/**"]')))
    expect(outcome(answers(paths, blind))).toBe("approve")
  })
})

describe("initiators, where the node knows approvers", () => {
  const allow = (who: string) => `[[embedded_risk_control_rules.key_sign.allow]]
name = "payout"
effects = ["transfer"]
assets = ["ETH"]
max_fee = ["any"]
initiators = ["${who}"]
`
  test("is who signed, and not what WaaS says; a task that lacks that word alone waits for it", () => {
    const rules = rulesOf(toml(allow("ada")))
    const request = { ...payments(1), extraInfo: { transaction: { initiator: "ada" } } }
    expect([outcome(answers(rules, request)), missing(answers(rules, request))]).toEqual(["waits", ["request"]])
    expect(outcome(answers(rules, request, said(["ada"])))).toBe("approve")
    expect(outcome(answers(rules, request, said(["bea"])))).toBe("reject")
    expect(outcome(answers(rules, request, said(["ada", "bea"])))).toBe("reject")
    expect(outcome(answers(rules, request, said([], ["ada"])))).toBe("waits")
  })
  test("a task that nobody could ask for is refused at once", () => {
    const rules = rulesOf(toml(allow("ada").replace("ETH", "BTC")))
    expect(outcome(answers(rules, payments(1)))).toBe("reject")
  })
  test("in a deny entry one is enough, and until somebody signed the task waits", () => {
    const rules = rulesOf(
      toml(
        '[[embedded_risk_control_rules.key_sign.deny]]\nname = "never"\ninitiators = ["ada"]\neffects = ["transfer"]\n',
      ),
    )
    expect(outcome(answers(rules, payments(1)))).toBe("waits")
    expect(outcome(answers(rules, payments(1), said(["bea"])))).toBe("approve")
    expect(outcome(answers(rules, payments(1), said(["ada", "bea"])))).toBe("reject")
  })
  test("without approvers it is WaaS's word, as before", () => {
    const rules = rulesOf(
      toml(allow("ada"), "").replace(/\[\[embedded_risk_control_rules.key_gen.require\]\][^[]*/, ""),
    )
    const request = { ...payments(1), extraInfo: { transaction: { initiator: "ada" } } }
    expect(outcome(answers(rules, request))).toBe("approve")
    expect(outcome(answers(rules, payments(1)))).toBe("reject")
  })
})

test("key generation asks people too", () => {
  const rules = rulesOf(toml(""))
  const request: PolicyRequest = {
    type: "key_gen",
    taskId: "t",
    extraInfo: {},
    groupId: "AbcdefghijklmnopqrsT",
    curve: "secp256k1",
    threshold: 2,
    nodeIds: ["n1", "n2"],
  }
  expect(missing(answers(rules, request))).toEqual(["request", "1 of board, has "])
  expect(outcome(answers(rules, request, said(["ada"], ["cy"])))).toBe("approve")
  expect(outcome(answers(rules, request, said(["cy"], ["ada"])))).toBe("waits")
})

describe("the file", () => {
  const problemOf = (text: string): string => {
    try {
      checkConfig(text, "people.toml")
      return ""
    } catch (error) {
      if (error instanceof CosignerError) return error.message
      throw error
    }
  }
  test("refuses keys that are none, names twice, one key under two names, and parts of a passkey", () => {
    const person = (name: string, key: string) => `[[approvers]]\nname = "${name}"\nkey = "${key}"\n`
    expect(problemOf(person("ada", KEYS.ada))).toBe("")
    expect(problemOf(person("ada", "ssh-rsa AAAA"))).toContain(".pub file")
    expect(problemOf(person("Ada L", KEYS.ada))).toContain("approvers[0].name")
    expect(problemOf(person("ada", KEYS.ada) + person("ada", KEYS.bea))).toContain("a name of its own")
    expect(problemOf(person("ada", KEYS.ada) + person("bea", `${KEYS.ada} again`))).toContain("keys of nobody else")
    const blob = Buffer.concat([
      Buffer.from("\0\0\0\x0bssh-ed25519\0\0\0\x20"),
      edPasskey.cose.subarray(edPasskey.cose.length - 32),
    ])
    const both = `${person("ada", `ssh-ed25519 ${blob.toString("base64")}`)}${passkeyOf("bea", edPasskey)}`
    expect(problemOf(both)).toContain("keys of nobody else")
    expect(problemOf('[[approvers]]\nname = "ada"\n')).toContain("a public key, or all of")
    expect(problemOf(`${person("ada", KEYS.ada)}rp_id = "x.example.com"\n`)).toContain("all of")
    expect(problemOf(PEOPLE.replace('"https://approvals.example.com"', '"https://approvals.example.com/x"'))).toContain(
      "scheme, host and port alone",
    )
    expect(problemOf(toml(entry('group = "treasury"\nmin = 2\nwindow = "1h"')))).toContain("above")
    expect(problemOf(toml(entry('group = "treasury"\nmin = 0')))).toContain("min")
    expect(problemOf(toml(`${entry('group = "treasury"\nmin = 2')}${entry('group = "treasury"\nmin = 2')}`))).toContain(
      "a name of its own",
    )
  })
  test("is linted: groups and members that do not exist, numbers that nobody reaches", () => {
    const found = (text: string) =>
      lint(rulesOf(text)).map(({ severity, where, what }) => `${severity} ${where} ${what}`)
    const has = (text: string, part: string) => expect(found(text).join("\n")).toContain(part)
    has(toml(entry('group = "trasury"\nmin = 2')), "error key_sign.require.trasury-2 no group is called trasury")
    has(toml(entry('group = "treasury"\nmin = 4')), "4 can never approve")
    has(toml(entry('group = "board"\nmin = 2')), "warning key_sign.require.board-2 all of board must approve")
    has(toml(entry('group = "treasury"\nmin = 2\nabove = "1 XYZ"')), "every task is an error")
    has(toml("", PEOPLE.replace('"cy"]', '"zoe"]')), "error approver_groups.treasury no approver is called zoe")
    expect(found(toml(entry('group = "treasury"\nmin = 2'))).join("\n")).not.toContain("require")
  })
})

test("initiators that no approver is called are an error of lint, where there are approvers", () => {
  const allow =
    '[[embedded_risk_control_rules.key_sign.allow]]\nname = "payout"\neffects = ["transfer"]\ninitiators = ["ada", "zoe"]\n'
  const found = (people: string) =>
    lint(rulesOf(toml(allow, people).replace(/\[\[embedded_risk_control_rules.key_gen.require\]\][^[]*/, "")))
      .filter(({ what }) => what.includes("initiators"))
      .map(({ where, what }) => `${where} ${what}`)
  expect(found(PEOPLE)).toEqual(["key_sign.allow.payout initiators: no approver is called zoe"])
  expect(found("")).toEqual([])
})
