/** A node's database that opens at once: for tests that start nodes again and again. What a password costs is tested elsewhere. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Secret } from "../../src/secret.ts"
import { openStore } from "../../src/store/store.ts"

/** `dir` is the node's folder, with its password in `.password`; the node does not run. */
export function openCheaply({ dir }: { readonly dir: string }): void {
  using password = Secret.from(readFileSync(join(dir, ".password")))
  using store = openStore(join(dir, "db", "secrets.db"), password, { readOnly: false })
  store.changePassword(password, { memoryKiB: 64, passes: 1, parallelism: 1 })
}
