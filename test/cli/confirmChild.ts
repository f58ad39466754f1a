/** Run on a terminal by confirm.test.ts: asks, and tells what came of it. */
import { requireYes } from "../../src/cli/approve/ask.ts"
import { CosignerError } from "../../src/errors.ts"

try {
  await requireYes("Approve it")
  process.stdout.write("signed\n")
} catch (error) {
  process.stdout.write(`${error instanceof CosignerError ? `${error.code} ${error.message}` : "another error"}\n`)
}
