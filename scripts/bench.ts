/**
 * `npm run bench`: every figure this project promises. Each file in scripts/bench/ exports functions `bench<Name>` that
 * answer rows; `--only name` runs one file, `--json` prints one object per line and nothing else to stdout. `--compare FILE` puts the times
 * of another program beside rows of the same op, t and n: one JSON object per line, as `--json` has it, with `ms_per_party`.
 */
import { readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { parseArgs } from "node:util"
import { buildBinary } from "./toolchain.ts"

type Row = Readonly<Record<string, unknown>>

const { values } = parseArgs({
  options: {
    json: { type: "boolean", default: false },
    only: { type: "string", multiple: true, default: [] },
    compare: { type: "string" },
  },
})
const folder = join(import.meta.dir, "bench")
const files = [...new Bun.Glob("*.ts").scanSync({ cwd: folder })].sort()
const names = files.map((file) => basename(file, ".ts"))
const unknown = values.only.filter((name) => !names.includes(name))
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(", ")}; known: ${names.join(", ")}`)
  process.exit(1)
}

const others = values.compare === undefined ? [] : readRows(values.compare)

await buildBinary()
for (const name of names) {
  if (values.only.length > 0 && !values.only.includes(name)) continue
  const exported: Readonly<Record<string, unknown>> = await import(join(folder, `${name}.ts`))
  const benches = Object.entries(exported).filter(([key]) => /^bench[A-Z]/.test(key))
  for (const [key, bench] of benches) {
    if (typeof bench !== "function") continue
    console.error(`${name}: ${key}`)
    const rows: readonly Row[] = (await bench()).map(compared)
    if (values.json) for (const row of rows) console.log(JSON.stringify(row))
    else console.table(rows)
  }
}
process.exit(0)

function readRows(path: string): readonly Row[] {
  const lines = readFileSync(path, "utf8").split("\n")
  return lines.filter((line) => line.trim() !== "").map((line): Row => JSON.parse(line))
}

/** With the other program's time, and how often it goes into ours. */
function compared(row: Row): Row {
  const other = others.find(({ op, t, n }) => op === row["op"] && t === row["t"] && n === row["n"])
  const [ours, theirs] = [Number(row["ms_per_party"]), Number(other?.["ms_per_party"])]
  return Number.isFinite(ours / theirs)
    ? { ...row, other_ms: theirs, ratio: Math.round((100 * ours) / theirs) / 100 }
    : row
}
