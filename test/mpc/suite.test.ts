/** Suite 2: a session's id covers the start's nonce and what each signer read in the payloads. */
import { expect, test } from "bun:test"
import { toHex } from "../../src/bytes.ts"
import { GadgetCache } from "../../src/mpc/dkls/pairs.ts"
import { prepareSession } from "../../src/mpc/host.ts"
import type { SessionSpec, SignSpec } from "../../src/mpc/session.ts"
import { Cluster, partyAt } from "./cluster.ts"
import { dealGroup } from "./dealer.ts"
import { makeMembers, signSpecs, toSign } from "./specs.ts"

const [A, B] = [partyAt(0), partyAt(1)]
const dealt = dealGroup("ed25519", 2, makeMembers(3), "suite")
const [intent, otherIntent] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
const terms = { suite: 2, nonce: new Uint8Array(16).fill(3) } as const
const message = toSign("transfer", [1, 2])
const specs = (change: Partial<SignSpec> = {}) => signSpecs(dealt, "eddsa", [A, B], [message], change)
const sidOf = (change: Partial<SignSpec>): string => {
  const [spec] = specs(change)
  if (spec === undefined) throw new Error("a spec for each signer")
  return toHex(prepareSession(spec, spec.self, new GadgetCache()).sid)
}

test("each of suite, nonce, intent, and whether there is one, makes another session; a known answer", () => {
  const other = { suite: 2, nonce: new Uint8Array(16).fill(4) } as const
  const sids = [
    sidOf({}),
    sidOf({ terms }),
    sidOf({ terms: other }),
    sidOf({ terms, messages: [{ ...message, intent }] }),
    sidOf({ terms, messages: [{ ...message, intent: otherIntent }] }),
    sidOf({ terms, messages: [message, message] }),
    sidOf({ terms, messages: [{ ...message, intent }, message] }),
    sidOf({ terms, messages: [message, { ...message, intent }] }),
  ]
  expect(new Set(sids).size).toBe(sids.length)
  expect(sids[3]).toMatchInlineSnapshot(`"02a9e590d3b9292e536b223b9154a70bf1feacc2fb77d617d48d7e478c5c7688"`)
})

test("in suite 1 there is no intent: nodes of before sign with nodes of this release", () => {
  expect(sidOf({ messages: [{ ...message, intent }] })).toBe(sidOf({}))
})

const ends = (runs: ReadonlyMap<unknown, { readonly ending: { readonly kind: string } }>) =>
  [...runs.values()].map(({ ending }) => ending.kind)

test("signers of one reading sign together", async () => {
  const runs = await new Cluster({}).run(specs({ terms, messages: [{ ...message, intent }] }))
  expect(ends(runs)).toEqual(["done", "done"])
})

test("signers who read a payload differently never understand each other, and nobody is blamed", async () => {
  const [own] = specs({ terms, messages: [{ ...message, intent }] })
  const [, other] = specs({ terms, messages: [{ ...message, intent: otherIntent }] })
  const apart: SessionSpec[] = [own, other].flatMap((spec) => spec ?? [])
  const runs = await new Cluster({}).run(apart)
  for (const { ending, blames } of runs.values()) {
    expect(ending.kind).not.toBe("done")
    expect(ending.kind).not.toBe("blamed")
    expect(blames).toEqual([])
  }
})
