/** Policies as files, for people: made, signed, verified and compared without a node. */
import { afterAll, expect, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { armorSshsig } from "../../src/approvals/sshsig.ts"
import { utf8 } from "../../src/bytes.ts"
import type { Store } from "../../src/store/store.ts"
import { rsaKey } from "../ops/admin/rig.ts"
import { sshTestKey } from "../support/approvers.ts"
import { Home, ID } from "../support/nodeHome.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { cli } from "./world.ts"

const dir = temporaryFolder("policy-bundle")
afterAll(() => dir[Symbol.dispose]())
const KEYS = { alice: sshTestKey("ssh-ed25519"), bob: sshTestKey("ssh-ed25519") }
const pem = dir.at("server.pem")
writeFileSync(
  pem,
  generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey.export({ format: "pem", type: "spki" }),
)

const draft = (version: number, batch: number, more = ""): string => {
  const file = dir.at(`policy${version}.toml`)
  const people = Object.entries(KEYS).map(([name, { line }]) => `[[approvers]]\nname = "${name}"\nkey = "${line}"\n`)
  writeFileSync(
    file,
    `[bundle]\nversion = ${version}\nowners = "owners"\nmin = 2\ndelay = "24h"\n[embedded_risk_control_rules]\nenable = true
[embedded_risk_control_rules.key_sign]\nreject_all = false\nmax_batch = ${batch}\n[[approver_groups]]\nname = "owners"\nmembers = ["alice", "bob"]
${people.join("")}[[callback.cb_server_v2]]\nservice_address = "https://risk.example.com/v2/check"\npubkey_path = "${pem}"\n${more}`,
  )
  return file
}
const policy = async (...words: readonly string[]) => {
  const { exit, stdout, stderr } = await cli(["policy", ...words, "--json"])
  return {
    exit,
    answer: stdout === "" ? undefined : JSON.parse(stdout),
    code: /E-[A-Z]{3}-\d{3}/.exec(stderr + stdout)?.[0],
  }
}
async function signed(file: string, name: keyof typeof KEYS, namespace = "cosigner-policy") {
  const { answer } = await policy("bundle", "sign", file, "--as", name)
  const signature = dir.at(`${name}.sig`)
  writeFileSync(signature, armorSshsig(KEYS[name].sign(utf8(answer.document), namespace)))
  return policy("bundle", "sign", file, "--as", name, "--signature", signature)
}

test("from a draft to a bundle that enough owners signed, and what the next one changes", async () => {
  const first = dir.at("first.bundle")
  expect(await policy("bundle", "make", draft(1, 4), "--out", first)).toMatchObject({ exit: 0, answer: { version: 1 } })
  // what it names is in it
  expect(readFileSync(first, "utf8")).toContain("-----BEGIN PUBLIC KEY-----")
  expect((await policy("bundle", "make", draft(1, 4), "--out", first)).code).toBe("E-CLI-009")
  const absent = dir.at("absent")
  expect((await policy("bundle", "sign", first, "--as", "alice", "--signature", absent)).code).toBe("E-CLI-002")
  const { stderr } = await cli(["policy", "bundle", "verify", absent])
  expect(stderr).toContain("no policy bundle that can be used: there is no such file")
  for (const words of [
    ["freeze", "--signed", absent],
    ["client", "order", absent],
  ]) {
    expect((await cli(words)).stderr).toContain("E-CLI-002")
  }
  expect((await policy("bundle", "verify", first)).exit).toBe(5)
  expect((await signed(first, "alice", "cosigner-approval")).code).toBe("E-POL-001")
  expect(await signed(first, "alice")).toMatchObject({ exit: 0, answer: { signatures: ["alice"] } })
  expect(await signed(first, "alice")).toMatchObject({ answer: { signatures: ["alice"] } })
  expect(await policy("bundle", "verify", first)).toMatchObject({ exit: 5, answer: { signed: ["alice"], needed: 2 } })
  await signed(first, "bob")
  expect(await policy("bundle", "verify", first)).toMatchObject({ exit: 0, answer: { enough: true } })

  const next = dir.at("next.bundle")
  await policy(
    "bundle",
    "make",
    draft(
      2,
      40,
      '[[callback.cb_server_v2]]\nservice_address = "https://second.example.com/v2/check"\npubkey_path = "' +
        pem +
        '"\n',
    ),
    "--out",
    next,
  )
  const { answer } = await policy("diff", first, next)
  expect(answer.loosens).toBe(true)
  expect(
    answer.changes.map(({ where, tendency }: { where: string; tendency: string }) => `${where} ${tendency}`),
  ).toEqual([
    "embedded_risk_control_rules.key_sign.max_batch loosens",
    "callback.cb_server_v2[https://second.example.com/v2/check] tightens",
  ])
  expect((await policy("diff", next, next)).answer).toMatchObject({ changes: [], loosens: false })
  expect((await cli(["policy", "diff", first, next])).stdout).toContain(
    "LOOSENS   embedded_risk_control_rules.key_sign.max_batch: 4 -> 40",
  )
})

test("a draft that no node could follow makes no bundle", async () => {
  const out = dir.at("bad.bundle")
  const text = readFileSync(draft(3, 4), "utf8")
  for (const bad of [
    text.replace('owners = "owners"', 'owners = "nobody"'),
    text.replace("min = 2", "min = 3"),
    text.replace(pem, "/nowhere.pem"),
    text.replace("max_batch = 4", "required_node_ids = []"),
    text.replace("max_batch = 4", "max_bach = 4"),
    `${text}[status]\nenable = true\n`,
    `${text}[[operation_approvals]]\nfor = ["restore"]\ngroup = "nobody"\nmin = 1\n`,
    `${text}[[operation_approvals]]\nfor = ["restore"]\ngroup = "owners"\nmin = 3\n`,
  ]) {
    writeFileSync(dir.at("bad.toml"), bad)
    const { exit } = await policy("bundle", "make", dir.at("bad.toml"), "--out", out)
    expect(exit).not.toBe(0)
  }
  expect(await Bun.file(out).exists()).toBe(false)
})

test("on a node it is said which tasks of the journal would have ended otherwise", async () => {
  using home = new Home()
  home.create(1, rsaKey).close()
  const node = ["--db", home.db, "--key-file", home.keyFile]
  expect((await cli(["share-sign", "--group-id", ID(0), "--message", "hello", ...node])).exit).toBe(0)
  const section = (shut: boolean) => `[embedded_risk_control_rules.key_share_sign]\nreject_all = ${shut}\n`
  const [open, shut] = [dir.at("open.bundle"), dir.at("shut.bundle")]
  await policy("bundle", "make", draft(4, 4, section(false)), "--out", open)
  await policy("bundle", "make", draft(5, 4, section(true)), "--out", shut)
  const { answer } = await policy("diff", open, shut, "--since", "30d", ...node)
  expect(answer).toMatchObject({
    loosens: false,
    tasks: [{ was: "approve", is: expect.stringContaining("E-RSK-003") }],
  })
  expect((await policy("diff", open, open, "--since", "30d", ...node)).answer).toMatchObject({ tasks: [] })
})

test("a file of somebody's signature that is not there is the caller's mistake, and no bug", async () => {
  const bundle = dir.at("unsigned.bundle")
  expect((await policy("bundle", "make", draft(1, 4), "--out", bundle)).exit).toBe(0)
  const missing = dir.at("missing")
  const commands = [
    ["policy", "bundle", "sign", bundle, "--as", "alice", "--signature", missing],
    ["freeze", "--signed", missing],
    ["client", "order", missing],
  ]
  for (const words of commands) {
    const { exit, stderr } = await cli(words)
    expect({ exit, stderr }).toEqual({ exit: 1, stderr: expect.stringContaining("E-CLI-002") })
    expect(stderr).toContain("a file that can be read")
  }
})

test("share-sign without a node obeys the policy that the database follows and what waits beside it, whatever file is given", async () => {
  const document = (isShut: boolean): string =>
    '[bundle]\nversion = 1\nowners = "owners"\nmin = 1\ndelay = "24h"\n[embedded_risk_control_rules]\nenable = true\n' +
    `[embedded_risk_control_rules.key_share_sign]\nreject_all = ${isShut}\n`
  const bundle = (version: number, isShut: boolean) => {
    return { version, digest: "aa".repeat(32), document: document(isShut), owners: ["alice"] }
  }
  using home = new Home()
  home.create(1, rsaKey).close()
  const node = ["--db", home.db, "--key-file", home.keyFile]
  const said = async () => {
    const { stderr } = await cli(["share-sign", "--group-id", ID(0), "--message", "hello", ...node])
    return /E-[A-Z]+-\d{3}/.exec(stderr)?.[0] ?? "none"
  }
  const change = (what: (store: Store) => void): void => {
    using store = home.open()
    what(store)
  }
  change((store) => store.policies.adopt(bundle(1, false), 1))
  expect(await said()).toBe("none")
  change((store) => void store.policies.wait(bundle(2, true), 1000, false, 1))
  expect(await said()).toBe("E-BAK-023")
  change((store) => store.policies.adopt(bundle(3, true), 1))
  expect(await said()).toBe("E-BAK-023")
})
