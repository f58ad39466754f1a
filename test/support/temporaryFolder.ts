/**
 * Folders of tests. `using folder = temporaryFolder("name")` removes it at the end of the block; one made as a file is loaded
 * goes with `afterAll(() => folder[Symbol.dispose]())`.
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface TemporaryFolder extends Disposable {
  readonly path: string
  /** A path inside it. */
  at(...names: readonly string[]): string
}

/** A new, empty folder. `name` tells in a listing of /tmp whose it is. */
export function temporaryFolder(name: string): TemporaryFolder {
  const path = realpathSync(mkdtempSync(join(tmpdir(), `cosigner-${name}-`)))
  return {
    path,
    at: (...names) => join(path, ...names),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}
