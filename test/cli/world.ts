/** A command line run in this process: what it printed, and its exit code. */

import type { Row } from "../../src/cli/row.ts"
import { run } from "../../src/cli/run.ts"

export interface Outcome {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

export async function cli(args: readonly string[], rows?: readonly Row[]): Promise<Outcome> {
  let stdout = ""
  let stderr = ""
  const write = (fd: 1 | 2, text: string) => {
    if (fd === 1) stdout += text
    else stderr += text
  }
  const exit = await run(args, { env: {}, write }, rows)
  return { exit, stdout, stderr }
}
