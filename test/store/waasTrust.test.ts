/** Which WaaS a node trusts and follows: durable, over backups too, and above what the file says. */
import { expect, test } from "bun:test"
import { copy, toHex } from "../../src/bytes.ts"
import { CosignerError } from "../../src/errors.ts"
import { trustedWaasKey, trustWaas } from "../../src/ops/inventory/waasTrust.ts"
import { openStore, snapshotOf } from "../../src/store/store.ts"
import { importStore, type StoredRecord } from "../../src/store/transfer.ts"
import { signToken } from "../../src/wire/waasToken.ts"
import { Home, PASSWORD, secret } from "../support/nodeHome.ts"
import { newIdentity } from "../wire/documents.ts"

const [one, other, third] = [newIdentity(), newIdentity(), newIdentity()]
const token = (mark: number) => signToken(one, { incarnation: 1, mark, markId: new Uint8Array(16).fill(mark) })
const codeOf = (action: () => unknown): unknown => {
  try {
    action()
    return "none"
  } catch (error) {
    return error instanceof CosignerError ? error.code : error
  }
}

test("what was followed and decided is there after a start, and after a restore", () => {
  using home = new Home()
  using password = secret(PASSWORD)
  {
    using store = home.create(0)
    expect([store.waas.followed(one.publicKey), store.waas.decision()]).toEqual([undefined, undefined])
    store.waas.follow(one.publicKey, token(3))
    store.waas.follow(one.publicKey, token(4))
    trustWaas(store, other.publicKey, one.publicKey, 7)
  }
  using snapshot = snapshotOf(home.db, password, home.file("snapshot.db"))
  const records: StoredRecord[] = []
  for (const record of snapshot.records(undefined)) {
    if (record !== undefined) records.push({ ...record, body: copy(record.body) })
  }
  const restored = home.file("restored.db")
  importStore(restored, password, records, { kdf: { memoryKiB: 8, passes: 1, parallelism: 1 }, nowMs: 9 })
  for (const path of [home.db, restored]) {
    using store = openStore(path, password, { readOnly: true })
    expect(store.waas.followed(one.publicKey)).toEqual(token(4))
    expect(store.waas.decision()).toEqual({ waasKey: other.publicKey, replaced: [one.publicKey], decidedMs: 7 })
    expect(store.verify()).toBeGreaterThan(0)
  }
})

test("the decision stands above a key in the file that it replaced; a key that nobody decided on stops the start", () => {
  using home = new Home()
  using store = home.create(0)
  const told: string[] = []
  const inForce = (configured: typeof one) =>
    trustedWaasKey(store, configured.publicKey, (warning) => void told.push(warning.code))
  expect(inForce(one)).toEqual(one.publicKey)
  trustWaas(store, other.publicKey, one.publicKey, 1)
  expect(inForce(other)).toEqual(other.publicKey)
  expect(told).toEqual([])
  expect(inForce(one)).toEqual(other.publicKey)
  expect(told).toEqual(["E-LNK-024"])
  expect(codeOf(() => inForce(third))).toBe("E-LNK-025")
  // Back again is a decision too, and with the same key the node forgets how far it had come.
  trustWaas(store, one.publicKey, other.publicKey, 2)
  expect(inForce(one)).toEqual(one.publicKey)
  expect(store.waas.decision()?.replaced).toEqual([other.publicKey])
  store.waas.follow(one.publicKey, token(5))
  trustWaas(store, one.publicKey, one.publicKey, 3)
  expect(store.waas.followed(one.publicKey)).toBeUndefined()
  expect(store.waas.decision()?.replaced).toEqual([other.publicKey])
})

test("where the node follows a bundle, its owners say which WaaS counts and not its host", () => {
  using home = new Home()
  using store = home.create(0)
  const document = `[bundle]\nversion = 1\nowners = "owners"\nmin = 1\ndelay = "24h"\n[websocket]\nwaas_public_key = "${toHex(one.publicKey)}"\n`
  const inForce = (configured: typeof one) => trustedWaasKey(store, configured.publicKey, () => {})
  // decided before, and told by the owners to follow the key that was given up
  trustWaas(store, other.publicKey, one.publicKey, 1)
  store.policies.adopt({ version: 1, digest: "aa".repeat(32), document, owners: ["alice"] }, 2)
  expect(codeOf(() => inForce(one))).toBe("E-LNK-025")
  expect(codeOf(() => trustWaas(store, third.publicKey, one.publicKey, 3))).toBe("E-POL-012")
  trustWaas(store, one.publicKey, other.publicKey, 4)
  expect(inForce(one)).toEqual(one.publicKey)
})
