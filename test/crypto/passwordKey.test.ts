/** What a password costs is bounded before anything is computed, wherever the cost comes from a file. */
import { Database } from "bun:sqlite"
import { describe, expect, test } from "bun:test"
import { readFileSync, writeFileSync } from "node:fs"
import { readBackup } from "../../src/backup/file.ts"
import { concat, u32be } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { DEFAULT_KDF, isAffordable, type Kdf, passwordKey } from "../../src/crypto/passwordKey.ts"
import { isCode } from "../../src/errors.ts"
import { writeBackup } from "../../src/jobs/backupWork.ts"
import { parseRecoveryFile } from "../../src/keys/recoveryFile.ts"
import { headerChecksum } from "../../src/store/header.ts"
import { openStore } from "../../src/store/store.ts"
import { Home, KDF, OTHER, PASSWORD, secret } from "../support/nodeHome.ts"

const ABSURD: readonly Kdf[] = [
  { memoryKiB: 2 ** 32 - 1, passes: 1, parallelism: 1 },
  { memoryKiB: 2 ** 20 + 1, passes: 1, parallelism: 1 },
  { memoryKiB: 65_536, passes: 65, parallelism: 1 },
  { memoryKiB: 65_536, passes: 2 ** 32 - 1, parallelism: 4 },
  { memoryKiB: 2 ** 20, passes: 5, parallelism: 4 },
  { memoryKiB: 65_536, passes: 3, parallelism: 65 },
  { memoryKiB: 31, passes: 1, parallelism: 4 },
  { memoryKiB: 64, passes: 0, parallelism: 1 },
  { memoryKiB: 64, passes: 1, parallelism: 0 },
]
const fields = ({ memoryKiB, passes, parallelism }: Kdf) => concat(u32be(memoryKiB), u32be(passes), u32be(parallelism))

/** The code that it ends with, and that it took no time that a computation would need. */
function refusedAtOnce(action: () => unknown): string {
  const begun = performance.now()
  try {
    action()
  } catch (error) {
    expect(performance.now() - begun).toBeLessThan(1_000)
    for (const code of ["E-STO-008", "E-BAK-007", "E-KEY-010", "E-KEY-012"] as const)
      if (isCode(error, code)) return code
    throw error
  }
  return "none"
}

describe("a cost beyond every bound", () => {
  test("the bounds take what this program sets, and twenty times that", () => {
    expect(isAffordable(DEFAULT_KDF)).toBe(true)
    expect(isAffordable({ memoryKiB: 1024 * 1024, passes: 4, parallelism: 4 })).toBe(true)
    for (const cost of ABSURD) {
      expect({ cost, isAffordable: isAffordable(cost) }).toEqual({ cost, isAffordable: false })
      using password = secret(PASSWORD)
      expect(() => passwordKey(password, cost, new Uint8Array(32))).toThrow(RangeError)
    }
  })
  test("in the header of a database is refused at once", () => {
    using home = new Home()
    home.create(0).close()
    using password = secret(PASSWORD)
    for (const cost of ABSURD) {
      using db = new Database(home.db, { readwrite: true })
      const row = db.query<{ box: Uint8Array }, []>("SELECT box FROM record WHERE kind = 0").get()
      const box = concat(fields(cost), row?.box.subarray(12) ?? new Uint8Array(0))
      db.query("UPDATE record SET box = ?, seal = ? WHERE kind = 0").run(box, headerChecksum(box))
      db.close()
      expect(refusedAtOnce(() => openStore(home.db, password, { readOnly: true }))).toBe("E-STO-008")
    }
  })
  test("in a backup is refused at once", async () => {
    using home = new Home()
    const path = home.file("b.cosigner")
    using sealing = secret(OTHER)
    {
      using store = home.create(0)
      using snapshot = store.snapshot(home.file("snapshot.db"))
      await writeBackup(path, snapshot, {
        password: sealing,
        chosen: undefined,
        nowMs: 1,
        pause: async () => {},
        kdf: KDF,
      })
    }
    const good = readFileSync(path)
    for (const cost of ABSURD) {
      const head = concat(good.subarray(0, 10), fields(cost), good.subarray(22, 70))
      writeFileSync(path, concat(head, sha256(head), good.subarray(102)))
      expect(refusedAtOnce(() => readBackup(path, sealing).next())).toBe("E-BAK-007")
    }
    writeFileSync(path, good)
    expect(readBackup(path, sealing).next().done).toBe(false)
  })
  test("in a recovery file is refused at once, for one share and for all of them together", () => {
    const path = new URL("../vectors/recovery-files.json", import.meta.url).pathname
    const text = JSON.stringify(firstFile(JSON.parse(readFileSync(path, "utf8"))))
    const withIterations = (count: number, salt: (n: number) => string, groups: number): string => {
      const [group] = JSON.parse(text).recovery_groups
      const made = Array.from({ length: groups }, (_, n) => {
        const copy = structuredClone(group)
        copy.group_info.id = `group-${n}`
        copy.share_info.kdf.iterations = count
        copy.share_info.kdf.salt = salt(n)
        return copy
      })
      return JSON.stringify({ recovery_groups: made })
    }
    const same = () => `0x${"00".repeat(32)}`
    const own = (n: number) => `0x${n.toString(16).padStart(64, "0")}`
    expect(refusedAtOnce(() => parseRecoveryFile(withIterations(10_000_000, same, 1), "f"))).toBe("none")
    for (const count of [10_000_001, 2 ** 31 - 1]) {
      expect(refusedAtOnce(() => parseRecoveryFile(withIterations(count, same, 1), "f"))).toBe("E-KEY-012")
    }
    expect(refusedAtOnce(() => parseRecoveryFile(withIterations(10_000_000, same, 201), "f"))).toBe("none")
    expect(refusedAtOnce(() => parseRecoveryFile(withIterations(10_000_000, own, 201), "f"))).toBe("E-KEY-010")
  })
})

/** The first recovery file anywhere in the vectors. */
function firstFile(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return undefined
  if ("recovery_groups" in value) return value
  for (const inner of Object.values(value)) {
    const found = firstFile(inner)
    if (found !== undefined) return found
  }
  return undefined
}
