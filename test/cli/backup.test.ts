/** The commands around backups and shares on a node with real shares: what they print, refuse, and leave behind. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { equal, fromHex, toHex, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { isCode } from "../../src/errors.ts"
import { scratchToProve } from "../../src/jobs/scratch.ts"
import { verifyCheckup } from "../../src/keys/checkupSign.ts"
import { memberOf } from "../../src/keys/group.ts"
import { rollbackGuardPath, writeRollbackGuard } from "../../src/store/rollbackGuard.ts"
import { openStore, type Store } from "../../src/store/store.ts"
import { root } from "../support/binary.ts"
import { addGroup, flags, groupOf, Home, ID, PASSWORD, partyNo, secret } from "../support/nodeHome.ts"
import { cli, type Outcome } from "./world.ts"

setDefaultTimeout(30_000)

const codeIn = ({ stderr }: Outcome): string => /E-[A-Z]+-\d{3}/.exec(stderr)?.[0] ?? "none"
const json = ({ stdout }: Outcome): Record<string, unknown> => JSON.parse(stdout.trim().split("\n").at(-1) ?? "null")
const bytesOf = (hex: unknown): Uint8Array => fromHex(String(hex).replace(/^0x/, "")) ?? new Uint8Array(0)

const FILE = "backups/b.cosigner"
const create = (home: Home, ...more: readonly string[]): Promise<Outcome> =>
  cli(["backup", "create", ...flags(home), "--password-file", home.backupKey, "--out", home.file(FILE), ...more])
const verify = (home: Home, path = home.file(FILE), key = home.backupKey): Promise<Outcome> =>
  cli(["backup", "verify", path, "--password-file", key, "--json"])
const restore = (home: Home, db: string): Promise<Outcome> =>
  cli([
    "backup",
    "restore",
    home.file(FILE),
    "--password-file",
    home.backupKey,
    "--key-file",
    home.keyFile,
    "--db",
    db,
    "--json",
  ])

/** What is in a folder, without the lock files of SQLite. */
const namesIn = (folder: string): readonly string[] => readdirSync(folder).filter((name) => !name.includes(".lock"))

function shareOf(store: Store, groupId: string): string {
  const group = store.groups.active(groupId)
  if (group === undefined) throw new Error("no such group")
  const secret = store.groups.open(groupId, group.epochId)
  return Buffer.from(secret.share.expose()).toString("hex")
}

