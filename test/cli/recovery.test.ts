import { afterAll, beforeAll, expect, test } from "bun:test"
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { bigToBe, toHex } from "../../src/bytes.ts"
import { rootExtendedPublicKey } from "../../src/keys/group.ts"
import { type Dealt, deal } from "../keys/groups.ts"
import { fileOf, PASSWORD, withField } from "../keys/recoveryFixtures.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { cli, type Outcome } from "./world.ts"

const k1 = deal({ curve: "secp256k1", threshold: 2, size: 3 })
const ed = deal({ curve: "ed25519", threshold: 2, size: 3, label: "edwards" })
const scalarOf = (dealt: Dealt) => `0x${toHex(bigToBe(dealt.secret, 32))}`

let folder = ""
const at = (name: string) => join(folder, name)
const put = (name: string, text: string, mode = 0o600): string => {
  writeFileSync(at(name), text)
  chmodSync(at(name), mode)
  return at(name)
}

beforeAll(() => {
  folder = temporaryFolder("recovery").path
  for (const member of [0, 1, 2]) put(`node${member}`, fileOf([k1, ed], member))
  put("key", `${PASSWORD}\n`)
  put("wrong", "another password\n")
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const recovery = (...args: readonly string[]): Promise<Outcome> => cli(["recovery", ...args])
const two = () => [at("node0"), at("node1")]
const opened = () => ["--key-file", at("key")]
const codeIn = ({ stderr }: Outcome) => /E-[A-Z]{3}-\d{3}/.exec(stderr)?.[0]
const json = (outcome: Outcome) =>
  outcome.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))

// ---- verify ----------------------------------------------------------------------------------------------------------

test("verify: every group of every file", async () => {
  const outcome = await recovery("verify", ...two(), ...opened())
  expect(outcome.exit).toBe(0)
  expect(outcome.stdout).toContain(rootExtendedPublicKey(k1.group))
  expect(outcome.stdout).toContain(rootExtendedPublicKey(ed.group))
  expect(outcome.stdout).toEndWith("Verify all recovery group files passed!\n")
})

test("verify --json, the flags of the vendor's tool, and one file that is not enough", async () => {
  const outcome = await recovery(
    "verify",
    "--recovery-group-files",
    at("node2"),
    "--group-id",
    k1.group.groupId,
    ...opened(),
    "--json",
  )
  const [result] = json(outcome)
  expect([outcome.exit, result.ok, result.shares_opened, result.groups.length]).toEqual([0, true, true, 1])
  expect(result.groups[0]).toMatchObject({ group_id: k1.group.groupId, threshold: 2, participants: 3, enough: false })
})

test("verify --public-only asks for no password", async () => {
  expect((await recovery("verify", ...two(), "--public-only")).exit).toBe(0)
})

test("a password file for each file, in its order", async () => {
  put("other", fileOf([k1], 1, "a password of its own"))
  put("other.key", "a password of its own")
  const files = [at("node0"), at("other")]
  const id = ["--group-id", k1.group.groupId]
  const both = ["--key-file", at("key"), "--key-file", at("other.key")]
  expect((await recovery("verify", ...files, ...id, ...both)).exit).toBe(0)
  const swapped = ["--key-file", `${at("other.key")},${at("key")}`]
  expect(codeIn(await recovery("verify", ...files, ...id, ...swapped))).toBe("E-KEY-015")
  const three = [...both, "--key-file", at("key")]
  expect(codeIn(await recovery("verify", ...files, ...id, ...three))).toBe("E-CLI-002")
})

