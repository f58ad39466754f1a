/** The signature headers of REST answers and webhooks (formats.md 7.2). */
import { toHex } from "../../bytes.ts"
import type { Signer } from "../../wire/signed.ts"
import { signedHash } from "./canonical.ts"

/** Both spellings of the two headers are sent, because published SDKs look for one or the other. */
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