describe("a backup", () => {
  test("holds everything but one-time material, and restores under another path", async () => {
    using home = new Home()
    using store = home.create(2)
    store.tasks.claim({
      taskId: "t",
      digest: "d",
      type: "KeySign",
      document: utf8("{}"),
      deadlineMs: 9,
      nowMs: 1,
      events: [],
    })
    const { epochId } = groupOf(ID(0), 0).group
    store.bans.add({ groupId: ID(0), epochId, peer: partyNo(1), reason: "r", sid: utf8("s"), bannedMs: 1 })
    const strike = { peer: partyNo(1), reason: "r", sid: utf8("s"), taskId: "t", atMs: 1 }
    store.strikes.add([{ ...strike, kind: "EQUIV", evidence: [utf8("one"), utf8("two")] }])
    store.strikes.pardon(partyNo(1), 2)
    store.nextBoot()
    const made = await create(home)
    expect({ exit: made.exit, stderr: made.stderr }).toEqual({ exit: 0, stderr: "" })
    expect(json(made)).toMatchObject({ proven: true, generation: store.generation, boot: 1, chosen_groups: false })
    expect((statSync(home.file(FILE)).mode & 0o777).toString(8)).toBe("600")
    expect(namesIn(home.file("backups"))).toEqual(["b.cosigner"])
    expect(json(await verify(home))).toMatchObject({ proven: true, shares: 4 })

    const db = home.file("other/place/secrets.db")
    const restored = json(await restore(home, db))
    expect(restored).toMatchObject({ restored: true, shares: 4 })
    expect(restored["ecdsa_waits_for_refresh"]).toEqual(expect.arrayContaining([ID(0), ID(2)]))
    using back = home.open(false, db)
    for (let n = 0; n < 4; n++) expect(shareOf(back, ID(n))).toBe(shareOf(store, ID(n)))
    for (const [key, same] of [
      ["identity", true],
      ["callbackKey", true],
      ["entropy", false],
    ] as const) {
      using a = store[key]()
      using b = back[key]()
      expect([key, a.equals(b)]).toEqual([key, same])
    }
    expect(back.groups.open(ID(0), epochId).pairs).toEqual([])
    expect(back.tasks.get("t")?.state).toBe("claimed")
    expect(back.bans.list()).toHaveLength(1)
    expect(back.strikes.list()).toHaveLength(1)
    expect(back.strikes.list()).toEqual(store.strikes.list())
    expect(back.boot).toBe(1)
    expect(back.incarnation).toBeGreaterThan(store.incarnation)
    expect([ID(0), ID(1)].map((id) => back.bans.awaitsRefresh(id, back.groups.active(id)?.epochId ?? epochId))).toEqual(
      [true, false],
    )
  })
  test("of chosen groups has these and the node's own keys", async () => {
    using home = new Home()
    home.create(2).close()
    expect(json(await create(home, "--group-ids", ID(1)))).toMatchObject({ chosen_groups: true })
    const listed = json(await verify(home))["groups"]
    expect(listed).toEqual([
      {
        group_id: ID(1),
        epoch_id: toHex(groupOf(ID(1), 0, { curve: "ed25519" }).group.epochId),
        curve: "ed25519",
        status: "ACTIVE",
        threshold: 2,
      },
    ])
    const db = home.file("db2/secrets.db")
    expect(json(await restore(home, db))).toMatchObject({ shares: 1 })
    using back = home.open(true, db)
    expect(back.groups.list().map(({ groupId }) => groupId)).toEqual([ID(1)])
  })
  test("of a group that is not here is none", async () => {
    using home = new Home()
    home.create().close()
    expect(codeIn(await create(home, "--group-ids", `${ID(0)},${ID(77)}`))).toBe("E-BAK-012")
    expect(namesIn(home.file("backups"))).toEqual([])
  })
  test("twice: a second life is backed up, and its incarnation goes up", async () => {
    using home = new Home()
    home.create().close()
    await create(home)
    const db = home.file("db2/secrets.db")
    await restore(home, db)
    using first = home.open(true, db)
    const args = [
      "--db",
      db,
      "--key-file",
      home.keyFile,
      "--password-file",
      home.backupKey,
      "--out",
      home.file("backups/c"),
    ]
    expect((await cli(["backup", "create", ...args])).exit).toBe(0)
    const again = home.file("db3/secrets.db")
    await cli([
      "backup",
      "restore",
      home.file("backups/c"),
      "--password-file",
      home.backupKey,
      "--key-file",
      home.keyFile,
      "--db",
      again,
    ])
    using second = home.open(true, again)
    expect(second.incarnation).toBeGreaterThan(first.incarnation)
  })
  test("without a terminal has the key file's password, and says so", async () => {
    using home = new Home()
    home.create().close()
    const made = await cli(["backup", "create", ...flags(home), "--out", home.file(FILE)])
    expect(made.exit).toBe(0)
    expect(made.stderr).toContain("key file")
    expect((await verify(home, home.file(FILE), home.keyFile)).exit).toBe(0)
  })
})

test("a backup of a node with a share that is not its own is not proven, and gets no name", async () => {
  using home = new Home()
  {
    using store = home.create()
    // node 1's share under node 0's name: the store keeps what it is given
    const { group } = groupOf(ID(9), 0)
    store.groups.prepare(group, groupOf(ID(9), 1).secret)
  }
  const out = await create(home)
  expect(codeIn(out)).toBe("E-BAK-018")
  expect(out.stderr).toContain("E-BAK-011")
  expect(namesIn(home.file("backups"))).toEqual([])
  // and neither is it exported or signed with
  expect((await cli(["share-sign", ...flags(home), "--group-id", ID(9), "--message", "00"])).exit).not.toBe(0)
})

