/**
 * Every kind of record has a number of its own, and whoever handles records by kind knows all of them: the thorough check, the new
 * encryption, the backup and the restore. A kind that one of them forgets would be found by an operator.
 */
import { expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const STORE = join(import.meta.dir, "../../src/store")
const text = (file: string): string =>
  readFileSync(join(STORE, file), "utf8").replace(/^import [^;]*? from [^\n]*/gm, "")
const names = (source: string): ReadonlySet<string> => new Set(source.match(/\b[A-Z][A-Z_]+\b/g))

/** The kinds by the name of their constant; the two that are no record of a database of their own are left out. */
async function kinds(): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>()
  for (const file of new Bun.Glob("*.ts").scanSync({ cwd: STORE })) {
    const module: Readonly<Record<string, unknown>> = await import(join(STORE, file))
    for (const [name, value] of Object.entries(module)) {
      if (typeof value !== "object" || value === null || !("byte" in value) || !("codec" in value)) continue
      if (typeof value.byte === "number") found.set(name, value.byte)
    }
  }
  found.delete("EPOCH_SHARE")
  found.delete("ENCODED_GROUP_SECRET")
  return found
}

test("no two kinds have one number", async () => {
  const found = [...(await kinds()).values()]
  expect(found.length).toBeGreaterThan(30)
  expect(found).toEqual([...new Set(found)])
})

test("every kind is checked, encrypted again, backed up or left out, and restored", async () => {
  const all = [...(await kinds()).keys()].filter((name) => name !== "ROOT")
  const missing = (file: string, of = all): readonly string[] => of.filter((name) => !names(text(file)).has(name))
  expect(missing("check.ts")).toEqual([])
  expect(missing("reencrypt.ts")).toEqual([])
  expect(missing("snapshot.ts")).toEqual([])
  // These concern the file that they are in. A restore does not take them over.
  expect(new Set(missing("transfer.ts"))).toEqual(new Set(["PROBE", "CHECKUP", "LOG_DOUBT"]))
})
