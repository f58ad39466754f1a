/**
 * `npm run bench`: every figure this project promises. Each file in scripts/bench/ exports functions `bench<Name>` that
 * answer rows; `--only name` runs one file, `--json` prints one object per line and nothing else to stdout.
 */
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { buildBinary } from "./toolchain.ts"

type Row = Readonly<Record<string, unknown>>

const { values } = parseArgs({
  options: { json: { type: "boolean", default: false }, only: { type: "string", multiple: true, default: [] } },
})
const folder = join(import.meta.dir, "bench")
const files = [...new Bun.Glob("*.ts").scanSync({ cwd: folder })].sort()
const names = files.map((file) => basename(file, ".ts"))
const unknown = values.only.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(", ")}; known: ${names.join(", ")}`)
  process.exit(1)
}

await buildBinary()
for (const name of names) {
  if (values.only.length > 0 && !values.only.includes(name)) continue
  const exported: Readonly<Record<string, unknown>> = await import(join(folder, `${name}.ts`))
  const benches = Object.entries(exported).filter(([key]) => /^bench[A-Z]/.test(key))
  for (const [key, bench] of benches) {
    if (typeof bench !== "function") continue
    console.error(`${name}: ${key}`)
    const rows: readonly Row[] = await bench()
    if (values.json) for (const row of rows) console.log(JSON.stringify(row))
    else console.table(rows)
  }
}
process.exit(0)
