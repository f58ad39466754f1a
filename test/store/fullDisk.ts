/** A disk without room, for commits of this process: fails before anything of a commit is written. */
import { spyOn } from "bun:test"
import { SecretsFile } from "../../src/store/file.ts"

/** Until it is disposed. */
export function fullDisk(): Disposable {
  return spyOn(SecretsFile.prototype, "commit").mockImplementation(() => {
    throw Object.assign(new Error("database or disk is full"), { code: "SQLITE_FULL" })
  })
}
