/** Which key doctor has WaaS prove: the operator's decision above the file's key, and no certainty without the database. */
import { expect, test } from "bun:test"
import { keyInForce } from "../../src/cli/doctor/waasKey.ts"
import { Home } from "../support/nodeHome.ts"
import { newIdentity } from "../wire/documents.ts"

const [old, trusted, stranger] = [newIdentity().publicKey, newIdentity().publicKey, newIdentity().publicKey]

test("the file's key, until the operator decides; then the trusted one, whatever older key the file names", () => {
  using home = new Home()
  using store = home.create(0)
  expect(keyInForce(store, old)).toMatchObject({ key: old, isCertain: true, finding: { level: "ok" } })
  store.waas.decide(trusted, old, 7)
  expect(keyInForce(store, trusted)).toMatchObject({ key: trusted, finding: { level: "ok" } })
  expect(keyInForce(store, old)).toMatchObject({ key: trusted, finding: { level: "warning", code: "E-LNK-024" } })
  const { key, finding } = keyInForce(store, stranger)
  expect([key, finding.level, finding.code]).toEqual([undefined, "failure", "E-LNK-025"])
})

test("without the database it is the file's, and that it may be another is said", () => {
  const { key, isCertain, finding } = keyInForce(undefined, old)
  expect([key, isCertain, finding.level]).toEqual([old, false, "skipped"])
  expect(finding.text).toContain("not known here")
})
