/** Which messages an ECDSA signing session has, and how long they are (threshold.md 12). */
import type { PartyId } from "../../keys/party.ts"
import { PROTOCOL } from "../envelope.ts"
import { by } from "../exchange.ts"
import type { SessionShape } from "../shape.ts"
import { commitCodec, offerCodec, productCodec, sharesCodec } from "./messages.ts"

export function ecdsaShape(self: PartyId, signers: readonly PartyId[], count: number): SessionShape {
  const peers = signers.filter((party) => party !== self)
  return {
    protocol: PROTOCOL.ecdsa,
    participants: signers,
    rounds: [
      {
        round: 1,
        broadcast: by(peers, () => commitCodec.size),
        direct: { sealed: false, from: by(peers, () => offerCodec(count).size) },
      },
      { round: 2, direct: { sealed: true, from: by(peers, () => productCodec(count).size) } },
      { round: 3, broadcast: by(peers, () => sharesCodec(count).size) },
    ],
  }
}
