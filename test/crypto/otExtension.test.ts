import { expect, test } from "bun:test"
import { type Bytes, copy, equal } from "../../src/bytes.ts"
import { COLUMN_WORDS } from "../../src/crypto/bits.ts"
import { H, XOF } from "../../src/crypto/frame.ts"
import { checkBits } from "../../src/crypto/gf128.ts"
import { extend, extensionId, extensionLength, padsId, receive } from "../../src/crypto/otExtension.ts"
import { N_C } from "../../src/crypto/parameters.ts"
import { expandAlice, expandBob, TREES } from "../../src/crypto/pprf.ts"
import { dealtTrees } from "../mpc/dkls/group.ts"
import { seededRng } from "../mpc/network.ts"
import { cheat } from "./cheatingBob.ts"

const rng = seededRng("ot extension")
const { alice, bob } = dealtTrees(rng)
const A = expandAlice(alice)
const B = expandBob(bob)
const LENGTH = 416
const psid1 = rng(32)
const honest = extend(B, psid1, LENGTH, rng)
const U = TREES * 4 * ((LENGTH + 128) / 32)
const passes = (message: Bytes): boolean => receive(A, psid1, LENGTH, message).passed
const flipped = (at: number, mask = 1): Bytes => {
  const bad = copy(honest.message)
  bad[at] = (bad[at] ?? 0) ^ mask
  return bad
}

test("ideal functionality: columns differ by Delta exactly where Bob's bit is set", () => {
  for (const length of [416, 832, 1248]) {
    const sent = extend(B, psid1, length, rng)
    const got = receive(A, psid1, length, sent.message)
    expect(got.passed).toBe(true)
    for (let j = 0; j < length; j++) {
      const bit = ((sent.choices[j >> 5] ?? 0) >>> (j & 31)) & 1
      for (let w = 0; w < COLUMN_WORDS; w++) {
        const at = COLUMN_WORDS * j + w
        const difference = (sent.columns[at] ?? 0) ^ (got.columns[at] ?? 0)
        expect(difference >>> 0).toBe(bit === 1 ? (got.delta[w] ?? 0) : 0)
      }
    }
  }
})

test("sizes of threshold.md 12", () => {
  expect(extensionLength(416)).toBe(TREES * 68 + 16 + N_C * 16)
  expect(honest.message.length).toBe(16 + 4224 * (N_C / 128))
})

test("any bit of x_hat or t_hat that is altered fails the check", () => {
  expect(passes(honest.message)).toBe(true)
  for (let at = U; at < honest.message.length; at += 37) expect(passes(flipped(at, 1 << (at % 8)))).toBe(false)
})

test("regression 10: chi depends on every part of u and on psid1", () => {
  // t_hat and x_hat were made for the u that was sent: under any other chi they are wrong in nearly every row.
  for (let tree = 0; tree < TREES; tree++) {
    if (A.delta[tree] === 0) continue
    for (const word of [0, 7, 12, 13, 16]) expect(passes(flipped(68 * tree + 4 * word, 0x80))).toBe(false)
  }
  const other = copy(psid1)
  other[31] = (other[31] ?? 0) ^ 1
  expect(receive(A, other, LENGTH, honest.message).passed).toBe(false)
})

test("regression 10: a Bob that predicted chi from the u before his change does not pass", () => {
  // Flip choice bit 5 of one tree and compensate in its mask bits so that f = 0 under the chi of the unchanged u.
  const tree = A.delta.findIndex((nibble) => nibble !== 0)
  const chi = new Uint32Array(XOF(64, "ote/chi", H("ote/u", psid1, honest.message.slice(0, U))).buffer)
  const change = new Uint32Array(17)
  change[0] = 1 << 5
  change.set(checkBits(change, LENGTH, chi), 13)
  expect([...checkBits(change, LENGTH, chi)]).toEqual([0, 0, 0, 0])
  const bad = copy(honest.message)
  const bytes = new Uint8Array(change.buffer)
  for (const [i, byte] of bytes.entries()) bad[68 * tree + i] = (bad[68 * tree + i] ?? 0) ^ byte
  expect(passes(bad)).toBe(false)
})

test("regression 13: the check is row by row: errors that cancel in a sum of rows do not pass", () => {
  const bad = copy(honest.message)
  const tHat = U + 16
  // The same error in rows 3 and 40: a check of all rows added up (the flawed KOS check) would see nothing.
  bad[tHat] = (bad[tHat] ?? 0) ^ (1 << 3)
  bad[tHat + 5] = (bad[tHat + 5] ?? 0) ^ 1
  expect(passes(bad)).toBe(false)
})

test("a guessed nibble passes exactly when it is right", () => {
  const tree = 9
  for (let nibble = 0; nibble < 16; nibble++) {
    const message = cheat(B, psid1, LENGTH, rng, { tree, nibble })
    expect(passes(message)).toBe(nibble === A.delta[tree])
  }
})

test("regression 26, negative control: without the ban rule Delta falls in about 270 sessions", () => {
  let sessions = 0
  const found = Array.from({ length: TREES }, (_, tree) => {
    for (let nibble = 0; nibble < 16; nibble++) {
      sessions++
      const fresh = rng(32)
      const message = cheat(B, fresh, LENGTH, rng, { tree, nibble })
      if (receive(A, fresh, LENGTH, message).passed) return nibble
    }
    return -1
  })
  expect(found).toEqual([...A.delta])
  expect(sessions).toBeGreaterThan(4.7 * TREES)
  expect(sessions).toBeLessThan(13.1 * TREES)
})

test("regression 8: another session or another nonce makes other streams and other pads", () => {
  const [sid, pair, x, y, nonce] = [rng(32), rng(32), rng(32), rng(32), rng(32)] as const
  const id = extensionId(sid, pair, x, y, nonce)
  const fields = [sid, pair, x, y, nonce] as const
  for (let i = 0; i < fields.length; i++) {
    const [a, b, c, d, e] = fields.map((field, k) => (k === i ? rng(32) : field)) as [Bytes, Bytes, Bytes, Bytes, Bytes]
    expect(equal(extensionId(a, b, c, d, e), id)).toBe(false)
  }
  // Pads are bound to Alice's nonce too: the same message of Bob twice does not repeat them.
  expect(equal(padsId(id, rng(32), honest.message), padsId(id, rng(32), honest.message))).toBe(false)
  expect(equal(padsId(id, nonce, honest.message), padsId(id, nonce, flipped(U)))).toBe(false)
  const again = extend(B, rng(32), LENGTH, rng)
  expect(equal(again.message.slice(0, U), honest.message.slice(0, U))).toBe(false)
})

test("a message of another length is refused", () => {
  expect(() => receive(A, psid1, LENGTH, honest.message.slice(1))).toThrow(RangeError)
})

test("disposal wipes", () => {
  const sent = extend(B, psid1, LENGTH, rng)
  const got = receive(A, psid1, LENGTH, sent.message)
  sent[Symbol.dispose]()
  got[Symbol.dispose]()
  for (const words of [sent.columns, sent.choices, got.columns, got.delta]) {
    expect(words.every((word) => word === 0)).toBe(true)
  }
})
