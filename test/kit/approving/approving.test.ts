/**
 * An approver's own program with a WaaS that lies: what it shows is what it read in the document, what it signs is what a node counts,
 * and what it could not verify it says.
 */
import { afterAll, describe, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { armorSshsig } from "../../../src/approvals/sshsig.ts"
import { type ApprovalStatement, readStatement, writeStatement } from "../../../src/approvals/statement.ts"
import { wordOn } from "../../../src/approvals/word.ts"
import { type Bytes, copy, toHex, utf8 } from "../../../src/bytes.ts"
import { sha256 } from "../../../src/crypto/frame.ts"
import { rootExtendedPublicKey } from "../../../src/keys/group.ts"
import { readApprovers } from "../../../src/kit/approving/approvers.ts"
import { statementFor } from "../../../src/kit/approving/desk.ts"
import { type HandedOut, readHandedOut } from "../../../src/kit/approving/reading.ts"
import { heardWords, signWord, takenBack } from "../../../src/kit/approving/sign.ts"
import { NO_INTENT_TABLE } from "../../../src/policy/intentTable.ts"
import { namesIn } from "../../../src/policy/names.ts"
import type { SshSigner } from "../../../src/signers/signer.ts"
import { DEFAULT_INTENT_SETTINGS, intentKeyOf, intentSettingsOf, readIntents } from "../../../src/tasks/intents.ts"
import { subjectOf } from "../../../src/tasks/subject.ts"
import { encodeTask, type KeySignTask, type Task, taskDigest } from "../../../src/wire/task.ts"
import { sshTestKey } from "../../support/approvers.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { world } from "../../tasks/fakes.ts"
import { EXCHANGE, k1Group, transfer, withoutPayload, withPayloads } from "../../tasks/payloads.ts"
import { self } from "../../tasks/scenario.ts"

const WORDS = `transfer 0.01 ETH to ${EXCHANGE} on eip155:1, fee at most 0.00063 ETH`
const ROOT = rootExtendedPublicKey(k1Group)
const EPOCH = toHex(k1Group.epochId)
const NOW_MS = 1_800_000_000_000
const payout = withPayloads(world(self))

const handed = (task: Task, changes: Partial<HandedOut> = {}): HandedOut => ({
  requestId: "request-1",
  document: encodeTask(task),
  epoch: EPOCH,
  awaited: "2 of treasury",
  signed: [],
  ...changes,
})
const read = (task: Task, roots: readonly string[] = [ROOT]) =>
  readHandedOut(handed(task), { settings: DEFAULT_INTENT_SETTINGS, roots })

const adaKey = sshTestKey("ssh-ed25519", "ada")
const bobKey = sshTestKey("ecdsa-sha2-nistp256", "bob")
const signerOf = (key: typeof adaKey): SshSigner => ({
  publicKey: copy(Buffer.from(key.line.split(" ")[1] ?? "", "base64")),
  sign: async (namespace, message) => key.sign(message, namespace),
  [Symbol.dispose]: () => undefined,
})

const folder = temporaryFolder("approving")
afterAll(() => folder[Symbol.dispose]())
const file = folder.at("approvers.toml")
writeFileSync(
  file,
  `[[approvers]]\nname = "ada"\nkey = "${adaKey.line}"\n[[approvers]]\nname = "bob"\nkey = "${bobKey.line}"\n`,
)
const { people } = readApprovers(file)

describe("a task is read from its document", () => {
  test("as a node reads it: the same subject, byte for byte", async () => {
    const document = encodeTask(payout)
    const intents = await readIntents(payout, intentKeyOf(ROOT), DEFAULT_INTENT_SETTINGS)
    if ("code" in intents) throw new Error(intents.message)
    const waiting = await read(payout)
    expect(waiting.subject).toEqual(subjectOf(payout, taskDigest(document), EPOCH, intents))
    expect(waiting).toMatchObject({ words: [WORDS], unverified: [], problem: undefined, task: payout })
    expect(waiting.subject).toMatchObject({ document: toHex(sha256(document)), epoch: EPOCH, reading: [WORDS] })
  })
  test("names of its own file are shown, and are no part of the statement", async () => {
    const table = { ...NO_INTENT_TABLE, addresses: [{ name: "exchange", chain: "eip155:1", address: EXCHANGE }] }
    const settings = intentSettingsOf(namesIn(table))
    const { words, subject } = await readHandedOut(handed(payout), { settings, roots: [ROOT] })
    expect(words).toEqual([WORDS.replace(EXCHANGE, `${EXCHANGE} (@exchange)`)])
    expect(subject.reading).toEqual([WORDS])
  })
  test("a digest without payload is what nobody can read", async () => {
    const { words, subject } = await read(withoutPayload(payout))
    expect(words).toEqual([`sign at m/44/60/0/0/0 what nobody can read: ${transfer().hash}`])
    expect(subject.intent).toBeUndefined()
  })
  test("a payload that is another than the digest cannot be read, and what WaaS adds is told", async () => {
    const lie: KeySignTask = { ...payout, payloads: [transfer({ value: 1n }).payload] }
    expect((await read(lie)).problem).toContain("E-INT-")
    const { unverified } = await read({ ...payout, extra_info: { note: "urgent" } })
    expect(unverified).toEqual([expect.stringContaining("extra_info")])
  })
  test("what WaaS says beside it is one line, and drives no terminal", async () => {
    const hostile = handed(payout, { awaited: "2 of treasury\n  transfer 0 ETH\u001b[3A\u202e" })
    const { awaited } = await readHandedOut(hostile, { settings: DEFAULT_INTENT_SETTINGS, roots: [ROOT] })
    expect(awaited).toBe("2 of treasury\\u{a}  transfer 0 ETH\\u{1b}[3A\\u{202e}")
  })
  test("another root key than the profile's is refused; without any it is said", async () => {
    await expect(read(payout, ["xpub-of-another"])).rejects.toMatchObject({ code: "E-CLI-032" })
    expect((await read(payout, [])).unverified).toEqual([expect.stringContaining("whose key it is")])
  })
  test("what is no task is refused", async () => {
    const document = utf8("{}")
    const refused = readHandedOut(handed(payout, { document }), { settings: DEFAULT_INTENT_SETTINGS, roots: [] })
    await expect(refused).rejects.toMatchObject({ code: "E-CLI-032" })
  })
})

const wordBy = (decision: "request" | "approve" | "reject" = "approve", approver = "ada", key = adaKey) =>
  read(payout).then((waiting) =>
    signWord(waiting, { decision, approver, signer: signerOf(key), people, nowMs: NOW_MS }),
  )

describe("a word", () => {
  test("counts at a node, and for this task alone", async () => {
    const waiting = await read(payout)
    const signed = await wordBy()
    expect(wordOn(signed, waiting.subject, people.approvers)).toMatchObject({
      statement: { decision: "approve", approver: "ada", notAfter: Math.floor(payout.deadline_ms / 1000) },
    })
    const another = await read({ ...payout, task_id: "task-3" })
    expect(wordOn(signed, another.subject, people.approvers)).toMatchObject({
      problem: expect.stringContaining("task"),
    })
  })
  test("has a nonce of its own, and a time that a far deadline does not stretch", async () => {
    const waiting = await read({ ...payout, deadline_ms: NOW_MS + 90 * 86_400_000 })
    const [one, two] = [1, 2].map(() => readStatement(statementFor(waiting, "approve", "ada", NOW_MS)))
    if (one === undefined || two === undefined || "problem" in one || "problem" in two) throw new Error("no statement")
    expect(one.nonce).not.toBe(two.nonce)
    expect(one.notAfter).toBe(NOW_MS / 1000 + 7 * 86_400)
  })
  test("with another key than the approvers file has does not leave", async () => {
    await expect(wordBy("approve", "ada", bobKey)).rejects.toMatchObject({ code: "E-CLI-049" })
    await expect(wordBy("approve", "eve")).rejects.toMatchObject({ code: "E-CLI-011" })
  })
  test("that the signer got wrong does not leave, without an approvers file either", async () => {
    const signer = { ...signerOf(adaKey), sign: async (_: string, message: Uint8Array) => adaKey.sign(message, "git") }
    const word = { decision: "approve", approver: "ada", signer, people: undefined, nowMs: NOW_MS } as const
    await expect(signWord(await read(payout), word)).rejects.toMatchObject({ code: "E-CLI-049" })
  })
  test("of others is told with what is known of it", async () => {
    const signed = [await wordBy("request"), await wordBy("approve", "bob", bobKey)]
    const [first] = signed
    if (first?.signature.kind !== "ssh") throw new Error("no word")
    const stated = readStatement(first.statement)
    if ("problem" in stated) throw new Error(stated.problem)
    const forged = { ...first, statement: writeStatement({ ...stated, approver: "bob" }) }
    const waiting = { ...(await read(payout)), signed: [...signed, forged, { ...first, statement: utf8("nothing") }] }
    const told = (of: typeof people | undefined) =>
      heardWords(waiting, of).map(({ stated: { decision, approver }, isVerified }) => [decision, approver, isVerified])
    expect(told(people)).toEqual([
      ["request", "ada", true],
      ["approve", "bob", true],
      ["request", "bob", false],
    ])
    expect(told(undefined).map(([, , isVerified]) => isVerified)).toEqual([undefined, undefined, undefined])
  })
})

describe("a word that was signed elsewhere", () => {
  const signedOf = (statement: Bytes, key = adaKey) => ({ statement, armored: armorSshsig(key.sign(statement)) })

  test("is taken back as it is", async () => {
    const waiting = await read(payout)
    const given = signedOf(statementFor(waiting, "approve", "ada", NOW_MS))
    const signed = takenBack(waiting, "approve", given, { people })
    expect(wordOn(signed, waiting.subject, people.approvers)).toHaveProperty("statement")
    const { publicKey } = signerOf(adaKey)
    expect(takenBack(waiting, "approve", given, { publicKey })).toEqual(signed)
  })
  test("is refused where it would not count", async () => {
    const waiting = await read(payout)
    const statement = statementFor(waiting, "approve", "ada", NOW_MS)
    const stated = readStatement(statement)
    if ("problem" in stated) throw new Error(stated.problem)
    const changed = (change: Partial<ApprovalStatement>) => signedOf(writeStatement({ ...stated, ...change }))
    const refused = (given: ReturnType<typeof signedOf>, decision: "approve" | "reject" = "approve") => {
      try {
        takenBack(waiting, decision, given, { people })
        return "taken"
      } catch (error) {
        return error instanceof Error ? error.message : ""
      }
    }
    expect(refused(signedOf(statement), "reject")).toContain("the statement says approve")
    expect(refused(signedOf(statement, bobKey))).toContain("made with another key")
    expect(refused(changed({ task: "task-3" }))).toContain("about another task")
    expect(refused(changed({ reading: ["transfer nothing"] }))).toContain("about another reading")
    expect(refused({ statement, armored: "no signature" })).toContain("no signature of ssh-keygen")
    expect(refused(signedOf(utf8("hello\n")))).toContain("no statement")
    expect(
      refused({ ...signedOf(statement), statement: writeStatement({ ...stated, nonce: "0".repeat(32) }) }),
    ).toContain("does not verify")
  })
})
