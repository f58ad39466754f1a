/** The view: what a party has seen broadcast so far, in 32 bytes (threshold.md 2.2). Equal views mean equal broadcasts. */
import { type Bytes, u8, u32be } from "../bytes.ts"
import { H, sha256 } from "../crypto/frame.ts"
import { type PartyId, partyBytes } from "../keys/party.ts"

/** v_1, before anything was broadcast. */
export const NO_VIEW: Bytes = new Uint8Array(32)

/** v_{r+1} from v_r and all broadcasts of round r, this party's own included; v_r itself if there were none. */
export function nextView(sid: Bytes, round: number, view: Bytes, broadcasts: ReadonlyMap<PartyId, Bytes>): Bytes {
  if (broadcasts.size === 0) return view
  const fields: Uint8Array[] = [sid, u8(round), view, u32be(broadcasts.size)]
  for (const [party, body] of [...broadcasts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    fields.push(partyBytes(party), sha256(body))
  }
  return H("view", ...fields)
}
