/** What the seal of a recovery file leaves in memory: nothing of the password, the keys that it makes and the shares. */
import { expect, spyOn, test } from "bun:test"
import { curveNamed } from "../../src/crypto/curve.ts"
import { OpeningKeys, openShare, type SealedShare, sealer } from "../../src/keys/recoveryBox.ts"
import { Secret } from "../../src/secret.ts"
import { stream } from "./groups.ts"
import { PASSWORD, secret } from "./recoveryFixtures.ts"

const SCALAR = 0x1234567890abcdefn
const share = () => Secret.take(curveNamed("secp256k1").encodeScalar(SCALAR))

/** How many secrets `work` made; each is wiped by now, and so is what the runtime gave to copy from. */
function wipedBy(work: () => void): number {
  const [from, take] = [spyOn(Secret, "from"), spyOn(Secret, "take")]
  try {
    work()
    const made = [...from.mock.results, ...take.mock.results].flatMap(({ value }) =>
      value instanceof Secret ? [value] : [],
    )
    for (const one of made) expect(() => one.expose()).toThrow("wiped")
    for (const [copied] of from.mock.calls) expect(copied.every((byte) => byte === 0)).toBe(true)
    return made.length
  } finally {
    from.mockRestore()
    take.mockRestore()
  }
}

const sealed = (): SealedShare => {
  using sealing = sealer(secret(PASSWORD), stream("box"), 10)
  return { version: 3, ...sealing.share("secp256k1", share()) }
}

test("sealing leaves neither the derived key nor a share", () => {
  const [password, own] = [secret(PASSWORD), share()]
  const count = wipedBy(() => {
    using sealing = sealer(password, stream("box"), 10)
    sealing.share("secp256k1", own)
  })
  expect(count).toBe(3)
  // What its caller handed over is its caller's.
  expect([password.length, own.expose().length]).toEqual([PASSWORD.length, 32])
})

test("opening leaves neither, with the right password, a wrong one and a box that is damaged", () => {
  const box = sealed()
  const damaged = { ...box, box: box.box.with(20, (box.box[20] ?? 0) ^ 1) }
  for (const [text, one, found, count] of [
    [PASSWORD, box, SCALAR, 3],
    [`${PASSWORD}.`, box, undefined, 1],
    [PASSWORD, damaged, undefined, 1],
    // In version 1 the share stands alone in the box: these words are too long to be one.
    [PASSWORD, { ...box, version: 1 }, undefined, 3],
  ] as const) {
    const password = secret(text)
    const made = wipedBy(() => {
      using keys = new OpeningKeys(password)
      expect(openShare(one, "secp256k1", keys)).toEqual(found)
      // One derivation for all boxes of a salt.
      expect(openShare(one, "secp256k1", keys)).toEqual(found)
    })
    expect(made).toBe(2 * count - 1)
  }
})
