/** Disks that are full, read-only or closed to us: a typed error, and nothing half-written. */
import { expect, test } from "bun:test"
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Secret } from "../../src/secret.ts"
import { createStore } from "../../src/store/store.ts"
import { step } from "./crashChild.ts"
import { codeOf, Folder, KDF, password } from "./fixtures.ts"

const CHILD = join(import.meta.dir, "crashChild.ts")

const create = (path: string): unknown =>
  codeOf(() => {
    using seed = Secret.take(new Uint8Array(32))
    using callbackKey = Secret.take(new Uint8Array(1200))
    createStore(path, password(), { identitySeed: seed, callbackKey, kdf: KDF }).close()
  })

test("creation makes the folders 0700, and never overwrites what is there", () => {
  using folder = new Folder()
  const path = join(folder.path, "a", "b", "secrets.db")
  expect(create(path)).toBe("none")
  expect(statSync(join(folder.path, "a")).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder.path, "a", "b")).mode & 0o777).toBe(0o700)
  const before = readFileSync(path)
  expect(create(path)).toBe("E-STO-001")
  expect(readFileSync(path)).toEqual(before)
  writeFileSync(folder.db, "something of somebody")
  expect(create(folder.db)).toBe("E-STO-001")
  expect(readFileSync(folder.db, "utf8")).toBe("something of somebody")
})

test("a creation that was cut off leaves nothing under the name, and the next one clears up", () => {
  using folder = new Folder()
  writeFileSync(`${folder.db}.new`, "half a file")
  for (const beside of ["-journal", "-wal"]) writeFileSync(`${folder.db}.new${beside}`, "half a log")
  expect(create(folder.db)).toBe("none")
  expect(readdirSync(folder.path).sort()).toEqual(["secrets.db", "secrets.db.gate", "secrets.db.lock"])
})

test("a creation that fails leaves nothing behind", () => {
  using folder = new Folder()
  // A folder in the place of the draft: the file cannot be made.
  mkdirSync(`${folder.db}.new`)
  expect(create(folder.db)).not.toBe("none")
  expect(existsSync(folder.db)).toBe(false)
})

test("a creation that fails half-way leaves nothing behind either", () => {
  using folder = new Folder()
  const wiped = Secret.take(new Uint8Array(32))
  wiped.wipe()
  expect(() => createStore(folder.db, password(), { identitySeed: wiped, callbackKey: wiped, kdf: KDF })).toThrow(
    TypeError,
  )
  expect(readdirSync(folder.path)).toEqual(["secrets.db.lock"])
})

/** Commits in a child until the limit is hit; its last words. */
function fillUp(folder: Folder, command: readonly string[]): { readonly code: string; readonly steps: number } {
  const child = Bun.spawnSync([...command, process.execPath, CHILD, folder.db, "0", "20000"])
  const lines = child.stdout.toString().trim().split("\n")
  return { code: lines.at(-1)?.split(" ")[1] ?? "", steps: lines.filter((line) => /^\d/.test(line)).length }
}

test("a file that may grow no further: a typed error, what was acknowledged stands, and work goes on when there is room", () => {
  using folder = new Folder()
  folder.create().close()
  const { code, steps } = fillUp(folder, ["bash", "-c", 'ulimit -f 1000; exec "$0" "$@"'])
  expect(code).toBe("E-STO-013")
  expect(steps).toBeGreaterThan(20)
  using store = folder.open()
  // The first commit and the steps; at most one more closes a session that the child left running.
  expect(store.generation - 1 - steps).toBeOneOf([0, 1])
  store.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  step(store, steps, 20_000)
  expect(store.verify()).toBeGreaterThan(5)
})

const isRoot = process.getuid?.() === 0
const canMount = isRoot && process.platform === "linux" && Bun.which("mount") !== null && tryMount()

function tryMount(): boolean {
  using folder = new Folder()
  const done = Bun.spawnSync(["mount", "-t", "tmpfs", "none", folder.path]).exitCode === 0
  if (done) Bun.spawnSync(["umount", folder.path])
  return done
}

/** A file system of its own of that size. */
class SmallDisk extends Folder {
  constructor(size: string) {
    super()
    Bun.spawnSync(["mount", "-t", "tmpfs", "-o", `size=${size}`, "none", this.path])
  }
  readOnly(): void {
    Bun.spawnSync(["mount", "-o", "remount,ro", this.path])
  }
  override [Symbol.dispose](): void {
    Bun.spawnSync(["umount", this.path])
    super[Symbol.dispose]()
  }
}

test.skipIf(!canMount)("a full disk is E-STO-013, in the middle of work and at the creation", () => {
  using disk = new SmallDisk("600k")
  using store = disk.create()
  store.outbox.subscribe([{ server: "s", eventTypes: ["e"] }])
  let done = 0
  const code = codeOf(() => {
    for (; ; done++) step(store, done, 20_000)
  })
  expect(code).toBe("E-STO-013")
  // The store itself is well: nothing of the failed step is in it, and it says so again instead of losing count.
  expect(store.generation).toBe(1 + done)
  expect(codeOf(() => step(store, done, 20_000))).toBe("E-STO-013")
  expect(codeOf(() => store.verify())).toBe("none")
  expect(() => {
    for (let i = 0; ; i++) writeFileSync(join(disk.path, `filler${i}`), new Uint8Array(4096))
  }).toThrow("ENOSPC")
  expect(create(join(disk.path, "other.db"))).toBe("E-STO-013")
  expect(readdirSync(disk.path).filter((name) => name.startsWith("other.db"))).toEqual(["other.db.lock"])
  store.close()
  using again = disk.open(true)
  expect(again.generation).toBe(1 + done)
})

test.skipIf(!canMount)("a disk that is read-only: readers work, writers get E-STO-014", () => {
  using disk = new SmallDisk("600k")
  disk.create().close()
  disk.readOnly()
  using reader = disk.open(true)
  expect(reader.generation).toBe(1)
  expect(codeOf(() => disk.open())).toBe("E-STO-014")
  expect(create(join(disk.path, "other.db"))).toBe("E-STO-014")
})

test("a file that belongs to somebody else is E-STO-014", () => {
  using folder = new Folder()
  folder.create().close()
  chmodSync(folder.path, 0o755)
  if (!isRoot) {
    chmodSync(folder.db, 0o000)
    expect(codeOf(() => folder.open(true))).toBe("E-STO-014")
    return
  }
  // Root may read everything, so somebody else has to try.
  const store = join(import.meta.dir, "../../src/store/store.ts")
  const body = `
    import { openStore, createStore } from ${JSON.stringify(store)}
    import { codeOf, password } from ${JSON.stringify(join(import.meta.dir, "fixtures.ts"))}
    process.setgid(65534); process.setuid(65534)
    const path = ${JSON.stringify(folder.db)}
    console.log(codeOf(() => openStore(path, password(), { readOnly: true })), codeOf(() => openStore(path, password(), { readOnly: false })))
    console.log(codeOf(() => createStore(path + "2", password(), {})))`
  const said = Bun.spawnSync([process.execPath, "-e", body]).stdout.toString().trim().split(/\s+/)
  expect(said).toEqual(["E-STO-014", "E-STO-014", "E-STO-014"])
})