describe("a backup is refused", () => {
  let made: Buffer
  beforeAll(async () => {
    using home = new Home()
    home.create(2).close()
    expect((await create(home)).exit).toBe(0)
    made = readFileSync(home.file(FILE))
  })
  const backedUp = (): Home => {
    const home = new Home()
    writeFileSync(home.file(FILE), made)
    return home
  }
  const spoilt = async (spoil: (path: string) => void): Promise<string> => {
    using home = backedUp()
    spoil(home.file(FILE))
    const db = home.file("db2/secrets.db")
    const answer = codeIn(await restore(home, db))
    if (existsSync(dirname(db))) expect(namesIn(dirname(db))).toEqual([])
    return answer
  }
  const flip = (at: (size: number) => number) => (path: string) => {
    const bytes = readFileSync(path)
    const i = at(bytes.length)
    bytes[i] = (bytes[i] ?? 0) ^ 1
    writeFileSync(path, bytes)
  }

  test("with another password", async () => {
    using home = backedUp()
    expect(codeIn(await verify(home, home.file(FILE), home.keyFile))).toBe("E-BAK-005")
  })
  for (const [what, at, code] of [
    ["in the magic", () => 3, "E-BAK-003"],
    ["in the version", () => 9, "E-BAK-004"],
    ["in the cost of the password", () => 13, "E-BAK-007"],
    ["in the salt", () => 30, "E-BAK-007"],
    ["in the check of the password", () => 60, "E-BAK-007"],
    ["in the checksum", () => 80, "E-BAK-007"],
    ["in the first record", () => 110, "E-BAK-007"],
    ["in the middle", (size: number) => size >> 1, "E-BAK-007"],
    ["in the manifest", (size: number) => size - 60, "E-BAK-007"],
    ["in the last tag", (size: number) => size - 10, "E-BAK-007"],
    ["in the end mark", (size: number) => size - 1, "E-BAK-006"],
  ] as const) {
    test(`with a bit flipped ${what}`, async () => expect(await spoilt(flip(at))).toBe(code))
  }
  for (const [what, length, code] of [
    ["nothing", () => 0, "E-BAK-003"],
    ["half of the magic", () => 5, "E-BAK-006"],
    ["half of the header", () => 50, "E-BAK-006"],
    ["the header alone", () => 102, "E-BAK-006"],
    ["all but a byte", (size: number) => size - 1, "E-BAK-006"],
    ["half", (size: number) => size >> 1, "E-BAK-006"],
  ] as const) {
    test(`cut to ${what}`, async () =>
      expect(await spoilt((path) => truncateSync(path, length(statSync(path).size)))).toBe(code))
  }
  test("with more behind its end", async () =>
    expect(await spoilt((path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(9)])))).toBe(
      "E-BAK-006",
    ))
  test("put together from two", async () => {
    using home = new Home()
    home.create().close()
    await create(home)
    const [a, b] = [readFileSync(home.file(FILE)), made]
    writeFileSync(home.file(FILE), Buffer.concat([a.subarray(0, 102), b.subarray(102)]))
    expect(codeIn(await verify(home))).toBe("E-BAK-007")
  })
  test("that is none", async () => {
    using home = new Home()
    writeFileSync(home.file("x"), "not a backup at all, but long enough for a header".repeat(9))
    expect(codeIn(await verify(home, home.file("x")))).toBe("E-BAK-003")
    expect(codeIn(await verify(home, home.file("nowhere")))).toBe("E-BAK-002")
    expect(codeIn(await verify(home, home.path))).toMatch(/^E-BAK-00[23]$/)
  })
})

