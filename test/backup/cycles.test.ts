/** Backup, wipe, restore, again and again: nothing is lost on the way, and every life is later than the one before. */
import { expect, test } from "bun:test"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../src/bytes.ts"
import { proveBackup, restoreBackup, writeBackup } from "../../src/jobs/backupWork.ts"
import { openStore } from "../../src/store/store.ts"
import { addGroup, Home, ID, KDF, OTHER, PASSWORD, secret } from "../support/nodeHome.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const CYCLES = LONG ? 1000 : 12

test(
  `${CYCLES} times backup, wipe, restore`,
  async () => {
    using home = new Home()
    using password = secret(PASSWORD)
    using sealing = secret(OTHER)
    home.create().close()
    let incarnation = 0
    let share = ""
    for (let n = 1; n <= CYCLES; n++) {
      const file = home.file("backups/b")
      {
        using store = openStore(home.db, password, { readOnly: false })
        expect(store.boot).toBe(n - 1)
        store.nextBoot()
        if (n % 100 === 0) addGroup(store, 0, ID(100 + n))
        const group = store.groups.active(ID(1))
        if (group === undefined) throw new Error("the group is lost")
        const opened = store.groups.open(group.groupId, group.epochId)
        const now = toHex(opened.share.expose())
        opened.share.wipe()
        expect(now).toBe(share || now)
        share = now
        using snapshot = store.snapshot(join(home.path, "snapshot.db"))
        await writeBackup(file, snapshot, {
          password: sealing,
          chosen: undefined,
          nowMs: n,
          pause: async () => {},
          kdf: KDF,
        })
      }
      if (n % 50 === 1) expect(proveBackup(file, sealing, n).imported.proven).toBeGreaterThanOrEqual(2)
      rmSync(home.db)
      const { imported } = restoreBackup(file, sealing, { db: home.db, password, nowMs: n, kdf: KDF })
      expect(imported.incarnation).toBeGreaterThan(incarnation)
      incarnation = imported.incarnation
      rmSync(file)
    }
  },
  LONG ? 1_200_000 : 30_000,
)
