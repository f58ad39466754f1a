import { expect, test } from "bun:test"
import { utf8 } from "../../src/bytes.ts"
import { commitTo, opens, type Purpose, type Speaker } from "../../src/crypto/commit.ts"

const fill = (value: number) => new Uint8Array(32).fill(value)
const speaker: Speaker = { nodeId: fill(1), shareId: fill(2) }
const [sid, salt, message] = [fill(3), fill(4), utf8("polynomial and chain code")]
const commitment = commitTo(sid, speaker, "deal", message, salt)

test("a commitment opens with exactly what it was made of", () => {
  expect(opens(commitment, sid, speaker, "deal", message, salt)).toBe(true)
})

const others: readonly (readonly [string, () => boolean])[] = [
  ["session", () => opens(commitment, fill(9), speaker, "deal", message, salt)],
  ["opener", () => opens(commitment, sid, { ...speaker, nodeId: fill(9) }, "deal", message, salt)],
  ["share id", () => opens(commitment, sid, { ...speaker, shareId: fill(9) }, "deal", message, salt)],
  ["purpose", () => opens(commitment, sid, speaker, "sign" satisfies Purpose, message, salt)],
  ["message", () => opens(commitment, sid, speaker, "deal", utf8("another"), salt)],
  ["salt", () => opens(commitment, sid, speaker, "deal", message, fill(9))],
  ["commitment", () => opens(fill(9), sid, speaker, "deal", message, salt)],
  ["length", () => opens(commitment.subarray(1), sid, speaker, "deal", message, salt)],
]
for (const [what, opened] of others) {
  test(`it does not open under another ${what}`, () => expect(opened()).toBe(false))
}

test("the boundary between message and salt is bound: no byte can move from one to the other", () => {
  const moved = commitTo(sid, speaker, "deal", message.slice(0, -1), new Uint8Array([...message.slice(-1), ...salt]))
  expect(moved).not.toEqual(commitment)
})
