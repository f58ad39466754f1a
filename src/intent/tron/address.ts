/** TRON addresses: 0x41 and the 20 bytes of an EVM address, in base58check; and the EVM spelling that calls are read in. */
import { concat, fromHex, toHex, u8 } from "../../bytes.ts"
import { checksummed } from "../../keys/addresses.ts"
import { decodeBase58Check, encodeBase58Check } from "../../keys/base58.ts"
import { refuse } from "../problem.ts"

export const PREFIX = 0x41

/** 21 bytes of a message as text. Refuses anything else with E-INT-124. */
export function addressOf(bytes: Uint8Array, what: string): string {
  if (bytes.length !== 21 || bytes[0] !== PREFIX)
    return refuse(
      "E-INT-124",
      what,
      `${bytes.length} bytes${bytes.length === 21 ? `, beginning with ${bytes[0]}` : ""}`,
    )
  return encodeBase58Check(bytes)
}

/** EIP-55 of an address that this file has made. */
export function toEvm(address: string): string {
  const bytes = decodeBase58Check(address)
  if (bytes === undefined) throw new TypeError("an address of ours is base58check")
  return checksummed(toHex(bytes.subarray(1)))
}

/** `0x` and 40 hex digits, as calls have them. */
export function fromEvm(address: string): string {
  const bytes = fromHex(address.slice(2).toLowerCase())
  if (bytes?.length !== 20) throw new TypeError("an address of a call has 20 bytes")
  return encodeBase58Check(concat(u8(PREFIX), bytes))
}
