/** Backups of a WaaS: taken beside a writer, proven, damaged in every part, restored into nothing but empty folders; on a schedule. */
import { Database } from "bun:sqlite"
import { expect, setDefaultTimeout, test } from "bun:test"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { toHex } from "../../src/bytes.ts"
import type { Kdf } from "../../src/crypto/passwordKey.ts"
import { CosignerError } from "../../src/errors.ts"
import { WAAS_BACKUPS } from "../../src/jobs/backupNames.ts"
import {
  backUpKey,
  backUpWaas,
  proveKeyBackup,
  proveWaasBackup,
  restoreKey,
  restoreWaas,
} from "../../src/jobs/waasBackup.ts"
import { repeatWaasBackups } from "../../src/jobs/waasBackups.ts"
import { silentLog } from "../../src/log.ts"
import { filesIn, readKeyFile } from "../../src/waas/files.ts"
import { newUuid } from "../../src/waas/ids.ts"
import { waasInit } from "../../src/waas/keys.ts"
import { createSqliteStore, openCheckedStore } from "../../src/waas/store/sqlite.ts"
import { cli } from "../cli/world.ts"
import { T0 } from "../support/clock.ts"
import { secret } from "../support/nodeHome.ts"
import { type TemporaryFolder, temporaryFolder } from "../support/temporaryFolder.ts"

setDefaultTimeout(30_000)

const KDF: Kdf = { memoryKiB: 8, passes: 1, parallelism: 1 }
const tell = () => {}
const nowMs = T0
const codeOf = (action: () => unknown): unknown => {
  try {
    action()
    return "none"
  } catch (error) {
    return error instanceof CosignerError ? error.code : error
  }
}
const vault = (name: string) => ({
  vaultId: newUuid(),
  projectId: undefined,
  name,
  type: "Org-Controlled" as const,
  rootKeys: [],
  createdMs: nowMs,
})

async function aWaas(folder: TemporaryFolder, vaults: number) {
  await waasInit(folder.at("waas"), nowMs)
  const files = filesIn(folder.at("waas"))
  const store = createSqliteStore(files.database, { orgId: newUuid(), bizOrgId: 1, createdMs: nowMs })
  for (let n = 0; n < vaults; n++) await store.commit([{ put: "vault", record: vault(`vault number ${n}`) }])
  return { files, store }
}

test("what was there when it was taken comes back, as the newest copy; the configuration too, and nothing is overwritten", async () => {
  using folder = temporaryFolder("waas-backup")
  using password = secret("a password for a backup")
  const { files, store } = await aWaas(folder, 3)
  writeFileSync(files.config, "[waas]\norganisation = 'Backed up'\n", { mode: 0o600 })
  const path = folder.at("out", "b.cosigner")
  // A writer in the middle of its work, its log not written back: as beside a WaaS that serves.
  const { manifest } = backUpWaas(files, path, { password, nowMs, kdf: KDF, tell })
  await store.commit([{ put: "vault", record: vault("later") }])
  await store.close()
  expect(manifest.counts).toEqual({ vaults: 3, groups: 0, requests: 0, tasks: 0 })
  expect(proveWaasBackup(path, password, nowMs)).toEqual(manifest)
  expect(readdirSync(folder.at("out"))).toEqual(["b.cosigner"])
  expect(codeOf(() => backUpWaas(files, path, { password, nowMs, kdf: KDF, tell }))).toBe("E-BAK-001")
  const text = readFileSync(path).toString("latin1")
  for (const clear of ["vault number", "Backed up", "public_key"]) expect(text.includes(clear)).toBe(false)

  const to = filesIn(folder.at("restored"))
  const made = restoreWaas(to, { path, password, nowMs })
  expect(made).toMatchObject({ incarnation: nowMs, config: to.config })
  expect(readdirSync(to.dir).sort()).toEqual(["waas.db", "waas.toml"])
  expect(readFileSync(to.config, "utf8")).toContain("Backed up")
  const back = openCheckedStore(to.database)
  const page = { limit: 10, after: undefined, before: undefined }
  expect((await back.vaults({ type: "Org-Controlled" }, page)).items.map(({ name }) => name)).toEqual(
    [2, 1, 0].map((n) => `vault number ${n}`),
  )
  expect((await back.waasToken()).incarnation).toBe(nowMs)
  await back.close()
  expect(codeOf(() => restoreWaas(to, { path, password, nowMs }))).toBe("E-WAA-062")
  // Restored once more later, it is the newer one.
  expect(restoreWaas(filesIn(folder.at("again")), { path, password, nowMs: nowMs + 1 }).incarnation).toBe(nowMs + 1)
})

