/** Every round that a protocol of ours carries out has a name, and the name of an envelope in a trace is the protocol's own. */
import { expect, test } from "bun:test"
import { PROTOCOL } from "../../src/mpc/envelope.ts"
import { DKLS, FROST, inWords, SET_UP, stageName } from "../../src/mpc/stages.ts"

test("names follow the numbers of the wire", () => {
  for (const [protocol, stages] of [
    [PROTOCOL.dkg, SET_UP],
    [PROTOCOL.reshare, SET_UP],
    [PROTOCOL.ecdsa, DKLS],
    [PROTOCOL.frost, FROST],
  ] as const) {
    const all = Object.values(stages)
    // A set-up of a later suite goes on where the one before ended: its acks have a number of their own.
    expect(all.map(({ round }) => round)).toEqual(all.map((_, i) => i + 1))
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
    for (const { round, name } of all) expect(stageName(protocol, round)).toBe(name)
    expect(stageName(protocol, all.length + 1)).toBeUndefined()
    expect(stageName(protocol, 0)).toBeUndefined()
  }
  expect(stageName(PROTOCOL.checkup, 1)).toBeUndefined()
  expect(stageName(99, 1)).toBeUndefined()
  expect(inWords(DKLS.multiply)).toBe("round 2 (multiply)")
})