test("verify: bad input, each with its code and a non-zero exit", async () => {
  const text = readFileSync(at("node0"), "utf8")
  const stranger = deal({ curve: "secp256k1", threshold: 2, size: 3, label: "stranger" })
  const id = k1.group.groupId
  const info = ["recovery_groups", 0, "group_info"]
  const huge = put("huge", "")
  truncateSync(huge, 257 * 1024 * 1024)
  const flipped = (JSON.parse(text).recovery_groups[0].share_info.encrypted_share as string).replace(/^./, (c) =>
    c === "A" ? "B" : "A",
  )
  const cases: readonly (readonly [what: string, args: readonly string[], code: string])[] = [
    ["no file", ["verify"], "E-CLI-002"],
    ["a file that is not there", ["verify", at("nowhere")], "E-KEY-032"],
    ["a folder", ["verify", folder], "E-KEY-032"],
    ["a file of a size that nobody writes", ["verify", huge], "E-KEY-032"],
    ["a wrong password", ["verify", at("node0"), "--key-file", at("wrong")], "E-KEY-015"],
    ["a truncated file", ["verify", put("cut", text.slice(0, text.length / 2)), ...opened()], "E-KEY-010"],
    [
      "a flipped box",
      [
        "verify",
        put("flip", withField(text, ["recovery_groups", 0, "share_info", "encrypted_share"], flipped)),
        ...opened(),
      ],
      "E-KEY-015",
    ],
    [
      "a flipped chain code",
      ["verify", put("chain", withField(text, [...info, "chaincode"], `0x${"00".repeat(32)}`)), ...opened()],
      "E-KEY-010",
    ],
    [
      "share id 0",
      ["verify", put("zero", withField(text, [...info, "participants", 0, "share_id"], "0")), ...opened()],
      "E-KEY-013",
    ],
    [
      "a public share moved",
      ["verify", put("moved", withField(text, [...info, "participants", 0, "share_id"], "77")), ...opened()],
      "E-KEY-014",
    ],
    [
      "mixed groups",
      ["verify", at("node0"), put("mixed", fileOf([stranger], 1).replaceAll(stranger.group.groupId, id)), ...opened()],
      "E-KEY-018",
    ],
    [
      "a group that one file lacks",
      ["verify", at("node0"), put("lacks", fileOf([stranger], 1)), "--group-id", id, ...opened()],
      "E-KEY-017",
    ],
    ["one file twice", ["verify", at("node0"), at("node0"), ...opened()], "E-KEY-020"],
    [
      "two epochs",
      [
        "verify",
        at("node0"),
        put("epoch", withField(readFileSync(at("node1"), "utf8"), [...info, "threshold"], 3)),
        ...opened(),
      ],
      "E-KEY-019",
    ],
    ["a readable key file", ["verify", at("node0"), "--key-file", put("open.key", PASSWORD, 0o644)], "E-CLI-007"],
  ]
  for (const [what, args, code] of cases) {
    const outcome = await recovery(...args)
    expect([what, codeIn(outcome), outcome.exit !== 0, outcome.stdout]).toEqual([what, code, true, ""])
  }
})

// ---- reconstruct -------------------------------------------------------------------------------------------------------

test("reconstruct: only with consent, and only with enough", async () => {
  const id = ["--group-id", k1.group.groupId]
  // refused before any password is looked at
  const wrong = ["--key-file", at("wrong")]
  const silent = await recovery("reconstruct", at("node0"), ...id, ...wrong, "--yes-i-understand")
  expect([codeIn(silent), silent.exit]).toEqual(["E-KEY-021", 1])
  const several = await recovery("reconstruct", ...two(), ...opened(), "--yes-i-understand")
  expect(codeIn(several)).toBe("E-KEY-024")
  for (const [dealt, prefix] of [
    [k1, "xprv"],
    [ed, "cprv"],
  ] as const) {
    const outcome = await recovery(
      "reconstruct",
      ...two(),
      "--group-id",
      dealt.group.groupId,
      ...opened(),
      "--yes-i-understand",
      "--json",
    )
    const [result] = json(outcome)
    expect(result).toMatchObject({
      group_id: dealt.group.groupId,
      root_extended_public_key: rootExtendedPublicKey(dealt.group),
      root_private_key: scalarOf(dealt),
    })
    expect(result.root_extended_private_key).toStartWith(prefix)
  }
})

