/**
 * One commit that makes the file longer, between two words in `<file>.said`: `go`, and `done <generation>` or the error's code; then
 * the same commit again, should the first have failed. What the system does in between is looked at, and made to fail, by the test.
 */
import { openSync, writeSync } from "node:fs"
import { CosignerError } from "../../src/errors.ts"
import { openStore } from "../../src/store/store.ts"
import { groupNo, groupSecret, password } from "./fixtures.ts"

const [path = ""] = process.argv.slice(2)
const said = openSync(`${path}.said`, "a")
const store = openStore(path, password(), { readOnly: false })
store.probe(1) // the log is there, as it is in a node that has worked
for (const word of ["go", "again"]) {
  writeSync(said, `${word}\n`)
  try {
    store.groups.prepare(groupNo("added", 0), groupSecret(0, 3000))
    writeSync(said, `done ${store.generation}\n`)
    break
  } catch (error) {
    writeSync(said, `${error instanceof CosignerError ? error.code : String(error)}\n`)
  }
}
process.kill(process.pid, "SIGKILL")
