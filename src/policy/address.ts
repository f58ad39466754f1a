/** Whether an account is spelt as its chain spells accounts. A typing error in the file must be found now and not at a payment. */
import { namespaceOf } from "../intent/caip.ts"
import { checksummed } from "../keys/addresses.ts"
import { decodeBase58, decodeBase58Check } from "../keys/base58.ts"

const EVM = /^0x[0-9a-fA-F]{40}$/
const BECH32 = /^(?:bc|tb|bcrt)1[02-9ac-hj-np-z]{8,87}$/

/** Undefined if the address is spelt correctly, or if the spelling of its chain is not known here; otherwise what was expected. */
export function spellingProblem(chain: string, address: string): string | undefined {
  switch (namespaceOf(chain)) {
    case "eip155":
      return isEvm(address) ? undefined : "0x and 40 hex digits, in lower case or with the capitals of EIP-55"
    case "solana":
      return decodeBase58(address)?.length === 32 ? undefined : "32 bytes in base58"
    case "tron":
      return isTron(address) ? undefined : "an address that begins with T"
    case "bip122":
      return BECH32.test(address) || decodeBase58Check(address)?.length === 21
        ? undefined
        : "an address of Bitcoin: bc1… in lower case, or base58"
    default:
      return undefined
  }
}

/** Whether some chain whose spelling is known here spells accounts like this. */
export const isAddress = (text: string): boolean =>
  ["eip155:", "solana:", "tron:", "bip122:"].some((chain) => spellingProblem(chain, text) === undefined)

function isEvm(address: string): boolean {
  if (!EVM.test(address)) return false
  const digits = address.slice(2)
  return digits === digits.toLowerCase() || checksummed(digits.toLowerCase()) === address
}

function isTron(address: string): boolean {
  const payload = decodeBase58Check(address)
  return payload?.length === 21 && payload[0] === 0x41
}
