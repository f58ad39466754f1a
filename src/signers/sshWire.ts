/**
 * The parts of SSH's wire format (RFC 4251 section 5) that signing needs: strings, numbers of any length, and the two kinds of public
 * key with which this program signs itself.
 */
import { type Bytes, concat, utf8 } from "../bytes.ts"
import { block } from "../codec.ts"

export const sshText = (text: string): Bytes => block(utf8(text))

/** A non-negative number: no leading zero bytes, except one if the first bit is set. */
export function mpint(big: Uint8Array): Bytes {
  const first = big.findIndex((byte) => byte !== 0)
  const bare = first < 0 ? new Uint8Array(0) : big.subarray(first)
  return block((bare[0] ?? 0) >= 0x80 ? concat(Uint8Array.of(0), bare) : bare)
}

export const ED25519 = "ssh-ed25519"
export const ECDSA_P256 = "ecdsa-sha2-nistp256"
export const NISTP256 = "nistp256"

export const ed25519Blob = (publicKey: Uint8Array): Bytes => concat(sshText(ED25519), block(publicKey))
/** `point` is uncompressed, 65 bytes. */
export const p256Blob = (point: Uint8Array): Bytes => concat(sshText(ECDSA_P256), sshText(NISTP256), block(point))