test("reconstruct: no terminal, no consent", async () => {
  // Its own session has no controlling terminal, whoever runs the tests.
  const main = join(import.meta.dir, "../../src/main.ts")
  const args = ["recovery", "reconstruct", ...two(), "--group-id", k1.group.groupId, ...opened()]
  const child = Bun.spawnSync(["setsid", "-w", process.execPath, main, ...args], { stdin: "ignore" })
  expect(child.exitCode).toBe(5)
  expect(child.stderr.toString()).toContain("E-KEY-033")
  expect(child.stdout.toString()).toBe("")
})

test("reconstruct --output: a new file of mode 600, the screen stays clean", async () => {
  const args = ["reconstruct", ...two(), "--group-id", k1.group.groupId, ...opened(), "--yes-i-understand", "--output"]
  const outcome = await recovery(...args, at("new/root.key"))
  expect(outcome.exit).toBe(0)
  expect(outcome.stdout + outcome.stderr).not.toContain(scalarOf(k1).slice(2))
  expect(readFileSync(at("new/root.key"), "utf8")).toContain(`Root Private Key: ${scalarOf(k1)}\n`)
  expect(statSync(at("new/root.key")).mode & 0o777).toBe(0o600)
  expect(readdirSync(at("new"))).toEqual(["root.key"])
  const again = await recovery(...args, at("new/root.key"), "--key-file", at("wrong"))
  expect([codeIn(again), again.exit]).toEqual(["E-KEY-035", 5])
})

test("reconstruct: a target that cannot be written, and a wrong password, leave nothing behind", async () => {
  const args = ["reconstruct", ...two(), "--group-id", k1.group.groupId, "--yes-i-understand", "--output"]
  mkdirSync(at("locked"), { mode: 0o500 })
  // whoever may write everywhere meets a folder that nobody can write to
  const locked = process.getuid?.() === 0 ? "/proc/cosigner/root.key" : at("locked/root.key")
  for (const path of [locked, at("key/root.key")]) {
    const outcome = await recovery(...args, path, ...opened())
    expect([path, codeIn(outcome), outcome.stdout]).toEqual([path, "E-CLI-009", ""])
  }
  mkdirSync(at("empty"))
  const wrong = await recovery(...args, at("empty/root.key"), "--key-file", at("wrong"))
  expect([codeIn(wrong), wrong.exit]).toEqual(["E-KEY-015", 3])
  expect(readdirSync(at("empty"))).toEqual([])
})

// ---- derive --------------------------------------------------------------------------------------------------------------

test("derive --key: public children and their addresses, without files", async () => {
  const xpub =
    "xpub661MyMwAqRbcFkPHucMnrGNzDwb6teAX1RbKQmqtEF8kK3Z7LZ59qafCjB9eCRLiTVG3uxBxgKvRgbubRhqSKXnGGb1aoaqLrpMBDrVxga8"
  const account =
    "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY49yfdDEHGCtMMj92pReUsQ"
  const outcome = await recovery("derive", "--key", account, "--paths", "m/0/0,m/1/0", "--json")
  // BIP-86, the first receiving and change addresses of account 0
  expect(json(outcome).map((child) => child.addresses["btc-p2tr"])).toEqual([
    "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
    "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7",
  ])
  expect(codeIn(await recovery("derive", "--key", xpub, "--paths", "m/86'/0"))).toBe("E-KEY-002")
  expect(codeIn(await recovery("derive", "--key", xpub.replace("K", "L"), "--paths", "m/86"))).toBe("E-KEY-005")
  expect(codeIn(await recovery("derive", "--key", xpub, "--paths", "m/86", "--private-keys"))).toBe("E-CLI-002")
  expect(codeIn(await recovery("derive", "--key", xpub))).toBe("E-CLI-002")
  expect(codeIn(await recovery("derive", "--key", `${xpub},${account}`, "--paths", "m"))).toBe("E-CLI-002")
})

