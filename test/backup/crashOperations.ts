/** The operations of the crash matrix, cheap passwords and all. Imported by the child after it has laid its traps. */
import { join } from "node:path"
import { changeWithKeyFile } from "../../src/config/passwordChange.ts"
import { nameProven, restoreBackup, writeBackup } from "../../src/jobs/backupWork.ts"
import { scratchBeside, unprovenOf } from "../../src/jobs/scratch.ts"
import type { Secret } from "../../src/secret.ts"
import { migrate, planMigration } from "../../src/store/migrate.ts"
import { reencrypt } from "../../src/store/reencrypt.ts"
import { openStore, snapshotOf } from "../../src/store/store.ts"
import { KDF, OTHER, PASSWORD, secret } from "../support/nodeHome.ts"

export interface Scene {
  readonly home: string
  readonly db: string
  readonly file: string
  readonly kdf: typeof KDF
  readonly secret: (text: string) => Secret
  readonly PASSWORD: string
  readonly OTHER: string
}

export const NEXT_STEP = [{ from: 3, what: "a step that changes nothing", run: () => {} }]

export const STEPS: Readonly<Record<string, (scene: Scene) => Promise<void>>> = {
  async backup({ db, file }) {
    using password = secret(PASSWORD)
    using sealing = secret(OTHER)
    using scratch = scratchBeside(file, Date.now())
    using snapshot = snapshotOf(db, password, join(scratch.path, "snapshot.db"))
    const of = { password: sealing, chosen: undefined, nowMs: 1, pause: async () => {}, kdf: KDF }
    await writeBackup(unprovenOf(file), snapshot, of)
    nameProven(file)
  },
  async restore({ home, file }) {
    using sealing = secret(OTHER)
    using password = secret(PASSWORD)
    restoreBackup(file, sealing, { db: join(home, "restored", "secrets.db"), password, nowMs: 1, kdf: KDF })
  },
  async changePassword({ db }) {
    using password = secret(PASSWORD)
    using next = secret(OTHER)
    using store = openStore(db, password, { readOnly: false })
    store.changePassword(next, KDF)
  },
  async changeKeyFile({ home, db }) {
    using password = secret(PASSWORD)
    using next = secret(OTHER)
    await changeWithKeyFile({ path: db, key_file: join(home, "password") }, { before: password, next }, async () => {
      using store = openStore(db, password, { readOnly: false })
      store.changePassword(next, KDF)
    })
  },
  async reencrypt({ db }) {
    using password = secret(PASSWORD)
    using next = secret(OTHER)
    reencrypt(db, { password, next, kdf: KDF, progress: () => {} })
  },
  async migrate({ db }) {
    migrate(db, planMigration(db, 4, NEXT_STEP), 1)
  },
}

export { KDF, OTHER, PASSWORD, secret }
