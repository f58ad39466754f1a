/** The approvals page without a browser: what it hands out, and what it refuses to send on. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import type { Approver } from "../../../src/approvals/approver.ts"
import { readStatement, writeStatement } from "../../../src/approvals/statement.ts"
import { utf8 } from "../../../src/bytes.ts"
import { readApprovers } from "../../../src/kit/approving/approvers.ts"
import { ORIGIN, type PasskeyTestKey, passkeyApprover, passkeyTestKey, sshApprover } from "../../support/approvers.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { PAYMENT, type PageRig, pageRig, waitingTask } from "./rig.ts"

const ada = passkeyApprover("ada")
const bob = passkeyApprover("bob", "EdDSA")
/** With a passkey of another page. */
const elsewhere: Approver = {
  name: "erin",
  keys: bob.approver.keys.map((key) =>
    key.kind === "passkey" ? { ...key, passkey: { ...key.passkey, origin: "https://other.example.com" } } : key,
  ),
}
let it: PageRig
beforeAll(async () => {
  it = await pageRig(ORIGIN)
  it.approvers = [ada.approver, sshApprover("carol").approver, elsewhere]
})
afterAll(() => it[Symbol.asyncDispose]())

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64")

/** A field of an answer's JSON. */
async function field(answer: Promise<Response>, name: string): Promise<string> {
  const value: unknown = Reflect.get(Object(await (await answer).json()), name)
  if (typeof value !== "string") throw new Error(`no ${name}`)
  return value
}

/** As the page's script sends it. */
function assertionOf({ signature }: ReturnType<typeof ada.sign>) {
  if (signature.kind !== "passkey") throw new Error("no passkey")
  const { credentialId, authenticatorData, clientDataJson, signature: bytes } = signature.assertion
  return {
    credential_id: base64(credentialId),
    authenticator_data: base64(authenticatorData),
    client_data_json: base64(clientDataJson),
    signature: base64(bytes),
  }
}

async function statementOf(decision = "approve") {
  const statement = await field(
    it.post("/statements", { request_id: "request-1", task: "task-1", decision, approver: "ada" }),
    "statement",
  )
  const stated = readStatement(utf8(statement))
  if ("problem" in stated) throw new Error(stated.problem)
  return { statement, stated }
}

const approve = (statement: string, assertion: object, id = "request-1") =>
  it.post("/approvals", { request_id: id, statement, assertion })

test("what waits is told in words, with those who can sign here", async () => {
  expect(await (await it.get("/tasks")).json()).toMatchObject({
    approvers: ["ada"],
    tasks: [{ request_id: "request-1", task: "task-1", words: [PAYMENT], problem: null }],
  })
})

test("a statement that a passkey signed is verified and sent as it is", async () => {
  const { statement, stated } = await statementOf()
  expect(stated).toMatchObject({ decision: "approve", approver: "ada", task: "task-1", reading: [PAYMENT] })
  const signed = ada.sign(stated)
  const answer = await approve(statement, assertionOf(signed))
  expect(await answer.json()).toMatchObject({ decision: "approve", approver: "ada" })
  expect(it.sent.at(-1)).toEqual(signed)
})

test("what does not count is not sent", async () => {
  const before = it.sent.length
  const { statement, stated } = await statementOf()
  const assertion = assertionOf(ada.sign(stated))
  const other = { ...stated, document: "00".repeat(32) }
  const byBob = { ...stated, approver: "bob" }
  const text = (of: typeof stated): string => Buffer.from(writeStatement(of)).toString()
  const refusals: readonly (readonly [answer: Promise<Response>, status: number, message: string])[] = [
    [approve(statement, assertionOf(bob.sign(stated))), 400, "another passkey"],
    [approve(statement, { ...assertion, signature: base64(new Uint8Array(70)) }), 400, "does not verify"],
    [approve(text(other), assertionOf(ada.sign(other))), 409, "not about this task"],
    [approve(text({ ...stated, task: "task-2" }), assertion), 404, "no task task-2"],
    [approve(text({ ...stated, nonce: "0".repeat(32) }), assertion), 400, "another statement"],
    [approve(text(byBob), assertionOf(bob.sign(byBob))), 404, "bob has no passkey"],
    [approve(`${statement} `, assertion), 400, "no statement"],
    [approve(statement, assertion, "request-2"), 502, "request request-2"],
    [it.post("/approvals", { request_id: "request-1", statement, assertion: {} }), 400, "credential_id is missing"],
    [it.post("/approvals", "{ }"), 400, "one form"],
    [
      it.post("/statements", { request_id: "request-1", task: "task-1", decision: "veto", approver: "ada" }),
      400,
      "not one of",
    ],
    [
      it.post("/statements", { request_id: "request-1", task: "task-1", decision: "approve", approver: "carol" }),
      404,
      "no passkey",
    ],
    [it.post("/nothing", {}), 404, "nothing of that name"],
    [it.get("/nothing"), 404, "nothing of that name"],
    [it.post("/statements", {}, { origin: "https://evil.example" }), 400, "another page asked"],
    [it.get("/tasks", { host: "evil.example" }), 421, "this page is"],
  ]
  for (const [asked, status, message] of refusals) {
    const answer = await asked
    expect([answer.status, await answer.text()]).toEqual([status, expect.stringContaining(message)])
  }
  expect(it.sent).toHaveLength(before)
})