test("derive from files: public without a password, private with", async () => {
  const open = json(await recovery("derive", at("node0"), "--paths", "m/44/60/0/0/1", "--json"))
  const args = ["--private-keys", "--yes-i-understand", ...opened(), "--json"]
  const secret = json(await recovery("derive", ...two(), "--paths", "m/44/60/0/0/1", ...args))
  expect(open.map(({ curve }) => curve)).toEqual(["secp256k1", "ed25519"])
  for (const [i, child] of secret.entries()) {
    const { private_key, extended_private_key, ...rest } = child
    expect(rest).toEqual(open[i])
    expect(private_key).toMatch(/^0x[0-9a-f]{64}$/)
    expect(extended_private_key).toMatch(/^[xc]prv/)
  }
  const one = await recovery(
    "derive",
    ...two(),
    "--paths",
    "m",
    "--private-keys",
    ...opened(),
    "--group-id",
    ed.group.groupId,
    "--yes-i-understand",
    "--json",
  )
  expect(json(one)[0].private_key).toBe(scalarOf(ed))
})

test("derive says what one private key is worth: in its help, before consent, and to whoever consented by a flag", async () => {
  const warning = /one child(?: key)? and the root extended public key/
  expect((await recovery("derive", "--help")).stdout.replace(/\s+/g, " ")).toMatch(warning)
  const args = [...two(), "--paths", "m/1", ...opened()]
  const consented = await recovery("derive", ...args, "--private-keys", "--yes-i-understand")
  expect(consented.stderr).toMatch(warning)
  const open = await recovery("derive", ...args)
  expect(open.stderr).not.toMatch(warning)
})

const HEADING = "wallet name,coin,address,curve,memo,address label,HD path,child publickey"
const rowAt = (i: number) => `main,ETH,,${i % 50 === 0 ? "ed25519" : "secp256k1"},,"label, ${i}",m/44/60/0/0/${i},`
const addressList = (count: number) => [HEADING, ...Array.from({ length: count }, (_, i) => rowAt(i))]
const outputs = (name: string) => readdirSync(at(name)).sort()

test("derive --csv-file: a list of both curves, completed in one new file", async () => {
  const list = put("address.csv", `${addressList(120).join("\r\n")}\r\n`)
  const args = ["--csv-file", list, "--csv-output-dir", at("out"), "--private-keys", "--yes-i-understand", ...opened()]
  const outcome = await recovery("derive", ...two(), ...args, "--json")
  const [result] = json(outcome)
  expect(result).toMatchObject({ rows: 120, derived: 120, skipped: 0 })
  const [name] = outputs("out")
  expect(name).toMatch(/^address-recovery-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.csv$/)
  expect(outputs("out").length).toBe(1)
  expect(result.output).toBe(at(`out/${name}`))
  expect(statSync(result.output).mode & 0o777).toBe(0o600)
  const lines = readFileSync(result.output, "utf8").trimEnd().split("\n")
  expect(lines.length).toBe(121)
  expect(lines[8]).toContain('"label, 7",m/44/60/0/0/7,,0x')
  expect(outcome.stdout).not.toContain("prv")
})

