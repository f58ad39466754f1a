/** kill -9 before every step that could be durable: what is there afterwards is whole, and the command simply runs again. */

import { expect, setDefaultTimeout, test } from "bun:test"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { readKeyFile } from "../../src/config/keyFile.ts"
import { openAsNode } from "../../src/config/passwordChange.ts"
import { proveBackup } from "../../src/jobs/backupWork.ts"
import { scratchBeside } from "../../src/jobs/scratch.ts"
import { formatOf } from "../../src/store/fileFormat.ts"
import { openStore } from "../../src/store/store.ts"
import { Home, KDF, OTHER, PASSWORD, secret } from "../support/nodeHome.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { STEPS } from "./crashOperations.ts"

setDefaultTimeout(240_000)

const CHILD = join(import.meta.dir, "crashChild.ts")

/** A folder with a database of two groups, and a backup of it. */
async function scene(): Promise<string> {
  const folder = temporaryFolder("crash").path
  using home = new Home()
  home.create().close()
  cpSync(home.db, join(folder, "secrets.db"))
  mkdirSync(join(folder, "backups"))
  return folder
}

const sceneOf = (home: string) => ({
  home,
  db: join(home, "secrets.db"),
  file: join(home, "backups", "b"),
  kdf: KDF,
  secret,
  PASSWORD,
  OTHER,
})

/** Runs the operation killed before step 0, 1, 2, ... each on a fresh scene; `check` sees what each death left. */
async function everywhere(
  operation: string,
  prepare: (home: string) => Promise<void>,
  check: (home: string) => void,
): Promise<number> {
  const first = await scene()
  await prepare(first)
  for (let n = 0; ; n++) {
    const home = temporaryFolder("crash").path
    try {
      cpSync(first, home, { recursive: true })
      const ended = Bun.spawnSync([process.execPath, CHILD, operation, home, String(n)], { stderr: "pipe" })
      const killed = ended.signalCode === "SIGKILL"
      if (!killed && ended.exitCode !== 0) throw new Error(ended.stderr.toString())
      check(home)
      if (!killed) {
        rmSync(first, { recursive: true, force: true })
        return n
      }
    } finally {
      rmSync(home, { recursive: true, force: true })
    }
  }
}

function opens(db: string, text: string): boolean {
  using password = secret(text)
  try {
    using store = openStore(db, password, { readOnly: true })
    return store.verify() > 0
  } catch {
    return false
  }
}

function isProven(file: string): boolean {
  using password = secret(OTHER)
  return proveBackup(file, password, 1).imported.proven === 2
}

test("backup: the name appears with the whole file or not at all, and the database is untouched", async () => {
  const steps = await everywhere(
    "backup",
    async () => {},
    (home) => {
      const { db, file } = sceneOf(home)
      expect(opens(db, PASSWORD)).toBe(true)
      if (existsSync(file)) expect(isProven(file)).toBe(true)
      expect(readdirSync(join(home, "backups")).filter((name) => !name.startsWith(".") && name !== "b")).toEqual([])
      // the next run removes what this death left
      const now = Date.now()
      {
        using scratch = scratchBeside(join(home, "backups", "next"), now)
        // one that was killed before it had its lock is left alone for an hour
        const left = readdirSync(join(home, "backups")).filter((name) => /^\.(?!cosigner-making-)/.test(name))
        expect(left).toEqual([basename(scratch.path)])
        using second = scratchBeside(join(home, "backups", "next"), now + 2 * 3_600_000)
        expect(
          readdirSync(join(home, "backups"))
            .filter((name) => name.startsWith("."))
            .sort(),
        ).toEqual([basename(scratch.path), basename(second.path)].sort())
      }
      expect(readdirSync(join(home, "backups")).filter((name) => name.startsWith("."))).toEqual([])
    },
  )
  expect(steps).toBeGreaterThan(8)
})

test("restore: the database is there whole or not at all, and a second try succeeds", async () => {
  const steps = await everywhere(
    "restore",
    async (home) => STEPS["backup"]?.(sceneOf(home)),
    (home) => {
      const restored = join(home, "restored", "secrets.db")
      expect(isProven(sceneOf(home).file)).toBe(true)
      if (!existsSync(restored)) STEPS["restore"]?.(sceneOf(home))
      expect(opens(restored, PASSWORD)).toBe(true)
      expect(readdirSync(join(home, "restored")).filter((name) => name.includes(".new"))).toEqual([])
    },
  )
  expect(steps).toBeGreaterThan(6)
})

