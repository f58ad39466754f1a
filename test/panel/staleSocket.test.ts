/** Whose socket a start may remove. */
import { expect, test } from "bun:test"
import { chmodSync, existsSync, renameSync } from "node:fs"
import { join } from "node:path"
import { removeStale } from "../../src/panel/staleSocket.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const STRANGER = 65_534

test("one that nobody listens on goes; one that cannot be asked stays", async () => {
  using folder = temporaryFolder("stale")
  chmodSync(folder.path, 0o777)
  const path = join(folder.path, "node.sock")
  const kept = join(folder.path, "kept.sock")
  const listener = Bun.listen({ unix: path, socket: { data() {} } })
  chmodSync(path, 0o600)
  process.seteuid?.(STRANGER)
  try {
    await expect(removeStale(path)).rejects.toThrow("another process listens there")
  } finally {
    process.seteuid?.(0)
  }
  expect(existsSync(path)).toBe(true)
  renameSync(path, kept)
  listener.stop(true)
  renameSync(kept, path)
  await removeStale(path)
  expect(existsSync(path)).toBe(false)
})