test("10 000 rows, a few of them bad: told by line, nothing half-written, good rows on request", async () => {
  // Thousands of rows that only count: a root of the other curve was not given.
  const lines = addressList(10_000).map((line, i) =>
    i > 0 && i % 25 !== 0 ? line.replace("secp256k1", "ed25519") : line,
  )
  lines[400] = "main,ETH,,secp256k1,,,m/44'/0,"
  lines[9999] = "main,ETH"
  lines[500] = `main,ETH,,secp256k1,,,m/1,${rootExtendedPublicKey(k1.group)}`
  const list = put("big.csv", lines.join("\n"))
  const args = [
    "derive",
    at("node0"),
    "--group-id",
    k1.group.groupId,
    "--csv-file",
    list,
    "--csv-output-dir",
    at("big"),
  ]
  const outcome = await recovery(...args)
  expect([codeIn(outcome), outcome.exit, outcome.stdout]).toEqual(["E-KEY-031", 1, ""])
  for (const part of ["3 of 10000 rows", "line 401: ", "line 501: ", "line 10000: 2 columns", "nothing was written"]) {
    expect(outcome.stderr).toContain(part)
  }
  expect(outcome.stderr).toContain("5000 rows of")
  expect(outputs("big")).toEqual([])
  const skipping = await recovery(...args, "--skip-bad-rows")
  expect([codeIn(skipping), skipping.exit]).toEqual(["E-KEY-031", 1])
  expect(skipping.stderr).toContain(at("big/big-recovery-"))
  expect(outputs("big").length).toBe(1)
})

test("lists that are none, and targets that cannot be", async () => {
  const good = put("good.csv", addressList(3).join("\n"))
  const latin = put("latin.csv", "x")
  writeFileSync(latin, Buffer.from(`${HEADING}\nm\xe4in,ETH,,secp256k1,,,m/1,\n`, "latin1"))
  const readOnly = process.getuid?.() === 0 ? "/proc/cosigner" : at("locked")
  const cases: readonly (readonly [what: string, list: string, target: string, code: string])[] = [
    ["not there", at("none.csv"), at("bad"), "E-KEY-032"],
    ["empty", put("empty.csv", ""), at("bad"), "E-KEY-030"],
    ["another heading", put("else.csv", "name,path\nx,m/1\n"), at("bad"), "E-KEY-030"],
    ["not UTF-8", latin, at("bad"), "E-KEY-032"],
    ["an open quote", put("quote.csv", `${HEADING}\n"${"x".repeat(70_000)}`), at("bad"), "E-KEY-030"],
    ["a read-only target", good, readOnly, "E-CLI-009"],
    ["a target that is a file", good, at("key"), "E-CLI-009"],
  ]
  for (const [what, list, target, code] of cases) {
    const outcome = await recovery("derive", at("node0"), "--csv-file", list, "--csv-output-dir", target)
    expect([what, codeIn(outcome), outcome.stdout]).toEqual([what, code, ""])
  }
  expect(outputs("bad")).toEqual([])
})

test("interrupted in the middle of a list: the unfinished file is gone", async () => {
  const list = put("long.csv", addressList(60_000).join("\n"))
  const main = join(import.meta.dir, "../../src/main.ts")
  const args = ["recovery", "derive", at("node0"), "--csv-file", list, "--csv-output-dir", at("long")]
  const child = Bun.spawn([process.execPath, main, ...args], { stdin: "ignore", stdout: "ignore", stderr: "pipe" })
  let said = ""
  for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
    if (said === "") child.kill("SIGINT")
    said += chunk
  }
  expect(await child.exited).toBe(1)
  expect(said).toContain("E-KEY-034")
  expect(outputs("long")).toEqual([])
}, 60_000)

test("recovery alone explains the way out; each command that it names exists", async () => {
  const { exit, stdout } = await cli(["recovery"])
  expect(exit).toBe(0)
  const named = [...stdout.matchAll(/^ {5}cosigner ((?:[a-z][a-z-]* )+)/gm)].map(([, words = ""]) => words.trim())
  expect(named).toEqual(["export-share", "recovery verify", "import-share", "recovery reconstruct", "recovery derive"])
  for (const words of named) expect((await cli([...words.split(" "), "--help"])).exit).toBe(0)
  const listed = JSON.parse((await cli(["recovery", "--json"])).stdout)
  expect(listed.map(({ step }: { step: number }) => step)).toEqual(listed.map((_: unknown, i: number) => i + 1))
})