test("what cannot be read can be rejected alone", async () => {
  it.tasks = [waitingTask({ problem: "E-INT-001 at data" })]
  const answer = await it.post("/statements", {
    request_id: "request-1",
    task: "task-1",
    decision: "approve",
    approver: "ada",
  })
  expect([answer.status, await answer.text()]).toEqual([409, expect.stringContaining("can only be rejected")])
  const { statement, stated } = await statementOf("reject")
  expect((await approve(statement, assertionOf(ada.sign(stated)))).status).toBe(200)
  const approval = { ...stated, decision: "approve" } as const
  const text = Buffer.from(writeStatement(approval)).toString()
  expect((await approve(text, assertionOf(ada.sign(approval)))).status).toBe(409)
  it.tasks = [waitingTask()]
})

/** What a device tells of a new credential (WebAuthn 6.5.1). */
function attestedData(key: PasskeyTestKey, flags = 0x45): Uint8Array {
  const head = ada.sign({ ...signedOf(), decision: "approve" })
  if (head.signature.kind !== "passkey") throw new Error("no passkey")
  const rp = head.signature.assertion.authenticatorData.subarray(0, 32)
  const length = Buffer.from([0, key.credentialId.length])
  return Buffer.concat([rp, Buffer.from([flags]), Buffer.alloc(4 + 16), length, key.credentialId, key.cose])
}

const signedOf = () => ({ ...waitingTask().subject, approver: "ada", notAfter: 1, nonce: "0".repeat(32) })

test("a new passkey shows that it signs, and its entry is told", async () => {
  for (const algorithm of ["ES256", "EdDSA"] as const) {
    const key = passkeyTestKey(algorithm)
    const made = { name: "dan", authenticator_data: base64(attestedData(key)) }
    const statement = await field(it.post("/registrations", made), "statement")
    expect(statement).toContain("cosigner passkey v1\nname: dan\n")
    const assertion = assertionOf({ statement: utf8(""), signature: key.sign(utf8(statement)) })
    const entry = await field(it.post("/registrations", { ...made, statement, assertion }), "entry")
    expect(entry).toContain(
      `[[approvers]]\nname = "dan"\ncredential_id = "${Buffer.from(key.credentialId).toString("base64url")}"`,
    )
    expect(entry).toContain(`public_key = "${Buffer.from(key.cose).toString("base64url")}"`)
    expect(it.entries.at(-1)).toBe(entry)
    using folder = temporaryFolder("entry")
    writeFileSync(folder.at("approvers.toml"), entry)
    const keys = readApprovers(folder.at("approvers.toml")).people.approvers.get("dan")?.keys
    const passkey = { credentialId: key.credentialId, rpId: "approvals.example.com", origin: ORIGIN }
    expect(keys).toMatchObject([{ kind: "passkey", passkey }])
    const wrong: readonly object[] = [
      { ...made, name: "eve", statement, assertion },
      { ...made, statement: statement.replace("nonce: ", "nonce: 0"), assertion },
      { ...made, statement, assertion: { ...assertion, signature: base64(new Uint8Array(64)) } },
      { ...made, authenticator_data: base64(attestedData(passkeyTestKey(algorithm, "another"))), statement, assertion },
      { ...made, authenticator_data: base64(attestedData(key, 0x05)) },
      { ...made, authenticator_data: base64(attestedData(key).subarray(0, -1)) },
      { ...made, authenticator_data: base64(attestedData(key).subarray(0, 50)) },
    ]
    for (const body of wrong) expect((await it.post("/registrations", body)).status).toBe(400)
  }
  expect(it.entries).toHaveLength(2)
})

test("the page names nothing outside itself, and answers carry what keeps them in it", async () => {
  const answer = await it.get("/")
  const html = await answer.text()
  // the name space of SVG is a name, not a place
  expect(html.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|\/\/[a-z]+\.|@import|url\(/)
  expect(html).not.toMatch(/\son[a-z]+\s*=\s*["']/)
  expect(html).not.toMatch(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function/)
  const csp = answer.headers.get("content-security-policy") ?? ""
  expect(csp).toContain("default-src 'none'")
  expect(csp).not.toMatch(/unsafe|\*|https?:|data:/)
  for (const tag of ["script", "style"]) {
    const [, text = ""] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html) ?? []
    expect(csp).toContain(`${tag}-src 'sha256-${new Bun.CryptoHasher("sha256").update(text).digest("base64")}'`)
    expect(html.split(`<${tag}`)).toHaveLength(2)
  }
  const tasks = await it.get("/tasks")
  for (const name of ["x-content-type-options", "referrer-policy", "cache-control", "content-security-policy"])
    expect(tasks.headers.get(name)).not.toBeNull()
})

test("what another site has a browser ask gets nothing, and uses up nothing of what people may ask", async () => {
  it.stepMs = 0
  for (let i = 0; i < 70; i++) expect((await it.get("/tasks", { "sec-fetch-site": "cross-site" })).status).toBe(403)
  // a link to the page, or a picture of it, costs WaaS nothing
  for (let i = 0; i < 70; i++) expect((await it.get("/", { "sec-fetch-site": "cross-site" })).status).toBe(200)
  expect((await it.get("/tasks", { "sec-fetch-site": "same-origin" })).status).toBe(200)
  it.stepMs = 1000
})

test("more than the page answers is refused", async () => {
  it.stepMs = 0
  const answers = await Promise.all(Array.from({ length: 61 }, () => it.get("/nothing")))
  expect(answers.map(({ status }) => status)).toContain(429)
  it.stepMs = 1000
  expect((await it.get("/nothing")).status).toBe(404)
})
