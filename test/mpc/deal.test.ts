/** What a deal is bound to: each replay or change is its dealer's fault. */
import { expect, test } from "bun:test"
import { ED, K1 } from "../../src/crypto/curve.ts"
import { evaluate } from "../../src/crypto/shamir.ts"
import { Blame } from "../../src/mpc/blame.ts"
import { checkDeal, type DealContext, makeDeal, openDeal, type ReceivedDeal } from "../../src/mpc/dkg/deal.ts"
import { memberNo } from "./dealer.ts"
import { seededRng } from "./network.ts"

const [dealer, member] = [memberNo(1), memberNo(2)]
const [sid, h1, chainCode] = [1, 2, 3].map((value) => new Uint8Array(32).fill(value)) as [
  Uint8Array<ArrayBuffer>,
  Uint8Array<ArrayBuffer>,
  Uint8Array<ArrayBuffer>,
]
const other = new Uint8Array(32).fill(9)

for (const curve of [ED, K1]) {
  const context: DealContext = { curve, sid, threshold: 2 }
  const deal = makeDeal(context, dealer, undefined, chainCode, seededRng("deal"))
  const opening = openDeal(context, dealer, deal, h1, seededRng("opening"))
  const share = evaluate(curve, deal.polynomial, member.x)
  const received: ReceivedDeal = { dealer, commitment: deal.commitment, opening, chainCode, share }
  const [A0] = deal.points

  test(`${curve.name}: an honest deal passes, as a fresh one and as that of a known constant`, () => {
    checkDeal(context, received, h1, undefined, member)
    checkDeal(context, received, h1, A0, member)
    checkDeal(context, { ...received, share: undefined }, h1, undefined, undefined)
  })

  const again = openDeal(context, dealer, deal, other, seededRng("opening"))
  const elsewhere = openDeal({ ...context, sid: other }, dealer, deal, h1, seededRng("opening"))
  const byAnother = openDeal(context, member, deal, h1, seededRng("opening"))
  const [p0, p1] = opening.proofs
  const faults: readonly (readonly [string, () => void])[] = [
    ["proofs of another view", () => checkDeal(context, { ...received, opening: again }, h1, undefined, member)],
    ["proofs of another session", () => checkDeal(context, { ...received, opening: elsewhere }, h1, undefined, member)],
    ["proofs of another dealer", () => checkDeal(context, { ...received, opening: byAnother }, h1, undefined, member)],
    [
      "proofs in exchanged places",
      () => {
        const proofs = p0 && p1 ? [p1, p0] : []
        checkDeal(context, { ...received, opening: { ...opening, proofs } }, h1, undefined, member)
      },
    ],
    [
      "no proofs",
      () => checkDeal(context, { ...received, opening: { ...opening, proofs: [] } }, h1, undefined, member),
    ],
    [
      "a proof short",
      () => checkDeal(context, { ...received, opening: { ...opening, proofs: p0 ? [p0] : [] } }, h1, undefined, member),
    ],
    [
      "a point short",
      () => checkDeal(context, { ...received, opening: { ...opening, points: A0 ? [A0] : [] } }, h1, undefined, member),
    ],
    [
      "a point short, to one who receives no share",
      () => {
        const short = { ...received, opening: { ...opening, points: A0 ? [A0] : [] }, share: undefined }
        checkDeal(context, short, h1, undefined, undefined)
      },
    ],
    ["another session", () => checkDeal({ ...context, sid: other }, received, h1, undefined, member)],
    ["another chain code", () => checkDeal(context, { ...received, chainCode: other }, h1, undefined, member)],
    [
      "another salt",
      () => checkDeal(context, { ...received, opening: { ...opening, salt: other } }, h1, undefined, member),
    ],
    ["another commitment", () => checkDeal(context, { ...received, commitment: other }, h1, undefined, member)],
    [
      "another constant than the one that it must deal",
      () => checkDeal(context, received, h1, curve.generator, member),
    ],
    ["a share that is off by one", () => checkDeal(context, { ...received, share: share + 1n }, h1, undefined, member)],
    ["the share of another id", () => checkDeal(context, received, h1, undefined, memberNo(3))],
    ["no share for a member", () => checkDeal(context, { ...received, share: undefined }, h1, undefined, member)],
  ]
  for (const [what, check] of faults) {
    test(`${curve.name}: ${what} is the dealer's fault`, () => {
      expect(check).toThrow(Blame)
      expect(check).toThrow(expect.objectContaining({ kind: "FAULT", parties: [dealer.party] }))
    })
  }
}