test("the key travels apart, and fits its own WaaS alone", async () => {
  using folder = temporaryFolder("waas-backup")
  using password = secret("a password for a backup")
  using other = secret("another one for the key")
  const { files, store } = await aWaas(folder, 0)
  await store.close()
  const [path, key] = [folder.at("b.cosigner"), folder.at("k.cosigner")]
  const { manifest } = backUpWaas(files, path, { password, nowMs, kdf: KDF, tell })
  const sealed = backUpKey(files, key, { password: other, nowMs, kdf: KDF, tell })
  expect(sealed.public_key).toBe(manifest.public_key ?? "")
  expect(proveKeyBackup(key, other)).toEqual(sealed)
  const seed = readFileSync(files.key, "utf8").trim()
  expect(readFileSync(key).toString("hex").includes(seed)).toBe(false)
  expect(readFileSync(path).toString("hex").includes(Buffer.from(seed).toString("hex"))).toBe(false)
  // Neither passes for the other.
  expect(codeOf(() => proveWaasBackup(key, other, nowMs))).toBe("E-BAK-003")
  expect(codeOf(() => proveKeyBackup(path, password))).toBe("E-BAK-003")

  const to = filesIn(folder.at("restored"))
  restoreKey(to, { path: key, password: other }, manifest.public_key)
  restoreWaas(to, { path, password, nowMs })
  expect(toHex(readKeyFile(to).tasks.publicKey)).toBe(manifest.public_key ?? "")
  expect(codeOf(() => restoreKey(to, { path: key, password: other }, manifest.public_key))).toBe("E-WAA-062")
  const strange = filesIn(folder.at("strange"))
  expect(codeOf(() => restoreKey(strange, { path: key, password: other }, "00".repeat(32)))).toBe("E-WAA-063")
  expect(existsSync(strange.dir)).toBe(false)
  // A folder that has a database gets no key: the two might be of different WaaS, or of different times.
  writeFileSync(`${filesIn(folder.path).database}-wal`, "")
  expect(codeOf(() => restoreKey(filesIn(folder.path), { path: key, password: other }, undefined))).toBe("E-WAA-062")
  await waasInit(folder.at("third"), nowMs)
  const third = filesIn(folder.at("third"))
  await Bun.file(third.database).delete()
  expect(codeOf(() => restoreWaas(third, { path, password, nowMs }))).toBe("E-WAA-063")
  expect(existsSync(third.database)).toBe(false)
})

test("a folder whose database is a shared one is not restored into", async () => {
  using folder = temporaryFolder("waas-backup")
  using password = secret("a password for a backup")
  const { files, store } = await aWaas(folder, 1)
  await store.close()
  const path = folder.at("b.cosigner")
  backUpWaas(files, path, { password, nowMs, kdf: KDF, tell })
  const shared = filesIn(folder.at("shared"))
  mkdirSync(shared.dir)
  writeFileSync(shared.config, '[waas.store]\nurl = "postgres://waas:hush@db.example.com/waas"\n')
  const refused = { code: "E-WAA-077", message: expect.not.stringContaining("hush") }
  expect(() => restoreWaas(shared, { path, password, nowMs })).toThrow(expect.objectContaining(refused))
  expect(readdirSync(shared.dir)).toEqual(["waas.toml"])
})

test("a restore takes the old key or makes a new one, and not both", async () => {
  using folder = temporaryFolder("waas-backup")
  const both = ["--key-backup", "k.cosigner", "--new-key"]
  const { exit, stderr } = await cli(["waas", "backup", "restore", "b.cosigner", "--dir", folder.at("w"), ...both])
  expect([exit, stderr]).toEqual([1, expect.stringContaining("E-CLI-002")])
})

test("a folder whose key is not at hand is backed up without its name", async () => {
  using folder = temporaryFolder("waas-backup")
  using password = secret("a password for a backup")
  const { files, store } = await aWaas(folder, 1)
  await store.close()
  await Bun.file(files.key).delete()
  const path = folder.at("b.cosigner")
  const { manifest } = backUpWaas(files, path, { password, nowMs, kdf: KDF, tell })
  expect(manifest.public_key).toBeUndefined()
  expect(proveWaasBackup(path, password, nowMs)).toEqual(manifest)
  await waasInit(folder.at("other"), nowMs)
  const other = filesIn(folder.at("other"))
  await Bun.file(other.database).delete()
  expect(restoreWaas(other, { path, password, nowMs }).incarnation).toBe(nowMs)
})

