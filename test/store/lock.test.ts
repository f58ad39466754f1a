/** Several processes on one file: one node, any number of readers, and a lock that leaves nothing behind. */
import { expect, test } from "bun:test"
import {
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { CosignerError } from "../../src/errors.ts"
import { SecretsFile } from "../../src/store/file.ts"
import { openStore } from "../../src/store/store.ts"
import { claimOf, codeOf, Folder, groupNo, groupSecret, password } from "./fixtures.ts"

const script = (folder: Folder, body: string): string => `
  import { openStore } from ${JSON.stringify(join(import.meta.dir, "../../src/store/store.ts"))}
  import { codeOf, password } from ${JSON.stringify(join(import.meta.dir, "fixtures.ts"))}
  const open = (readOnly) => openStore(${JSON.stringify(folder.db)}, password(), { readOnly })
  ${body}`

/** Runs a process that opens the store as a node does and then waits; resolves when it has it. */
async function holder(folder: Folder): Promise<Bun.Subprocess<"ignore", "pipe", "inherit">> {
  const body = `globalThis.node = open(false); console.log("open"); setInterval(() => {}, 1000)`
  const child = Bun.spawn([process.execPath, "-e", script(folder, body)], { stdout: "pipe" })
  const reader = child.stdout.getReader()
  await reader.read()
  reader.releaseLock()
  return child
}

function errorOf(action: () => unknown): CosignerError | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    return error instanceof CosignerError ? error : undefined
  }
}

const codeElsewhere = (folder: Folder, readOnly: boolean): string =>
  Bun.spawnSync([process.execPath, "-e", script(folder, `console.log(codeOf(() => open(${readOnly})))`)])
    .stdout.toString()
    .trim()

test("a second node is refused and told who holds the file; kill -9 of the first lets the next one in at once", async () => {
  using folder = new Folder()
  folder.create().close()
  const child = await holder(folder)
  try {
    const refused = errorOf(() => folder.open())
    expect(refused?.code).toBe("E-STO-003")
    if (process.platform === "linux") expect(refused?.message).toContain(`process ${child.pid} (`)
  } finally {
    child.kill("SIGKILL")
    await child.exited
  }
  using store = folder.open()
  expect(store.nextBoot()).toBe(1)
})

test("a link to the file, or to its folder, is no second file", () => {
  using folder = new Folder()
  using node = folder.create()
  const link = join(folder.path, "link.db")
  symlinkSync(folder.db, link)
  const folders = `${folder.path}-link`
  symlinkSync(folder.path, folders)
  try {
    expect(node.readOnly).toBe(false)
    for (const name of [link, join(folders, "secrets.db")]) {
      expect(codeOf(() => openStore(name, password(), { readOnly: false }))).toBe("E-STO-003")
    }
  } finally {
    rmSync(folders)
  }
})

test("a file with a second name is opened by nobody: the lock is beside a name, and each would have one of its own", async () => {
  using folder = new Folder()
  folder.create().close()
  const other = join(folder.path, "elsewhere", "secrets.db")
  mkdirSync(dirname(other))
  const child = await holder(folder)
  try {
    linkSync(folder.db, other)
    const opened = errorOf(() => openStore(other, password(), { readOnly: false }))
    expect(opened?.code).toBe("E-STO-031")
    expect<unknown>(opened?.data).toEqual({ path: other, names: 2 })
    // who only reads holds no lock, and sees the same file
    openStore(other, password(), { readOnly: true }).close()
  } finally {
    child.kill("SIGKILL")
    await child.exited
  }
  expect(codeOf(() => folder.open())).toBe("E-STO-031")
  rmSync(other)
  expect(codeElsewhere(folder, false)).toBe("none")
  using node = folder.open()
  expect(node.nextBoot()).toBe(1)
})

test("readers work beside a running node, and see one whole state for as long as they live", () => {
  using folder = new Folder()
  using node = folder.create()
  node.tasks.claim(claimOf("t1"))
  using reader = folder.open(true)
  expect(codeElsewhere(folder, true)).toBe("none")
  node.tasks.claim(claimOf("t2"))
  expect(reader.tasks.list({ limit: 9 }).map((task) => task.taskId)).toEqual(["t1"])
  using later = folder.open(true)
  expect(later.tasks.list({ limit: 9 }).map((task) => task.taskId)).toEqual(["t2", "t1"])
  node.tasks.finish("t1", { state: "failed", code: "c", reason: "r" }, 9, [])
  expect([later.tasks.get("t1")?.state, node.tasks.get("t1")?.state]).toEqual(["claimed", "failed"])
  expect(later.verify()).toBeGreaterThan(5)
  // the copies have no name any more: nothing is left of a reader that is killed
  expect(readdirSync(folder.path).filter((name) => !name.startsWith("secrets.db"))).toEqual([])
})

