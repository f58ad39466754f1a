/**
 * From a task's payload through this node's reading to its rules, the way the daemon wires it: what a WaaS leaves out, adds or
 * spells otherwise never passes a rule that the payload itself would not.
 */
import { describe, expect, test } from "bun:test"
import { ethereumAddress } from "../../src/keys/addresses.ts"
import { deriveTweak } from "../../src/keys/derive.ts"
import { rootExtendedPublicKey } from "../../src/keys/group.ts"
import { NO_USAGE } from "../../src/policy/decision.ts"
import { checkRules } from "../../src/policy/schema.ts"
import { intentKeyOf, intentSettingsOf, isUnread, readIntents } from "../../src/tasks/intents.ts"
import { judge } from "../../src/tasks/policyRequest.ts"
import { decodeTask, encodeTask, type KeySignTask } from "../../src/wire/task.ts"
import { EXCHANGE, k1Group, PATH, readingNode, transfer, withoutPayload, withPayloads } from "./payloads.ts"

const RULES = {
  enable: true,
  key_sign: {
    reject_all: false,
    blind_paths: ["m/86/0/0/*"],
    allow: [
      {
        name: "payout",
        effects: ["transfer"],
        assets: ["ETH"],
        to: [EXCHANGE, "@own:m/44/60/0/0/*"],
        max_amount: ["1 ETH"],
        max_fee: ["0.02 ETH"],
        paths: ["m/44/60/0/0/*"],
      },
    ],
  },
}

/** The verdict of a node with these rules, or the code of the problem with the payload. */
async function verdictOn(task: KeySignTask): Promise<string> {
  const checked = checkRules(RULES)
  if (!checked.ok) throw new Error(JSON.stringify(checked))
  const { rules } = checked
  const read = decodeTask(encodeTask(task))
  if ("problem" in read || read.type !== "KeySign") throw new Error("a KeySign")
  const intents = await readIntents(read, intentKeyOf(rootExtendedPublicKey(k1Group)), intentSettingsOf(rules.names))
  if (isUnread(intents)) return intents.code
  const { verdict } = judge(rules, read, k1Group, NO_USAGE, read.created_ms, intents)
  return verdict.action === "approve" ? "approve" : verdict.code
}

const { w } = readingNode()
const forTransfer = (one = transfer(), more: Partial<KeySignTask> = {}): KeySignTask =>
  withPayloads(w, {
    payloads: [one.payload],
    messages: [{ bip32_path: PATH, msg_hash: one.hash, tweak: "", payload: 0 }],
    ...more,
  })

const ownAddress = (index: number): string => {
  const [root = new Uint8Array(0)] = k1Group.commitments
  return ethereumAddress(deriveTweak("secp256k1", root, k1Group.chainCode, [44, 60, 0, 0, index]).publicKey)
}

describe("the entry covers", () => {
  test("its transfer", async () => expect(await verdictOn(forTransfer())).toBe("approve"))
  test("a transfer to an address of this key, recognised by deriving it", async () =>
    expect(await verdictOn(forTransfer(transfer({ to: ownAddress(17) })))).toBe("approve"))
  test("two of them in one task", async () => {
    const [a, b] = [transfer(), transfer({ nonce: 8 })]
    const messages = [a, b].map(({ hash }, payload) => ({ bip32_path: PATH, msg_hash: hash, tweak: "", payload }))
    expect(await verdictOn(forTransfer(a, { payloads: [a.payload, b.payload], messages }))).toBe("approve")
  })
})

describe("refused", () => {
  const stranger = `0x${"11".repeat(20)}`
  const cases: readonly (readonly [string, string, () => KeySignTask])[] = [
    ["another destination", "E-RSK-018", () => forTransfer(transfer({ to: stranger }))],
    [
      "an address of this key on a path that was not tried",
      "E-RSK-018",
      () => forTransfer(transfer({ to: ownAddress(5000) })),
    ],
    ["more than the entry allows", "E-RSK-018", () => forTransfer(transfer({ value: 10n ** 18n + 1n }))],
    [
      "a destination changed after the digest was made",
      "E-INT-005",
      () => forTransfer({ ...transfer({ to: stranger }), hash: transfer().hash }),
    ],
    ["the payload left out", "E-RSK-021", () => withoutPayload(forTransfer())],
    [
      "a message without payload in a batch",
      "E-RSK-021",
      () =>
        forTransfer(transfer(), {
          messages: [
            { bip32_path: PATH, msg_hash: transfer().hash, tweak: "", payload: 0 },
            { bip32_path: PATH, msg_hash: transfer({ to: stranger }).hash, tweak: "" },
          ],
        }),
    ],
    [
      "a blind message on a path that has no permission for it, beside one that has",
      "E-RSK-021",
      () => ({
        ...withoutPayload(forTransfer()),
        messages: ["m/86/0/0/1", PATH].map((bip32_path) => ({
          bip32_path,
          msg_hash: `0x${"33".repeat(32)}`,
          tweak: "",
        })),
      }),
    ],
    ["the right transaction of another chain", "E-INT-004", () => forTransfer(transfer({ chainId: 137 }))],
    [
      "a test network's name for it",
      "E-INT-013",
      () => forTransfer(transfer(), { extra_info: { transaction: { chain_id: "SETH" } } }),
    ],
    [
      "another transaction in the vendor's place",
      "E-INT-012",
      () =>
        forTransfer(transfer(), {
          extra_info: { transaction: { raw_tx_info: { unsigned_raw_tx: transfer({ to: stranger }).raw } } },
        }),
    ],
    [
      "words that name the exchange, and a payload that does not",
      "E-INT-014",
      () =>
        forTransfer(transfer({ to: stranger }), {
          extra_info: { transaction: { destination: { account_output: { address: EXCHANGE } } } },
        }),
    ],
  ]
  for (const [what, code, make] of cases) test(what, async () => expect(await verdictOn(make())).toBe(code))
})

test("a blind path is signed without payload, and only that", async () => {
  const blind: KeySignTask = {
    ...withoutPayload(forTransfer()),
    messages: [{ bip32_path: "m/86/0/0/1", msg_hash: `0x${"33".repeat(32)}`, tweak: "" }],
  }
  expect(await verdictOn(blind)).toBe("approve")
})

test("another spelling of a path never reaches a rule", () => {
  for (const path of [" m/44/60/0/0/0", "44/60/0/0/0", "/m/44/60/0/0/0", "m/44/60/0/0/00", "m//44/60/0/0/0"]) {
    const task = forTransfer()
    const messages = task.messages.map((message) => ({ ...message, bip32_path: path }))
    const document = new TextEncoder().encode(JSON.stringify({ ...task, messages }))
    expect(decodeTask(document)).toMatchObject({ problem: expect.stringContaining("bip32_path") })
  }
})