test("a wrong password, a cut and a changed bit anywhere are told, and nothing is left", async () => {
  using folder = temporaryFolder("waas-backup")
  using password = secret("a password for a backup")
  using wrong = secret("not the password of it")
  const { files, store } = await aWaas(folder, 2)
  await store.close()
  const path = folder.at("b.cosigner")
  backUpWaas(files, path, { password, nowMs, kdf: KDF, tell })
  const whole = readFileSync(path)
  const to = filesIn(folder.at("restored"))
  const tried = (bytes: Uint8Array, by = password): unknown => {
    const spoilt = folder.at("spoilt")
    writeFileSync(spoilt, bytes)
    const code = codeOf(() => restoreWaas(to, { path: spoilt, password: by, nowMs }))
    expect(readdirSync(to.dir)).toEqual([])
    return code
  }
  expect(tried(whole, wrong)).toBe("E-BAK-005")
  for (const length of [0, 5, 60, 200, whole.length >> 1, whole.length - 1]) {
    expect([length, tried(whole.subarray(0, length))]).toEqual([length, length < 1 ? "E-BAK-003" : "E-BAK-006"])
  }
  for (const at of [0, 12, 40, 130, 70_000, whole.length - 60]) {
    const spoilt = Uint8Array.from(whole)
    spoilt[at] = (spoilt[at] ?? 0) ^ 4
    expect([at, tried(spoilt)]).toEqual([at, at === 0 ? "E-BAK-003" : "E-BAK-007"])
  }
  writeFileSync(folder.at("spoilt"), whole)
  expect(codeOf(() => restoreWaas(to, { path: folder.at("spoilt"), password, nowMs }))).toBe("none")
})

test("a database whose records changed on the disk becomes no backup", async () => {
  using folder = temporaryFolder("waas-backup")
  using password = secret("a password for a backup")
  const { files, store } = await aWaas(folder, 2)
  await store.close()
  const db = new Database(files.database)
  db.run("UPDATE vaults SET body = replace(body, 'number 1', 'number X')")
  db.close()
  const path = folder.at("out", "b.cosigner")
  expect(codeOf(() => backUpWaas(files, path, { password, nowMs, kdf: KDF, tell }))).toBe("E-BAK-018")
  expect(readdirSync(folder.at("out"))).toEqual([])
})

test("a schedule keeps so many, tells what failed, and tries again", async () => {
  using folder = temporaryFolder("waas-backup")
  const stop = new AbortController()
  const directory = folder.at("backups")
  const said: string[] = []
  const log = { ...silentLog, error: (message: string) => void said.push(message) }
  let made = 0
  let clock = nowMs
  await repeatWaasBackups(
    {
      dir: folder.at("waas"),
      config: folder.at("waas", "waas.toml"),
      directory,
      everyMs: 1,
      keep: 2,
      passwordFile: folder.at("pw"),
      log,
      now: () => {
        clock += 1_000
        return clock
      },
      async make(_, path) {
        if (made++ === 0) throw new CosignerError("E-BAK-018", { path, said: "no room" })
        await Bun.write(path, "proven")
        if (made === 5) stop.abort()
      },
    },
    stop.signal,
  )
  expect(said).toEqual(["a scheduled backup of WaaS failed"])
  expect(readdirSync(directory)).toHaveLength(2)
  expect(readdirSync(directory).every((name) => name <= WAAS_BACKUPS.at(clock))).toBe(true)
})

test("a WaaS on a shared database is backed up by that database's own tools, and the command says so", async () => {
  using folder = temporaryFolder("waas-backup")
  using password = secret("a password for a backup")
  const { files, store } = await aWaas(folder, 1)
  await store.close()
  writeFileSync(files.config, '[waas.store]\nurl = "postgres://waas@db.example.com/waas"\n', { mode: 0o600 })
  expect(codeOf(() => backUpWaas(files, folder.at("w.backup"), { password, nowMs, kdf: KDF, tell }))).toBe("E-WAA-077")
  expect(existsSync(folder.at("w.backup"))).toBe(false)
})