describe("nothing is overwritten or half-written", () => {
  test("a backup over a file, a restore over a database", async () => {
    using home = new Home()
    home.create().close()
    await create(home)
    const before = readFileSync(home.file(FILE))
    expect(codeIn(await create(home))).toBe("E-BAK-001")
    expect(readFileSync(home.file(FILE)).equals(before)).toBe(true)
    const live = readFileSync(home.db)
    expect(codeIn(await restore(home, home.db))).toBe("E-STO-001")
    expect(readFileSync(home.db).equals(live)).toBe(true)
  })
  test("a restore beside a node whose file was wiped while it runs", async () => {
    using home = new Home()
    using _running = home.create()
    await create(home)
    rmSync(home.db)
    expect(codeIn(await restore(home, home.db))).toBe("E-STO-003")
    expect(existsSync(home.db)).toBe(false)
  })
  test("where the folder cannot be made", async () => {
    using home = new Home()
    home.create().close()
    writeFileSync(home.file("file"), "")
    expect(codeIn(await create(home, "--out", home.file("file/b")))).toBe("E-BAK-009")
    expect(codeIn(await cli(["export-share", ...flags(home), "--export-dir", home.file("file/r")]))).toBe("E-BAK-009")
  })
  test("on a disk that is full: an error by its name, and the live database as it was", async () => {
    using home = new Home()
    home.create(40).close()
    const live = readFileSync(home.db)
    // a process that may write files of no more than 8 KiB: less than the snapshot, and than the backup
    const args = ["backup", "create", ...flags(home), "--password-file", home.backupKey, "--out", home.file(FILE)]
    const line = [process.execPath, join(root, "src", "main.ts"), ...args].map((word) => `'${word}'`).join(" ")
    const ended = Bun.spawnSync(["bash", "-c", `trap '' XFSZ; ulimit -f 8; ${line}`], { cwd: home.path })
    expect(ended.exitCode).not.toBe(0)
    expect(ended.stderr.toString()).toMatch(/E-(?:BAK-008|STO-013)/)
    // but for the numbers by which SQLite counts that somebody had it open
    expect(readFileSync(home.db).subarray(100).equals(live.subarray(100))).toBe(true)
    home.open().close()
    expect(namesIn(home.file("backups"))).toEqual([])
  })
})

describe("export-share", () => {
  const run = (home: Home, ...more: readonly string[]): Promise<Outcome> =>
    cli(["export-share", ...flags(home), "--export-dir", home.file("recovery"), ...more])
  test("two nodes' files make the root key", async () => {
    using a = new Home(0)
    using b = new Home(1)
    const files: string[] = []
    for (const home of [a, b]) {
      home.create().close()
      const out = await run(home, "--group-ids", `${ID(0)},${ID(1)}`)
      expect(out.exit).toBe(0)
      expect(out.stderr).toContain("key file")
      const { file, node_id } = json(out)
      expect(String(file)).toMatch(new RegExp(`/recovery/recovery-secrets-${node_id}-\\d{8}-\\d{6}$`))
      expect((statSync(String(file)).mode & 0o777).toString(8)).toBe("600")
      expect(namesIn(home.file("recovery"))).toHaveLength(1)
      files.push(String(file))
    }
    const made = await cli([
      "recovery",
      "verify",
      "--recovery-group-files",
      files.join(","),
      "--key-file",
      a.keyFile,
      "--group-id",
      ID(0),
    ])
    expect(made.stderr + made.stdout).not.toContain("E-KEY")
  })
  test("refuses an epoch that does not sign, and a group that is not here", async () => {
    using home = new Home()
    using store = home.create(0)
    expect(codeIn(await run(home))).toBe("E-BAK-020")
    addGroup(store, 0, ID(5), { active: false })
    expect(codeIn(await run(home, "--group-ids", ID(5)))).toBe("E-BAK-014")
    expect(codeIn(await run(home, "--group-ids", ID(6)))).toBe("E-BAK-012")
    expect(existsSync(home.file("recovery"))).toBe(false)
  })
  test("exports the epoch that is active, not the superseded one", async () => {
    using home = new Home()
    using store = home.create(0)
    addGroup(store, 0, ID(0))
    const newer = addGroup(store, 0, ID(0), { epoch: 1 })
    const { file } = json(await run(home))
    const key = Buffer.from(memberOf(newer, partyNo(0))?.sharePublicKey ?? []).toString("hex")
    expect(JSON.parse(readFileSync(String(file), "utf8")).recovery_groups[0].share_info.share_public_key).toBe(
      `0x${key}`,
    )
  })
  test("in a folder that cannot be one leaves nothing", async () => {
    using home = new Home()
    home.create().close()
    // root may write anywhere: a file in the folder's place stands for every folder that refuses
    writeFileSync(home.file("recovery"), "")
    expect(codeIn(await run(home))).toBe("E-BAK-009")
  })
})

