/**
 * A process that runs command lines one after another, in the folder it stands in and without a terminal, and keeps what each
 * of them wrote. The command lines are in the first file that it is given, the refusals go to the second.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { run } from "../../../src/cli/run.ts"

const LIMIT_MS = 15_000

export interface Refusal {
  readonly argv: readonly string[]
  /** null: it did not end. */
  readonly exit: number | null
  readonly text: string
}

if (import.meta.main) {
  const lines: string[][] = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))
  const out: Refusal[] = []
  for (const argv of lines) {
    let text = ""
    const write = (_: 1 | 2, piece: string) => {
      text += piece
    }
    const exit = await Promise.race([run(argv, { env: {}, write }), Bun.sleep(LIMIT_MS).then(() => null)])
    out.push({ argv, exit, text })
  }
  writeFileSync(process.argv[3] ?? "", JSON.stringify(out))
  process.exit(0)
}
