/** Commits and copies of one file keep apart; whoever hangs in a copy keeps nobody from anything for long. */
import { expect, test } from "bun:test"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { CopyGate } from "../../src/store/gate.ts"
import { Folder } from "./fixtures.ts"

const SOURCE = join(import.meta.dir, "../../src/store")
const WAIT_MS = 200

function gates(folder: Folder): { readonly node: CopyGate; readonly copier: CopyGate } & Disposable {
  folder.create().close()
  const node = CopyGate.ofWriter(folder.db, WAIT_MS)
  const copier = CopyGate.ofReader(folder.db, 0)
  if (copier === undefined) throw new Error("the node has made it")
  const close = (): void => {
    for (const gate of [node, copier]) gate[Symbol.dispose]()
  }
  return { node, copier, [Symbol.dispose]: close }
}

test("no copy begins in a commit", () => {
  using folder = new Folder()
  using both = gates(folder)
  const commit = both.node.alone()
  expect(() => both.copier.shared()).toThrow("locked")
  commit[Symbol.dispose]()
  both.copier.shared()[Symbol.dispose]()
})

test("a lock that fails in another way lets no commit through", () => {
  using folder = new Folder()
  using both = gates(folder)
  both.node[Symbol.dispose]()
  expect(() => both.node.alone()).toThrow()
})

test("a copier that hangs is waited for once; when it is gone, commits and copies keep apart again", () => {
  using folder = new Folder()
  using both = gates(folder)
  const hangs = both.copier.shared()
  const begunMs = performance.now()
  for (let commit = 0; commit < 50; commit++) both.node.alone()[Symbol.dispose]()
  const tookMs = performance.now() - begunMs
  expect(tookMs).toBeGreaterThan(WAIT_MS / 2)
  expect(tookMs).toBeLessThan(25 * WAIT_MS)
  hangs[Symbol.dispose]()
  {
    using _commit = both.node.alone()
    expect(() => both.copier.shared()).toThrow("locked")
  }
  // and the next one is waited for as the first was
  using _again = both.copier.shared()
  const secondMs = performance.now()
  both.node.alone()[Symbol.dispose]()
  expect(performance.now() - secondMs).toBeGreaterThan(WAIT_MS / 2)
})

test("a node commits although somebody was stopped in a copy", async () => {
  using folder = new Folder()
  using node = folder.create()
  const body = `
    import { CopyGate } from ${JSON.stringify(join(SOURCE, "gate.ts"))}
    globalThis.held = CopyGate.ofReader(${JSON.stringify(folder.db)}).shared()
    console.log("copying")
    setInterval(() => {}, 1000)`
  const stopped = Bun.spawn([process.execPath, "-e", body], { stdout: "pipe" })
  try {
    for await (const _ of stopped.stdout) break
    stopped.kill("SIGSTOP")
    expect([1, 2, 3].map(() => node.nextBoot())).toEqual([1, 2, 3])
  } finally {
    stopped.kill("SIGKILL")
    await stopped.exited
  }
}, 13_000) // one wait of 5 s, not three

/** Opens the file to read it, in a process where it is written to after each of the first `writes` copies. */
function readBesideWriter(folder: Folder, writes: number): string {
  const body = `
    import { mock } from "bun:test"
    import * as fs from "node:fs"
    const real = { ...fs }
    let left = ${writes}
    mock.module("node:fs", () => ({
      ...real,
      copyFileSync: (from, ...to) => {
        real.copyFileSync(from, ...to)
        if (left-- > 0) real.utimesSync(from, 1, 10 + left)
      },
    }))
    const { openStore } = await import(${JSON.stringify(join(SOURCE, "store.ts"))})
    const { codeOf, password } = await import(${JSON.stringify(join(import.meta.dir, "fixtures.ts"))})
    const open = () => openStore(${JSON.stringify(folder.db)}, password(), { readOnly: true })
    const first = codeOf(open)
    console.log(first, codeOf(open))`
  return Bun.spawnSync([process.execPath, "-e", body]).stdout.toString().trim()
}

test("a copy that was written into is made again, three times at most; the next step, to repeat, is true", () => {
  using folder = new Folder()
  folder.create().close()
  expect(readBesideWriter(folder, 0)).toBe("none none")
  expect(readBesideWriter(folder, 2)).toBe("none none")
  expect(readBesideWriter(folder, 3)).toBe("E-STO-034 none")
  expect(readdirSync(folder.path).filter((name) => !name.startsWith("secrets.db"))).toEqual([])
})