test("what a reader left that was killed in its copy is removed, and no copy that may be in work", () => {
  using folder = new Folder()
  folder.create().close()
  const left = ["old", "new", "of-root", "file"].map((name) => join(folder.path, `.cosigner-making-${name}`))
  const [old = "", young = "", foreign = "", file = ""] = left
  const lay = (): void => {
    for (const path of [old, young, foreign]) mkdirSync(path, { recursive: true })
    for (const path of [old, foreign]) writeFileSync(join(path, "secrets.db"), "sealed")
    writeFileSync(file, "")
    if (process.getuid?.() === 0) chownSync(foreign, 12345, 12345)
    else rmSync(foreign, { recursive: true })
    for (const path of [old, foreign, file].filter(existsSync)) utimesSync(path, 1, 1)
  }
  const kept = (): boolean[] => left.map((path) => existsSync(path))
  const expected = [false, true, process.getuid?.() === 0, true]
  lay()
  {
    // by the next node
    using node = folder.open()
    expect(kept()).toEqual(expected)
    lay()
    // by a commit that replaces a share, which no file may keep
    node.groups.prepare(groupNo("g", 0), groupSecret(0))
    expect(existsSync(old)).toBe(true)
    node.groups.dropUncertifiedKeygen("g")
    expect(kept()).toEqual(expected)
  }
  lay()
  // by the next reader
  folder.open(true).close()
  expect(kept()).toEqual(expected)
})

test("a file that was moved clears nothing beside its old name, which may be another process's by now", () => {
  using folder = new Folder()
  folder.create().close()
  const left = join(folder.path, ".cosigner-making-old")
  using file = SecretsFile.open(folder.db, false)
  mkdirSync(left)
  utimesSync(left, 1, 1)
  renameSync(folder.db, `${folder.db}.moved`)
  file.forgetReplaced()
  expect(existsSync(left)).toBe(true)
  renameSync(`${folder.db}.moved`, folder.db)
  file.forgetReplaced()
  expect(existsSync(left)).toBe(false)
})

test("a copy that cannot be removed keeps no other one", () => {
  using folder = new Folder()
  const left = ["1", "2", "3"].map((name) => join(folder.path, `.cosigner-making-${name}`))
  for (const path of left) {
    mkdirSync(path, { recursive: true })
    utimesSync(path, 1, 1)
  }
  const body = `
    import { mock } from "bun:test"
    import * as fs from "node:fs"
    const real = { ...fs }
    mock.module("node:fs", () => ({
      ...real,
      rmSync: (path, options) => {
        if (path === ${JSON.stringify(left[1])}) throw Object.assign(new Error("busy"), { code: "EBUSY" })
        real.rmSync(path, options)
      },
    }))
    const { clearStaleCopies } = await import(${JSON.stringify(join(import.meta.dir, "../../src/store/privateCopy.ts"))})
    clearStaleCopies(${JSON.stringify(folder.path)}, Date.now())`
  expect(Bun.spawnSync([process.execPath, "-e", body]).exitCode).toBe(0)
  expect(left.filter(existsSync)).toEqual([left[1] ?? ""])
})

test("a reader writes nothing", () => {
  using folder = new Folder()
  folder.create().close()
  using reader = folder.open(true)
  expect(codeOf(() => reader.nextBoot())).toBe("E-STO-019")
  expect(codeOf(() => reader.tasks.claim(claimOf("t1")))).toBe("E-STO-019")
  expect(reader.generation).toBe(1)
})

test("a refused second opening in the same process does not cost the first its lock", () => {
  using folder = new Folder()
  using _first = folder.create()
  expect(codeOf(() => folder.open())).toBe("E-STO-003")
  expect(codeElsewhere(folder, false)).toBe("E-STO-003")
})

test("an open that fails, and a close, let the lock go", () => {
  using folder = new Folder()
  const store = folder.create()
  store.close()
  expect(codeOf(() => store.nextBoot())).toBe("E-STO-019")
  expect(codeOf(() => store.identity())).toBe("E-STO-019")
  expect(codeElsewhere(folder, false)).toBe("none")
  using _again = folder.open()
})

test("a node keeps the file itself too: where its lock file was deleted another one still gets nothing", () => {
  using folder = new Folder()
  using store = folder.create()
  // a copy for a backup is taken in between, as a running node takes it
  store.snapshot(join(folder.path, "snapshot.db"))[Symbol.dispose]()
  Bun.spawnSync(["rm", `${folder.db}.lock`])
  expect(codeElsewhere(folder, false)).toBe("E-STO-016")
  expect(store.nextBoot()).toBe(1)
  // the next step of that code: to end whoever has the file open, and to repeat
  store.close()
  expect(codeElsewhere(folder, false)).toBe("none")
})

test("files are for their owner alone, and nothing but the file and its locks is left", () => {
  using folder = new Folder()
  const store = folder.create()
  store.nextBoot()
  for (const beside of ["-wal", ".gate"]) expect(statSync(folder.db + beside).mode & 0o777).toBe(0o600)
  // Invalid: all of it is in the file, and another file in its place is not to be given any of it.
  expect(readFileSync(`${folder.db}-wal`).subarray(0, 32)).toEqual(Buffer.alloc(32))
  store.close()
  expect(statSync(folder.db).mode & 0o777).toBe(0o600)
  expect(statSync(`${folder.db}.lock`).mode & 0o777).toBe(0o600)
  for (const rest of ["-journal", "-wal", "-shm", ".new"]) expect(existsSync(folder.db + rest)).toBe(false)
})