describe("share-sign", () => {
  const run = (home: Home, groupId: string, message: string, ...more: readonly string[]): Promise<Outcome> =>
    cli(["share-sign", ...flags(home), "--group-id", groupId, "--message", message, ...more])
  for (const [curve, n] of [
    ["secp256k1", 0],
    ["ed25519", 1],
  ] as const) {
    test(`on ${curve}: verifies under the share key, and is journalled`, async () => {
      using home = new Home()
      home.create().close()
      const out = await run(home, ID(n), "0x68656c6c6f")
      expect(out.exit).toBe(0)
      const answer = json(out)
      using store = home.open()
      const group = store.groups.active(ID(n))
      const key = group && memberOf(group, partyNo(0))?.sharePublicKey
      if (key === undefined) throw new Error("no share key")
      expect(verifyCheckup(curve, key, utf8("hello"), bytesOf(answer["signature"]))).toBe(true)
      expect(verifyCheckup(curve, key, utf8("hellO"), bytesOf(answer["signature"]))).toBe(false)
      const [task] = store.tasks.list({ type: "KeyShareSign", limit: 5 })
      expect(task).toMatchObject({ state: "completed", delivered: true })
      expect(store.tasks.unfinished()).toEqual([])
    })
  }
  test("says Signature, as scripts look for it", async () => {
    using home = new Home()
    home.create().close()
    const args = flags(home).filter((flag) => flag !== "--json")
    expect((await cli(["share-sign", ...args, "--group-id", ID(0), "--message", "00"])).stdout).toMatch(
      /^Signature: 0x[0-9a-f]{128}$/m,
    )
  })
  test("refuses what is no message, no group, and a database in use", async () => {
    using home = new Home()
    home.create().close()
    for (const bad of ["", "0x", "0xabc", "0Xzz", `0x${"00".repeat(4097)}`, "é".repeat(2049)])
      expect(codeIn(await run(home, ID(0), bad))).toBe("E-BAK-022")
    expect((await run(home, ID(0), `0x${"00".repeat(4096)}`)).exit).toBe(0)
    expect((await run(home, ID(0), "é".repeat(2048))).exit).toBe(0)
    expect(codeIn(await run(home, ID(9), "00"))).toBe("E-CLI-011")
    using _running = home.open()
    expect(codeIn(await run(home, ID(0), "00"))).toBe("E-STO-003")
  })
  test("says how it read the message: hex behind 0x, and any other text as it is", async () => {
    using home = new Home()
    home.create().close()
    for (const [given, encoding, bytes] of [
      ["0x68656C6c6f", "hex", "hello"],
      ["hello", "utf-8", "hello"],
      ["68656c6c6f", "utf-8", "68656c6c6f"],
      ["grüezi 🔑", "utf-8", "grüezi 🔑"],
    ] as const) {
      const answer = json(await run(home, ID(1), given))
      expect(answer).toMatchObject({ message: given, message_encoding: encoding })
      expect(answer["msg_hash"]).toBe(`0x${toHex(sha256(utf8(bytes)))}`)
    }
  })
  test("`sign` is its old name, and says the new one", async () => {
    using home = new Home()
    home.create().close()
    const old = await cli(["sign", ...flags(home), "--group-id", ID(0), "--message", "0x00"])
    expect([old.exit, old.stderr]).toEqual([0, expect.stringContaining("share-sign")])
  })
  test("obeys the rules of key_share_sign", async () => {
    using home = new Home()
    home.create().close()
    writeFileSync(home.file("rules.toml"), "[embedded_risk_control_rules]\nenable = true\n", { mode: 0o600 })
    expect(codeIn(await run(home, ID(0), "00", "--config", home.file("rules.toml")))).toBe("E-BAK-023")
    using store = home.open(true)
    expect(store.tasks.list({ type: "KeyShareSign", limit: 1 })[0]?.state).toBe("rejected")
  })
})

