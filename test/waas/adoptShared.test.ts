/** Adopting on a shared store: the way out where a Postgres was restored from an older copy (long suite). */
import { afterAll, describe, expect, test } from "bun:test"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../src/bytes.ts"
import { silentLog } from "../../src/log.ts"
import { adopt } from "../../src/waas/adopt.ts"
import { readConfig } from "../../src/waas/config.ts"
import { filesIn, readKeyFile } from "../../src/waas/files.ts"
import { waasInit } from "../../src/waas/keys.ts"
import { startWaas } from "../../src/waas/server.ts"
import type { SignedWaasToken } from "../../src/wire/waasToken.ts"
import { startNode } from "../link/world.ts"
import { startPostgres, type TestPostgres, whyNoPostgres } from "../support/postgres.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { must } from "../support/waas.ts"
import { newIdentity } from "../wire/documents.ts"

const forever = new AbortController().signal

describe.skipIf(whyNoPostgres !== undefined)("a shared store", () => {
  const dir = temporaryFolder("adopt-shared").path
  let server: TestPostgres | undefined
  afterAll(() => {
    server?.[Symbol.dispose]()
    rmSync(dir, { recursive: true, force: true })
  })

  test("its copy from before is refused by whoever followed the later one, until it is adopted", async () => {
    server = startPostgres(["fsync=off"])
    const folder = join(dir, "waas")
    await waasInit(folder, Date.now())
    const files = filesIn(folder)
    const identity = newIdentity()
    const followed: SignedWaasToken[] = []
    const memory = { latest: () => followed.at(-1), follow: (token: SignedWaasToken) => void followed.push(token) }
    const on = async (url: string) => {
      writeFileSync(files.config, `[waas.store]\nurl = "${url}"\n`, { mode: 0o600 })
      return readConfig(files, "127.0.0.1:0")
    }
    const { publicKey } = readKeyFile(files).tasks
    const later = await on(await server.database())
    const first = must(await startWaas(later, files, silentLog, forever))
    const dial = (waas: { readonly url: string }) =>
      startNode(
        { identity: { ...newIdentity(), publicKey }, port: Number(new URL(waas.url).port) },
        { identity, followed: memory },
      )
    // No group names it, so it is not let in; what it was shown is written down all the same, and so is a second start's mark.
    const node = dial(first)
    await node.ended("E-LNK-005")
    node.link.stop()
    await first.stop()
    const again = must(await startWaas(later, files, silentLog, forever))
    const back = dial(again)
    await back.ended("E-LNK-005")
    back.link.stop()
    await again.stop()
    expect(followed.map(({ token }) => token.mark)).toEqual([1, 2])

    // As it was before the first start.
    const copy = await on(await server.database())
    const older = must(await startWaas(copy, files, silentLog, forever))
    const refused = dial(older)
    await refused.ended("E-LNK-022")
    refused.link.stop()
    expect((await fetch(`${older.url}/readyz`)).status).toBe(503)
    await older.stop()

    const adopted = await adopt(copy, files, { nodeIds: [identity.nodeId], limitMs: 500, log: silentLog })
    expect(adopted).toMatchObject({ isNewDatabase: false, silent: [identity.nodeId], vaults: [] })
    const newest = must(await startWaas(copy, files, silentLog, forever))
    const welcome = dial(newest)
    await welcome.ended("E-LNK-005")
    welcome.link.stop()
    await newest.stop()
    expect(toHex(followed.at(-1)?.token.markId ?? new Uint8Array(0))).not.toBe("")
    expect(followed.at(-1)?.token.incarnation).toBeGreaterThan(1_700_000_000_000)
  }, 120_000)
})