test("change-password: one of the two passwords opens it, and never none or both", async () => {
  const seen = new Set<boolean>()
  await everywhere(
    "changePassword",
    async () => {},
    (home) => {
      const { db } = sceneOf(home)
      const isNew = opens(db, OTHER)
      expect(opens(db, PASSWORD)).toBe(!isNew)
      seen.add(isNew)
    },
  )
  expect([...seen].sort()).toEqual([false, true])
})

test("reencrypt: the old file or the new one, whole, and nothing beside it after the next start", async () => {
  const seen = new Set<boolean>()
  await everywhere(
    "reencrypt",
    async () => {},
    (home) => {
      const { db } = sceneOf(home)
      const isNew = opens(db, OTHER)
      expect(opens(db, PASSWORD)).toBe(!isNew)
      seen.add(isNew)
      using password = secret(isNew ? OTHER : PASSWORD)
      using store = openStore(db, password, { readOnly: false })
      expect(store.groups.list()).toHaveLength(2)
      expect(readdirSync(home).filter((name) => name.includes(".new"))).toEqual([])
    },
  )
  expect([...seen].sort()).toEqual([false, true])
})

test("change-password with a key file: the next start opens the database, whenever it died, and settles the file", async () => {
  const seen = new Set<string>()
  await everywhere(
    "changeKeyFile",
    async (home) => writeFileSync(join(home, "password"), `${PASSWORD}\n`, { mode: 0o600 }),
    (home) => {
      const { db } = sceneOf(home)
      const keyFile = join(home, "password")
      const start = (): string[] => {
        const notes: string[] = []
        using password = readKeyFile(keyFile)
        const named = { path: db, key_file: keyFile, danger_allow_readable_key_file: false }
        openAsNode(named, password, (note) => notes.push(note)).close()
        return notes
      }
      const isNew = opens(db, OTHER)
      const wasSettled = opens(db, readFileSync(keyFile, "utf8").trim())
      const left = readdirSync(home).filter((name) => name.startsWith("password.")).length
      seen.add(`${isNew ? "new" : "old"} password, key file ${wasSettled ? "opens" : "does not open"} it`)
      expect(start()).toHaveLength(wasSettled ? 0 : 1)
      expect(readFileSync(keyFile, "utf8").trim()).toBe(isNew ? OTHER : PASSWORD)
      if (left > 0 && !wasSettled) expect(readFileSync(`${keyFile}.bak`, "utf8")).toBe(PASSWORD)
      // the second start finds everything in order, and keeps no old password
      expect(start()).toEqual([])
      expect(readdirSync(home).filter((name) => name.startsWith("password"))).toEqual(["password"])
    },
  )
  expect([...seen].sort()).toEqual([
    "new password, key file does not open it",
    "new password, key file opens it",
    "old password, key file opens it",
  ])
})

test("a change that was cut off is not overwritten by the next one", async () => {
  const home = await scene()
  const { db } = sceneOf(home)
  const keyFile = join(home, "password")
  writeFileSync(keyFile, PASSWORD, { mode: 0o600 })
  writeFileSync(`${keyFile}.new`, OTHER, { mode: 0o600 })
  await STEPS["changePassword"]?.(sceneOf(home))
  expect(STEPS["changeKeyFile"]?.(sceneOf(home))).rejects.toMatchObject({ code: "E-CLI-016" })
  expect([readFileSync(`${keyFile}.new`, "utf8"), opens(db, OTHER)]).toEqual([OTHER, true])
})

test("migrate: the old format or the new one, whole; a copy from before beside the new one", async () => {
  const formats = new Set<number>()
  await everywhere(
    "migrate",
    async () => {},
    (home) => {
      const { db } = sceneOf(home)
      if (!opens(db, PASSWORD)) expect(formatOf(db)).toBe(4)
      const format = formatOf(db)
      formats.add(format)
      const copies = readdirSync(home).filter((name) => /\.format3-\d+T\d+Z$/.test(name))
      if (format === 4) expect(copies).toHaveLength(1)
      for (const copy of copies) expect(opens(join(home, copy), PASSWORD)).toBe(true)
      expect(readFileSync(db).length).toBeGreaterThan(0)
    },
  )
  expect([...formats].sort()).toEqual([3, 4])
})
