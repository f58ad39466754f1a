/** The keys of the file: a subkey for each kind and epoch, files of format 1, and a file under another data key. */
import { Database } from "bun:sqlite"
import { describe, expect, test } from "bun:test"
import { createDecipheriv, createHmac } from "node:crypto"
import { copyFileSync, readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { type Bytes, concat, toHex, u8, u32be, utf8 } from "../../src/bytes.ts"
import { openAsNode } from "../../src/config/passwordChange.ts"
import { isCode } from "../../src/errors.ts"
import { Secret } from "../../src/secret.ts"
import { formatOf } from "../../src/store/fileFormat.ts"
import { unwrapKey } from "../../src/store/header.ts"
import { migrate, migrateIfDue, planMigration } from "../../src/store/migrate.ts"
import { reencrypt } from "../../src/store/reencrypt.ts"
import { RecordSealer } from "../../src/store/seal.ts"
import { openStore, type Store } from "../../src/store/store.ts"
import { addGroup, Home, ID, KDF, OTHER, PASSWORD, partyNo, secret } from "../support/nodeHome.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { APPROVE, approved, bytesOf, claimOf, epochNo } from "./fixtures.ts"

/** HKDF-SHA256 of RFC 5869 by hand: extract without salt, and one block of expand. */
function hkdfByHand(key: Uint8Array, info: Uint8Array): Buffer {
  const prk = createHmac("sha256", new Uint8Array(32)).update(key).digest()
  return createHmac("sha256", prk).update(info).update(u8(1)).digest()
}

const dataKey = Uint8Array.from({ length: 32 }, (_, i) => i)
const place = { id: new Uint8Array(32).fill(7), kind: 9, version: 2 }

describe("a seal", () => {
  const sealed = (generation: number, kind = 9) => {
    using key = Secret.from(dataKey)
    using sealer = new RecordSealer(key)
    return sealer.seal({ ...place, kind }, utf8("plain"), generation)
  }
  test("is AES-256-GCM under HKDF of kind and epoch: the documented derivation, by hand", () => {
    const subkeys = hkdfByHand(dataKey, utf8("cosigner/store/2/box"))
    expect(toHex(subkeys)).toBe("5acf830d741a6b5899222d15c6bb304c512c3c27fc171840f321048a8d004750")
    expect(toHex(hkdfByHand(subkeys, concat(u8(9), u32be(3))))).toBe(
      "a586706e40faf8b7af3fd66a92ac3f6b62f29efd73b71e324cbada9e3b266669",
    )
    const { seal, box } = sealed(3 * 2 ** 20 + 5)
    expect([...seal.subarray(0, 4)]).toEqual([0, 0, 0, 3])
    const decipher = createDecipheriv("aes-256-gcm", hkdfByHand(subkeys, concat(u8(9), u32be(3))), seal.subarray(4, 16))
    decipher.setAAD(concat(place.id, u8(9), u8(2)))
    decipher.setAuthTag(seal.subarray(16))
    expect(Buffer.concat([decipher.update(box), decipher.final()]).toString()).toBe("plain")
  })
  test("of another kind or epoch is under another key, and names its epoch truly", () => {
    using key = Secret.from(dataKey)
    using sealer = new RecordSealer(key)
    const open = (record: ReturnType<typeof sealed>) => sealer.open(record)?.toString()
    expect(open(sealed(1))).toBe("plain")
    expect(open(sealed(2 ** 40))).toBe("plain")
    const record = sealed(2 ** 20)
    const moved = { ...record, seal: concat(u32be(2), record.seal.subarray(4)) }
    expect([open(record), open(moved), open({ ...record, kind: 10 })]).toEqual(["plain", undefined, undefined])
    // a seal of format 1 that was cut from one of format 2 is none
    expect(open({ ...record, seal: record.seal.subarray(4) })).toBeUndefined()
  })
  test("of thousands of epochs opens with a bounded number of keys in memory", () => {
    using key = Secret.from(dataKey)
    using sealer = new RecordSealer(key)
    const records = Array.from({ length: 5000 }, (_, n) => sealer.seal(place, utf8(String(n)), n * 2 ** 20))
    expect(records.every((record, n) => sealer.open(record)?.toString() === String(n))).toBe(true)
  })
})

// ---- format 1 --------------------------------------------------------------------------------------------------------

/** A file that the last release of format 1 wrote, with something of everything. */
const FORMAT_1 = join(import.meta.dir, "..", "vectors", "secrets-format1.db")

function old(): { readonly db: string; readonly folder: string } & Disposable {
  const folder = temporaryFolder("format1")
  const db = join(folder.path, "secrets.db")
  copyFileSync(FORMAT_1, db)
  return { db, folder: folder.path, [Symbol.dispose]: () => folder[Symbol.dispose]() }
}

const openWith = (db: string, text: string, readOnly = true): Store => {
  using password = secret(text)
  return openStore(db, password, { readOnly })
}

/** What the old file holds. */
function expectOld(store: Store): void {
  expect(store.groups.list().map(({ status }) => status)).toEqual(["ACTIVE", "ACTIVE"])
  expect(store.tasks.get("t1")).toMatchObject({ state: "claimed", type: "KeySign" })
  expect(store.strikes.list()).toHaveLength(1)
  expect(store.bans.list()).toHaveLength(1)
  expect([store.boot, store.incarnation]).toEqual([1, 9])
  const group = store.groups.active(ID(0))
  const { share, pairs } = store.groups.open(ID(0), group?.epochId ?? new Uint8Array(0))
  expect(pairs).toHaveLength(2)
  share.wipe()
}

describe("a file of format 1", () => {
  test("is read as it is, and refused for writing with the command that helps", () => {
    using file = old()
    const before = readFileSync(file.db)
    {
      using store = openWith(file.db, PASSWORD)
      expectOld(store)
      expect(store.verify()).toBeGreaterThan(5)
    }
    try {
      openWith(file.db, PASSWORD, false)
      expect.unreachable()
    } catch (error) {
      expect(isCode(error, "E-STO-032") && error.next).toContain("cosigner migrate")
    }
    expect(readFileSync(file.db).equals(before)).toBe(true)
  })
  test("is migrated without its password, a copy first; new seals stand beside the old ones", () => {
    using file = old()
    const done = migrateIfDue(file.db, 1)
    expect([done?.from, formatOf(file.db), formatOf(done?.copy ?? "")]).toEqual([1, 3, 1])
    expect(migrateIfDue(file.db, 2)).toBeUndefined()
    {
      using store = openWith(file.db, PASSWORD, false)
      expectOld(store)
      store.tasks.claim(claimOf("t2"))
      expect(store.tasks.get("t2")?.state).toBe("claimed")
    }
    using again = openWith(file.db, PASSWORD)
    expectOld(again)
    expect(again.verify()).toBeGreaterThan(5)
  })
})

test("a migration that another process was faster with does nothing: its steps run once, and a copy is one of the old format", () => {
  using file = old()
  const plan = planMigration(file.db)
  const copy = migrate(file.db, plan, 0) ?? ""
  expect(migrate(file.db, plan, 0)).toBeUndefined()
  expect(formatOf(copy)).toBe(1)
  expect(readdirSync(file.folder).filter((name) => name.includes(".format"))).toEqual([basename(copy)])
})

test("a migration that was killed behind its copy goes through when it is repeated at once, and no copy is written over", () => {
  using file = old()
  const first = migrateIfDue(file.db, 0)?.copy ?? ""
  const bytes = readFileSync(first)
  const db = new Database(file.db)
  db.run("PRAGMA user_version = 1")
  db.close(true)
  expect(migrateIfDue(file.db, 0)?.copy).toBe(`${first}-2`)
  expect(readFileSync(first)).toEqual(bytes)
  expect(formatOf(file.db)).toBe(3)
})

test("a start brings it along by itself, and tells where the copy is", () => {
  using file = old()
  const notes: string[] = []
  let seen = 0
  const named = { path: file.db, danger_allow_readable_key_file: false }
  for (const told of [1, 1]) {
    using password = secret(PASSWORD)
    using store = openAsNode(named, password, (note) => notes.push(note))
    expectOld(store)
    expect(notes).toHaveLength(told)
    // The log for auditors begins with the first start of a release that has one.
    expect([store.audit.size, store.audit.key() === undefined]).toEqual(seen === 0 ? [0, true] : [1, false])
    store.audit.ensureKey()
    if (seen++ === 0) store.audit.record(1, { kind: "stop", facts: {} })
  }
  expect(notes[0]).toMatch(/format 1 .*secrets\.db\.format1-\d+T\d+Z/)
  expect(formatOf(file.db)).toBe(3)
})

// ---- another data key ------------------------------------------------------------------------------------------------

const headerOf = (store: Store): Bytes => store.header()
function dataKeyOf(db: string, text: string): string {
  using store = openWith(db, text)
  using password = secret(text)
  const key = unwrapKey(headerOf(store), password)
  if (key === undefined || key === "malformed") throw new Error("no key")
  using held = key
  return toHex(held.expose())
}

describe("reencrypt", () => {
  const run = (db: string, progress: (done: number, total: number) => void = () => {}): number => {
    using password = secret(PASSWORD)
    using next = secret(OTHER)
    return reencrypt(db, { password, next, kdf: KDF, progress })
  }
  test("keeps every record, under a new data key, and counts commits on", () => {
    using home = new Home()
    const store = home.create(2)
    for (let n = 0; n < 300; n++) store.tasks.claim(claimOf(`many-${n}`))
    approved(store, "approved")
    store.strikes.add([
      { peer: partyNo(1), kind: "FAULT", reason: "r", sid: bytesOf(1), taskId: "t", atMs: 1, evidence: [] },
    ])
    store.bans.add({
      groupId: ID(0),
      epochId: store.groups.active(ID(0))?.epochId ?? epochNo(0),
      peer: partyNo(2),
      reason: "r",
      sid: bytesOf(2),
      bannedMs: 1,
    })
    addGroup(store, 0, ID(9), { active: false })
    const before = { age: store.fencingToken, tasks: store.tasks.list({ limit: 1000 }), groups: groupsOf(store) }
    const size = store.verify()
    store.close()
    const oldKey = dataKeyOf(home.db, PASSWORD)
    const steps: number[] = []
    expect(run(home.db, (done) => steps.push(done))).toBe(size)
    expect([steps.length > 1, steps.at(-1)]).toEqual([true, size])
    expect(dataKeyOf(home.db, OTHER)).not.toBe(oldKey)
    using after = openWith(home.db, OTHER, false)
    expect(after.verify()).toBe(size)
    expect(after.tasks.list({ limit: 1000 })).toEqual(before.tasks)
    expect(groupsOf(after)).toEqual(before.groups)
    expect(after.bans.list()).toHaveLength(1)
    expect(after.strikes.list()).toHaveLength(1)
    const { boot, incarnation, generation } = after.fencingToken
    expect({ boot, incarnation }).toEqual({ boot: before.age.boot, incarnation: before.age.incarnation })
    expect(generation).toBeGreaterThan(before.age.generation)
    expect(readdirSync(join(home.db, "..")).filter((name) => name.includes(".new"))).toEqual([])
  })
  test("keeps what is the node's own: its brake, its policy, whom it follows, what was spent", () => {
    using home = new Home()
    using store = home.create(1)
    const waasKey = bytesOf(3)
    const token = { token: { incarnation: 1, mark: 2, markId: bytesOf(4, 16) }, signature: bytesOf(5, 64) }
    store.tasks.claim(claimOf("t"))
    const word = { approver: "ann", decision: "approve" as const, nonce: "n1", signed: bytesOf(6) }
    store.tasks.approve(
      "t",
      6,
      () => ({ verdict: APPROVE, debits: [], words: [word] }),
      () => [],
    )
    store.freezes.freeze({ groupId: "", forMs: undefined, reason: "why", by: "host" }, 5)
    store.policies.adopt({ version: 1, digest: "d", document: "x", owners: ["o"] }, 6)
    store.spentOrders.spend([{ nonce: "n2", approver: "bob", notAfterMs: 9 }], 5)
    store.waas.decide(waasKey, undefined, 7)
    store.waas.follow(waasKey, token)
    const size = store.verify()
    store.close()
    expect(run(home.db)).toBe(size)
    using after = openWith(home.db, OTHER, false)
    expect([after.verify(), after.tasks.words("t")]).toEqual([size, [word]])
    expect(after.freezes.over([])?.reason).toBe("why")
    expect(after.policies.followed?.active.digest).toBe("d")
    expect(after.spentOrders.spend([{ nonce: "n2", approver: "bob", notAfterMs: 9 }], 5)?.why).toContain("used before")
    expect([after.waas.decision()?.waasKey, after.waas.followed(waasKey)]).toEqual([waasKey, token])
  })
  test("and the check of a whole file, a backup and a restore know each kind of record that there is, each with a number of its own", () => {
    const folder = join(import.meta.dir, "../../src/store")
    const source = (name: string): string => readFileSync(join(folder, name), "utf8")
    const found = readdirSync(folder).flatMap((name) => [
      ...source(name).matchAll(/^export const (\w+)[^=\n]* = kind<[^(]*>\(\s*(\d+),/gm),
    ])
    const kinds = found.map(([, kind = ""]) => kind)
    expect(kinds.length).toBeGreaterThan(25)
    expect(new Set(found.map(([, , byte]) => byte)).size).toBe(kinds.length)
    // A restore takes over no record that is about the file it was in.
    const without: Readonly<Record<string, readonly string[]>> = {
      "check.ts": ["ROOT"],
      "transfer.ts": ["ROOT", "PROBE", "CHECKUP", "LOG_DOUBT"],
    }
    for (const name of ["check.ts", "reencrypt.ts", "snapshot.ts", "transfer.ts"]) {
      const unknown = kinds.filter((kind) => source(name).split(new RegExp(`\\b${kind}\\b`)).length < 3)
      expect([name, new Set(unknown)]).toEqual([name, new Set(without[name])])
    }
  })
  test("leaves no record that the old key opens: an old password and an old copy open nothing of the new file", () => {
    using file = old()
    migrateIfDue(file.db, 1)
    run(file.db)
    using store = openWith(file.db, OTHER)
    expectOld(store)
    expect(() => openWith(file.db, PASSWORD)).toThrow("password")
    // whoever has the old data key by the old password and copy
    using oldKey = Secret.from(Buffer.from(dataKeyOf(FORMAT_1, PASSWORD), "hex"))
    using sealer = new RecordSealer(oldKey)
    using db = new Database(file.db, { readonly: true })
    const rows = db.query<ReturnType<RecordSealer["seal"]>, []>("SELECT * FROM record WHERE kind > 0").all()
    expect(rows.length).toBeGreaterThan(5)
    expect(rows.filter((row) => sealer.open(row) !== undefined)).toEqual([])
  })
  test("a wrong password, and a file in use, change nothing", () => {
    using home = new Home()
    const store = home.create()
    const before = readFileSync(home.db)
    expect(() => run(home.db)).toThrow("in use")
    store.close()
    using wrong = secret(OTHER)
    expect(() => reencrypt(home.db, { password: wrong, next: wrong, kdf: KDF, progress: () => {} })).toThrow("password")
    // but for the numbers by which SQLite counts that somebody had it open
    const records = (file: Buffer): Buffer => file.subarray(100)
    expect(records(readFileSync(home.db)).equals(records(before))).toBe(true)
  })
})

const groupsOf = (store: Store): readonly string[] =>
  store.groups
    .list()
    .map(({ groupId, epochId }) => {
      const { share, pairs } = store.groups.open(groupId, epochId)
      const text = `${groupId} ${toHex(share.expose())} ${pairs.map(({ zeroSeed }) => toHex(zeroSeed.expose())).join()}`
      share.wipe()
      return text
    })
    .sort()
