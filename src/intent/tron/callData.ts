/** Converts call data of TRON to the EVM's form. */
import { type Bytes, copy, toHex } from "../../bytes.ts"
import { PREFIX } from "./address.ts"

/** The positions of addresses in the arguments of TRC-20's methods: transfer, approve, transferFrom and two further ones. */
const ADDRESS_WORDS: ReadonlyMap<string, readonly number[]> = new Map([
  ["a9059cbb", [0]],
  ["095ea7b3", [0]],
  ["23b872dd", [0, 1]],
  ["d73dd623", [0]],
  ["39509351", [0]],
])
const WORD = 32
/** The last of the 12 bytes before an EVM address. */
const PREFIX_AT = 11

/**
 * Many clients leave the prefix 0x41 before an address in call data. Contracts ignore it or refuse it; to none is it another
 * address. Any other value before an address stays, and is refused as everywhere.
 */
export function withoutPrefixes(data: Uint8Array): Bytes {
  const plain = copy(data)
  for (const word of ADDRESS_WORDS.get(toHex(data.subarray(0, 4))) ?? []) {
    const at = 4 + WORD * word + PREFIX_AT
    if (plain[at] === PREFIX) plain[at] = 0
  }
  return plain
}