describe("change-password", () => {
  const change = (home: Home, input: string): Outcome => {
    const args = ["change-password", ...flags(home)]
    const ended = Bun.spawnSync([process.execPath, join(root, "src", "main.ts"), ...args], {
      cwd: home.path,
      stdin: Buffer.from(input),
    })
    return { exit: ended.exitCode, stdout: ended.stdout.toString(), stderr: ended.stderr.toString() }
  }
  const NEXT = "a new password of good length"
  test("takes two equal lines; the key file gets the new one and keeps the old one beside it", async () => {
    using home = new Home()
    home.create().close()
    const out = change(home, `${NEXT}\n${NEXT}\n`)
    expect([out.exit, json(out)]).toEqual([0, { db: home.db, changed: true, key_file: home.keyFile }])
    expect(readFileSync(home.keyFile, "utf8")).toBe(NEXT)
    expect(readFileSync(`${home.keyFile}.bak`, "utf8")).toBe(PASSWORD)
    for (const path of [home.keyFile, `${home.keyFile}.bak`]) expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((await cli(["info", "group", ...flags(home)])).exit).toBe(0)
    using old = secret(PASSWORD)
    expect(() => openStore(home.db, old, { readOnly: true })).toThrow("password")
  })
  test("changes nothing where the key file cannot be written, or is a credential", async () => {
    using home = new Home()
    home.create().close()
    const before = readFileSync(home.db)
    mkdirSync(`${home.keyFile}.new.part`)
    expect(codeIn(change(home, `${NEXT}\n${NEXT}\n`))).toBe("E-CLI-016")
    rmSync(`${home.keyFile}.new.part`, { recursive: true })
    expect(existsSync(`${home.keyFile}.bak`)).toBe(false)
    writeFileSync(home.file("cosigner-password"), PASSWORD, { mode: 0o600 })
    const ended = Bun.spawnSync(
      [process.execPath, join(root, "src", "main.ts"), "change-password", "--db", home.db, "--json"],
      { cwd: home.path, env: { CREDENTIALS_DIRECTORY: home.path }, stdin: Buffer.from(`${NEXT}\n${NEXT}\n`) },
    )
    expect(JSON.parse(ended.stdout.toString()).error.code).toBe("E-CLI-017")
    expect(readFileSync(home.db).equals(before)).toBe(true)
  })
  for (const [what, input, code] of [
    ["two that differ", `${NEXT}\n${NEXT}x\n`, "E-CLI-006"],
    ["one line", `${NEXT}\n`, "E-BAK-021"],
    ["nothing", "", "E-BAK-021"],
    ["short ones", "short\nshort\n", "E-CLI-005"],
  ] as const) {
    test(`refuses ${what}, and changes nothing`, async () => {
      using home = new Home()
      home.create().close()
      const before = readFileSync(home.db)
      expect(codeIn(change(home, input))).toBe(code)
      expect(readFileSync(home.db).equals(before)).toBe(true)
    })
  }
  test("a last line without a line break is a line, and a wrong old password ends it", async () => {
    using home = new Home()
    home.create().close()
    expect(change(home, `${NEXT}\r\n${NEXT}`).exit).toBe(0)
    writeFileSync(home.keyFile, PASSWORD, { mode: 0o600 })
    expect(codeIn(change(home, `${NEXT}\n${NEXT}\n`))).toBe("E-STO-004")
    expect(readFileSync(home.keyFile, "utf8")).toBe(PASSWORD)
    expect(existsSync(`${home.keyFile}.new`)).toBe(false)
  })
})

