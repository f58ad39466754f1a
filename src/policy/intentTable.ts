/**
 * [intent]: the node's own table of assets, addresses, contracts and lookup tables, and of the chain that a path signs for.
 * Rules use its names. None of it changes the meaning of a payload, except what `readerSettings` gives to decoders.
 */
import { type StaticDecode, Type } from "@sinclair/typebox"
import { isAssetId, isChainId, namespaceOf } from "../intent/caip.ts"
import { DEFAULT_SETTINGS } from "../intent/decoder.ts"
import type { DeepReadonly } from "../settings/read.ts"
import {
  integer,
  listOf,
  oneOf,
  parsed,
  path,
  type Refused,
  refined,
  requiredInteger,
  tableOf,
  word,
} from "../settings/schema.ts"
import { spellingProblem } from "./address.ts"
import { parsePathPattern } from "./pathPattern.ts"

const entry = <P extends Parameters<typeof Type.Object>[0]>(description: string, properties: P) =>
  Type.Object(properties, { additionalProperties: false, description, expected: "a table" })

const chain = (example: string) =>
  parsed((text) => (isChainId(text) ? text : undefined), {
    example,
    description: "The chain, as CAIP-2 writes it.",
    expected: "a chain such as eip155:1 (CAIP-2)",
  })

const name = (example: string, description: string) =>
  parsed((text) => (/^[A-Za-z][\w.+-]{0,63}$/.test(text) ? text : undefined), {
    example,
    description,
    expected: "a name: a letter, then letters, digits and . _ + -",
  })

const pathPattern = (example: string, description: string) =>
  parsed(parsePathPattern, { example, description, expected: "a path pattern such as m/44/60/0/0-99 or m/84/**" })

const tables = "a list of tables"

/** A typing error in an address must be found now and not at a payment. */
const misspelt = (list: readonly { readonly chain: string; readonly address?: string }[]): readonly Refused[] =>
  list.flatMap(({ chain: on, address }, i) => {
    const expected = address === undefined ? undefined : spellingProblem(on, address)
    return expected === undefined ? [] : [{ at: [i, "address"], expected, got: address ?? "nothing" }]
  })

const assets = listOf(
  entry("An asset. ETH, BTC, SOL, TRX, POL, BNB and AVAX of the mainnets are built in.", {
    name: name("USDC", "What rules call it; assets of several chains may share a name if they have the same decimals."),
    id: parsed((text) => (isAssetId(text) ? text : undefined), {
      example: "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48",
      description: "The id of the asset. <chain>/slip44:<coin> is the native asset of its chain.",
      expected: "an asset such as eip155:1/erc20:0x… (CAIP-19)",
    }),
    decimals: requiredInteger(0, 77, 6, "How many decimals its amounts have."),
    token_program: oneOf(
      ["token", "token-2022"],
      "token",
      "For a Solana token: the program that its accounts belong to.",
    ),
  }),
  { description: "Assets that rules name.", expected: tables },
)

const addresses = refined(
  listOf(
    entry("An address that rules call @name. Several entries may share a name.", {
      name: name("exchange", "What rules call it."),
      chain: chain("eip155:1"),
      address: Type.Optional(
        word("0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f", "The address, in its chain's spelling."),
      ),
      path: Type.Optional(
        pathPattern("m/44/60/0/0/7", "Instead of an address: the addresses of this key's own paths."),
      ),
    }),
    { description: "Addresses that rules name.", expected: tables },
  ),
  misspelt,
)

const contracts = refined(
  listOf(
    entry("A contract that rules call @name.", {
      name: name("router", "What rules call it."),
      chain: chain("eip155:1"),
      address: word("0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045", "Its address."),
      account: Type.Optional(
        Type.Boolean({
          default: false,
          description: "Whether it is an account that signs by ERC-1271 with keys of ours, such as a Safe.",
          expected: "true or false",
        }),
      ),
      abi: Type.Optional(
        path(
          "abi/router.json",
          "Its ABI, a JSON file as compilers write it. Calls are then shown with their arguments, and rules may have conditions on them. No allow entry covers a call that the ABI does not read.",
        ),
      ),
    }),
    { description: "Contracts that rules name.", expected: tables },
  ),
  (list) => [...misspelt(list), ...abisAmiss(list)],
)

interface WithAbi {
  readonly chain: string
  readonly address: string
  readonly abi?: string
}

/** Only the EVM and TRON have call data. If a contract had two ABIs, nobody could say which one is meant. */
function abisAmiss(list: readonly WithAbi[]): readonly Refused[] {
  const seen = new Set<string>()
  return list.flatMap(({ chain: on, address, abi }, i): readonly Refused[] => {
    if (abi === undefined) return []
    const at = [i, "abi"]
    if (!CALL_CHAINS.has(namespaceOf(on))) return [{ at, expected: "no abi: this chain's calls have none", got: abi }]
    const account = `${on} ${namespaceOf(on) === "eip155" ? address.toLowerCase() : address}`
    if (seen.has(account)) return [{ at, expected: "one abi for each contract", got: `a second one for ${address}` }]
    seen.add(account)
    return []
  })
}

const CALL_CHAINS: ReadonlySet<string> = new Set(["eip155", "tron"])

const lookupTables = listOf(
  entry("A lookup table of Solana whose entries are known.", {
    address: word("AddressLookupTab1e1111111111111111111111111", "Its address."),
    entries: listOf(word("So11111111111111111111111111111111111111112", "An address."), {
      description: "The addresses in it, in order.",
      expected: "a list of addresses",
      maxItems: 256,
    }),
  }),
  { description: "Lookup tables. What a message reads out of any other is unresolved.", expected: tables },
)

const paths = listOf(
  entry("Which chain a path signs for. Several EVM chains may share a path: the payload's chain id decides then.", {
    path: pathPattern("m/44/501/**", "The paths."),
    chain: chain("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"),
  }),
  {
    description: "Chains of paths. Where none of these matches, it is the mainnet of the path's coin type (SLIP-44).",
    expected: tables,
  },
)

export const intentSchema = tableOf("What the names in rules stand for, and how payloads are read.", {
  bitcoin_change_limit: integer(
    0,
    2_147_483_647,
    DEFAULT_SETTINGS.bitcoin.changeLimit,
    "The last index up to which an own output counts as change.",
  ),
  tron_bandwidth_price: integer(
    0,
    1_000_000_000,
    Number(DEFAULT_SETTINGS.tron.bandwidthPrice),
    "Sun for a byte of bandwidth, for the fee of TRON transactions.",
  ),
  assets,
  addresses,
  contracts,
  lookup_tables: lookupTables,
  paths,
})

export type IntentTable = DeepReadonly<StaticDecode<typeof intentSchema>>

export const NO_INTENT_TABLE: IntentTable = {
  bitcoin_change_limit: DEFAULT_SETTINGS.bitcoin.changeLimit,
  tron_bandwidth_price: Number(DEFAULT_SETTINGS.tron.bandwidthPrice),
  assets: [],
  addresses: [],
  contracts: [],
  lookup_tables: [],
  paths: [],
}
