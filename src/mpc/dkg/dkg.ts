/** Distributed key generation (threshold.md 3): the set-up in which every party deals a fresh secret and a fresh chain code. */
import type { Bytes } from "../../bytes.ts"
import { type Curve, curveNamed } from "../../crypto/curve.ts"
import { H } from "../../crypto/frame.ts"
import type { Rng } from "../../crypto/random.ts"
import type { StartOtSetup } from "../dkls/setup.ts"
import { PROTOCOL } from "../envelope.ts"
import type { Protocol } from "../exchange.ts"
import type { DkgSpec, SessionResult } from "../session.ts"
import type { SessionShape } from "../shape.ts"
import { ascending } from "../sid.ts"
import { CHAIN_CODE_LENGTH } from "./messages.ts"
import { participantsOf, roundsOf } from "./rounds.ts"
import { type DealSource, type SetUp, setUp } from "./setUp.ts"

/** `startOtSetup`: required on secp256k1, not used on Ed25519. */
export function dkg(
  spec: DkgSpec,
  sid: Bytes,
  startOtSetup: StartOtSetup | undefined,
  rng: Rng,
): Protocol<SessionResult> {
  return setUp({ ...outline(spec, startOtSetup), sid, rng, source: fresh(curveNamed(spec.curve), sid, rng) })
}

export function dkgShape(spec: DkgSpec, startOtSetup: StartOtSetup | undefined): SessionShape {
  const omit = outline(spec, startOtSetup)
  const rounds = roundsOf({ ...omit, source: { statementLength: 0 } })
  return { protocol: PROTOCOL.dkg, participants: participantsOf(omit), rounds }
}

function outline(spec: DkgSpec, startOtSetup: StartOtSetup | undefined): Omit<SetUp, "sid" | "rng" | "source"> {
  const members = ascending(spec.members)
  return {
    curve: curveNamed(spec.curve),
    self: spec.self,
    threshold: spec.threshold,
    dealers: members,
    members,
    startOtSetup: spec.curve === "secp256k1" ? startOtSetup : undefined,
    record: {
      groupId: spec.groupId,
      mode: "keygen",
      createdMs: spec.createdMs,
      ...(spec.suite && { suite: spec.suite }),
    },
  }
}

/** chain code = H("cc"; sid, h1, sc(x_j) and cc_j of each): no single party chooses it, and h1 fixed every part of it. */
const fresh = (curve: Curve, sid: Bytes, rng: Rng): DealSource => ({
  statementLength: 0,
  statement: new Uint8Array(0),
  constant: undefined,
  chainCode: rng(CHAIN_CODE_LENGTH),
  agree: () => ({ constants: new Map(), publicKey: undefined, parent: undefined }),
  chainCodeOf: (h1, dealt) =>
    H("cc", sid, h1, ...dealt.flatMap(({ dealer, chainCode }) => [curve.encodeScalar(dealer.x), chainCode])),
})
