/** The headers that prove where a body comes from: of REST answers, and of webhooks. */
import { toHex } from "../../bytes.ts"
import type { Signer } from "../../wire/signed.ts"
import { signedHash } from "./canonical.ts"

/** formats.md 7.2. The published SDKs look for either spelling of the two headers. */
export function signatureHeaders(body: string, key: Signer, nowMs: number): Readonly<Record<string, string>> {
  const timestamp = String(nowMs)
  const signature = toHex(key.sign(signedHash(`${body}|${timestamp}`)))
  return {
    "BIZ-TIMESTAMP": timestamp,
    BIZ_TIMESTAMP: timestamp,
    "BIZ-RESP-SIGNATURE": signature,
    BIZ_RESP_SIGNATURE: signature,
  }
}