describe("rollback", () => {
  test("an older copy signs no more until the operator has decided, and then ECDSA waits", async () => {
    using home = new Home()
    const store = home.create()
    const copy = readFileSync(home.db)
    for (let i = 0; i < 3; i++) store.nextBoot()
    writeRollbackGuard(home.db, store.fencingToken)
    const epochId = store.groups.active(ID(0))?.epochId
    store.close()
    const sign = (): Promise<Outcome> => cli(["share-sign", ...flags(home), "--group-id", ID(0), "--message", "00"])
    expect((await sign()).exit).toBe(0)
    writeFileSync(home.db, copy)
    expect(codeIn(await sign())).toBe("E-BAK-015")
    expect(codeIn(await cli(["recover-rollback", ...flags(home)]))).toBe("E-BAK-017")
    expect(codeIn(await sign())).toBe("E-BAK-015")
    const decided = await cli(["recover-rollback", ...flags(home), "--yes-i-understand"])
    expect(json(decided)).toMatchObject({ ecdsa_waits_for_refresh: [ID(0)] })
    expect((await sign()).exit).toBe(0)
    using after = home.open(true)
    expect(epochId && after.bans.awaitsRefresh(ID(0), epochId)).toBe(true)
    // the copy from before the decision is the older one now, however much it has committed
    after.close()
    writeFileSync(home.db, copy)
    expect(codeIn(await sign())).toBe("E-BAK-015")
  })
  test("a guard that cannot be read stops the node, one that is missing does not", async () => {
    using home = new Home()
    home.create().close()
    const sign = (): Promise<Outcome> => cli(["share-sign", ...flags(home), "--group-id", ID(0), "--message", "00"])
    writeFileSync(rollbackGuardPath(home.db), "cosigner-guard 1 0 1 1 0000000000000000\n")
    expect(codeIn(await sign())).toBe("E-BAK-016")
    rmSync(rollbackGuardPath(home.db))
    expect((await sign()).exit).toBe(0)
  })
})

test("migrate has nothing to do, says so and exits 0, also with --dry-run", async () => {
  using home = new Home()
  home.create().close()
  const before = readFileSync(home.db)
  for (const more of [[], ["--dry-run"]]) {
    const out = await cli(["migrate", ...flags(home), ...more])
    expect({ exit: out.exit, done: json(out)["done"] }).toEqual({ exit: 0, done: false })
  }
  expect(equal(readFileSync(home.db), before)).toBe(true)
  expect(codeIn(await cli(["migrate", "--db", home.file("nowhere.db")]))).toBe("E-STO-002")
})

describe("next steps of a damaged or missing database do what they say", () => {
  const nextOf = ({ stdout }: Outcome): string => JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}").error?.next ?? ""
  const sign = (home: Home): Promise<Outcome> =>
    cli(["share-sign", ...flags(home), "--group-id", ID(1), "--message", "x"])
  /** A node with a backup, which has run on this host since. */
  async function withBackup(): Promise<Home> {
    const home = new Home()
    home.create().close()
    await create(home)
    using store = home.open()
    store.nextBoot()
    writeRollbackGuard(home.db, store.fencingToken)
    return home
  }
  for (const [code, damage] of [
    ["E-STO-007", (db: string) => truncateSync(db, 8192)],
    [
      "E-STO-008",
      (db: string) =>
        writeFileSync(
          db,
          readFileSync(db).map((byte, i) => (i % 4096 === 4000 ? byte ^ 1 : byte)),
        ),
    ],
  ] as const) {
    test(`${code}: moved away and restored, the node works, and no older copy is asked for`, async () => {
      using home = await withBackup()
      damage(home.db)
      const failed = await cli(["info", "group", ...flags(home)])
      expect([codeIn(failed), nextOf(failed)]).toEqual([
        code,
        expect.stringContaining("cosigner backup restore BACKUP"),
      ])
      expect(nextOf(failed)).not.toMatch(/last good copy|cosigner init/)
      renameSync(home.db, `${home.db}.damaged`)
      expect((await restore(home, home.db)).exit).toBe(0)
      expect((await sign(home)).exit).toBe(0)
    })
  }
  test("E-STO-033: a host on which a node has run is never told to make a new one, and a restore helps", async () => {
    using home = await withBackup()
    rmSync(home.db)
    for (const words of [["info", "group"], ["migrate"], ["change-password"], ["backup", "create"]]) {
      const failed = await cli([...words, ...flags(home)])
      if (codeIn(failed) === "E-BAK-021") continue
      expect({ words, code: codeIn(failed) }).toEqual({ words, code: "E-STO-033" })
      expect(nextOf(failed)).not.toContain("cosigner init")
    }
    expect((await restore(home, home.db)).exit).toBe(0)
    expect((await sign(home)).exit).toBe(0)
  })
  test("E-STO-002: without a guard it names init, which makes one", async () => {
    using home = new Home()
    const failed = await cli(["info", "group", ...flags(home)])
    expect([codeIn(failed), nextOf(failed)]).toEqual(["E-STO-002", expect.stringContaining("cosigner init")])
  })
})

