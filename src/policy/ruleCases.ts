/** Requests with readable payloads. The rules over intents derive from them the cases that they alone refuse. */
import type { Effect, Reading } from "../intent/reading.ts"
import type { Intent, KeySignRequest } from "./request.ts"

const FROM = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
const TO = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
const ETH = "eip155:1/slip44:60"

/** The request itself if it has a readable payload; otherwise the request with its first message as a payment of one wei. */
export function readable(request: KeySignRequest): KeySignRequest {
  const [first, ...others] = request.messages
  if (request.intents.length > 0 || first === undefined) return request
  return { ...request, intents: [payment(first.path)], messages: [{ ...first, payload: 0 }, ...others] }
}

export function payment(path: readonly number[]): Intent {
  const effect: Effect = { kind: "transfer", from: FROM, to: TO, asset: ETH, amount: 1n }
  const reading: Reading = {
    format: "evm/transaction",
    chain: "eip155:1",
    from: [FROM],
    effects: [effect],
    fee: { max: 21_000n, asset: ETH, unbounded: false },
    nonce: "0",
    signs: [{ path, bytes: new Uint8Array(32) }],
  }
  return { reading, accounts: new Map() }
}

export const effectsOf = ({ intents }: KeySignRequest): readonly Effect[] =>
  intents.flatMap(({ reading }) => reading.effects)