describe("the configuration in a backup", () => {
  const TOML = `[callback]
[[callback.cb_server_v2]]
service_address = "http://127.0.0.1:1/v2/check"
pubkey_path = "KEY"
`
  function configured(home: Home): { readonly config: string; readonly key: string } {
    const [config, key] = [home.file("configs/cosigner.toml"), home.file("configs/callback.pem")]
    mkdirSync(home.file("configs"))
    writeFileSync(config, TOML.replace("KEY", key), { mode: 0o600 })
    writeFileSync(key, "a public key")
    return { config, key }
  }
  test("is not there unless it is asked for, and that is said", async () => {
    using home = new Home()
    home.create().close()
    const { config } = configured(home)
    const made = await create(home, "--config", config)
    expect(json(made)["config_files"]).toEqual([])
    const args = flags(home).filter((word) => word !== "--json")
    const told = await cli([
      "backup",
      "create",
      ...args,
      "--password-file",
      home.backupKey,
      "--out",
      home.file("c"),
      "--config",
      config,
    ])
    expect(told.stdout).toContain("Not in it: the configuration and the keys of callback servers")
  })
  test("comes back with --with-config, and never over another file", async () => {
    using home = new Home()
    home.create().close()
    const { config, key } = configured(home)
    const made = await create(home, "--with-config", "--config", config)
    expect(json(made)).toMatchObject({ proven: true, config_files: [config, key] })
    expect(json(await verify(home))["config_files"]).toEqual([config, key])
    const back = (db: string, ...more: readonly string[]): Promise<Outcome> =>
      cli([
        "backup",
        "restore",
        home.file(FILE),
        "--password-file",
        home.backupKey,
        "--key-file",
        home.keyFile,
        "--db",
        db,
        "--json",
        ...more,
      ])
    expect(json(await back(home.file("one/secrets.db")))["config_files"]).toEqual([config, key])
    writeFileSync(config, "# another one")
    rmSync(key)
    const restored = json(await back(home.file("two/secrets.db"), "--with-config"))
    expect(restored["config_files"]).toEqual([
      { path: config, written_to: `${config}.restored` },
      { path: key, written_to: key },
    ])
    expect(readFileSync(config, "utf8")).toBe("# another one")
    expect(readFileSync(`${config}.restored`, "utf8")).toBe(TOML.replace("KEY", key))
    expect([readFileSync(key, "utf8"), statSync(key).mode & 0o777]).toEqual(["a public key", 0o600])
    // the same again finds everything in place; a third content finds no name
    expect((await back(home.file("three/secrets.db"), "--with-config")).exit).toBe(0)
    writeFileSync(`${config}.restored`, "# a third one")
    expect(codeIn(await back(home.file("four/secrets.db"), "--with-config"))).toBe("E-BAK-001")
  })
  test("that cannot be read makes no backup", async () => {
    using home = new Home()
    home.create().close()
    const { config, key } = configured(home)
    rmSync(key)
    expect(codeIn(await create(home, "--with-config", "--config", config))).toBe("E-BAK-025")
    expect(existsSync(home.file(FILE))).toBe(false)
  })
})

test("a backup is proven beside itself where there is no folder for temporary files, and otherwise TMPDIR is named", async () => {
  using home = new Home()
  home.create().close()
  const args = ["backup", "create", ...flags(home), "--password-file", home.backupKey, "--out", home.file(FILE)]
  const ended = Bun.spawnSync([process.execPath, join(root, "src", "main.ts"), ...args], {
    cwd: home.path,
    env: { TMPDIR: home.file("no such folder") },
  })
  expect([ended.exitCode, existsSync(home.file(FILE))]).toEqual([0, true])
  expect(readdirSync(home.file("backups"))).toEqual(["b.cosigner"])
  const before = process.env["TMPDIR"]
  process.env["TMPDIR"] = home.file("no such folder")
  try {
    scratchToProve(home.file("nowhere/b.cosigner"), 1)
    expect.unreachable()
  } catch (error) {
    expect(isCode(error, "E-BAK-024") && error.next).toContain("TMPDIR")
  } finally {
    if (before === undefined) delete process.env["TMPDIR"]
    else process.env["TMPDIR"] = before
  }
})
