/**
 * What the names in rules stand for: assets, addresses and contracts of [intent], and the built-in native assets. A name may
 * stand for several things of a kind, on several chains. Also what decoders and texts need from the same table.
 */

import { parseDecimal } from "../intent/amount.ts"
import { chainOf, defaultChainsOf, isAssetId, NATIVE_ASSETS, namespaceOf } from "../intent/caip.ts"
import type { Settings } from "../intent/decoder.ts"
import type { Abi } from "../intent/evm/abiJson.ts"
import { checksummed } from "../keys/addresses.ts"
import { meaningless } from "./doubt.ts"
import { type IntentTable, NO_INTENT_TABLE } from "./intentTable.ts"
import { matchesPath, type PathPattern } from "./pathPattern.ts"
import { NO_PEOPLE, type People } from "./people.ts"

interface Asset {
  readonly name: string
  /** CAIP-19; EVM addresses in lower case. */
  readonly id: string
  readonly decimals: number
}

/** What a name's entry stands for: an account, or the addresses of this key's own paths. */
export interface NamedAddress {
  readonly chain: string
  /** In the form of `accountKey`. */
  readonly key: string | undefined
  readonly path: PathPattern | undefined
}

/** An amount of one asset, whatever chain it is on. */
interface Amount {
  /** Assets of one name, all with the same decimals. */
  readonly assets: readonly Asset[]
  /** Base units; undefined is any amount. */
  readonly max: bigint | undefined
}

/** One spelling for every account of a chain: EVM addresses in lower case. */
export const accountKey = (chain: string, account: string): string =>
  `${chain} ${namespaceOf(chain) === "eip155" ? account.toLowerCase() : account}`

/** EVM addresses in lower case, as readings have asset ids. */
export const assetKey = (id: string): string => (namespaceOf(id) === "eip155" ? id.toLowerCase() : id)

/** Plain data, so that two files with the same contents are equal. */
export interface Names {
  readonly table: IntentTable
  /** Every listed asset, by CAIP-19 id. */
  readonly assets: ReadonlyMap<string, Asset>
  readonly assetsByName: ReadonlyMap<string, readonly Asset[]>
  readonly addresses: ReadonlyMap<string, readonly NamedAddress[]>
  readonly contracts: ReadonlyMap<string, readonly NamedAddress[]>
  /** Names by account, in the form of `accountKey`. */
  readonly accounts: ReadonlyMap<string, readonly string[]>
  /** ABIs of contracts, by account in the form of `accountKey`. */
  readonly abis: ReadonlyMap<string, Abi>
  readonly people: People
}

/** `abis` has the contents of the files that the table names, by their paths. Throws RangeError if one is missing. */
export function namesIn(
  table: IntentTable,
  abis: ReadonlyMap<string, Abi> = new Map(),
  people: People = NO_PEOPLE,
): Names {
  const configured = table.assets.map(({ name, id, decimals }) => ({ name, id: assetKey(id), decimals }))
  const natives = [...NATIVE_ASSETS.values()].filter(({ id }) => !configured.some((asset) => asset.id === id))
  const assets: readonly Asset[] = [...natives, ...configured]
  const addresses = table.addresses.map(({ name, chain, address, path }) => ({
    name,
    chain,
    key: address === undefined ? undefined : accountKey(chain, address),
    path,
  }))
  const contracts = table.contracts.map(({ name, chain, address }) => ({
    name,
    chain,
    key: accountKey(chain, address),
    path: undefined,
  }))
  const byAccount = Map.groupBy([...addresses, ...contracts], ({ key }) => key ?? "")
  return {
    table,
    people,
    assets: new Map(assets.map((asset) => [asset.id, asset])),
    assetsByName: Map.groupBy(assets, ({ name }) => name),
    addresses: Map.groupBy(addresses, ({ name }) => name),
    contracts: Map.groupBy(contracts, ({ name }) => name),
    accounts: new Map([...byAccount].map(([key, items]) => [key, [...new Set(items.map(({ name }) => name))]])),
    abis: new Map(
      table.contracts.flatMap(({ chain, address, abi }) =>
        abi === undefined ? [] : [[accountKey(chain, address), abiIn(abis, abi)] as const],
      ),
    ),
  }
}

function abiIn(abis: ReadonlyMap<string, Abi>, path: string): Abi {
  const abi = abis.get(path)
  if (abi === undefined) throw new RangeError(`the ABI ${path} was not read`)
  return abi
}

/** Every listed asset of a name, or the asset of a CAIP-19 id, listed or not. Undefined: nothing has that name. */
export function assetsOf(text: string, { assets, assetsByName }: Names): readonly Asset[] | undefined {
  if (!text.includes("/")) return assetsByName.get(text)
  if (!isAssetId(text)) return undefined
  const id = assetKey(text)
  return [assets.get(id) ?? { name: id, id, decimals: 0 }]
}

export const namesOf = (chain: string, account: string, { accounts }: Names): readonly string[] =>
  accounts.get(accountKey(chain, account)) ?? []

export const NO_NAMES = namesIn(NO_INTENT_TABLE)

/** Assets whose amounts can be added up. Throws E-RSK-023 with the reason. */
export function sameDecimals(text: string, names: Names): readonly Asset[] {
  const assets = assetsOf(text, names)
  if (assets === undefined) throw meaningless(`no asset is called ${text}`)
  if (new Set(assets.map(({ decimals }) => decimals)).size > 1)
    throw meaningless(`assets called ${text} have different decimals: ${assets.map(({ id }) => id).join(", ")}`)
  return assets
}

/** `1.5 ETH`, `any BTC`, `1000 eip155:1/erc20:0x…` (base units if the asset is not listed). Throws E-RSK-023. */
export function parseAmount(text: string, names: Names): Amount {
  const [number = "", unit = "", more] = text.split(" ")
  if (more !== undefined || unit === "") throw meaningless(`${text} is no amount such as "1.5 ETH"`)
  const assets = sameDecimals(unit, names)
  if (number === "any") return { assets, max: undefined }
  const decimals = assets[0]?.decimals ?? 0
  const max = parseDecimal(number, decimals)
  if (max === undefined) throw meaningless(`${text} is no amount with at most ${decimals} decimals`)
  return { assets, max }
}

/** The chains that a path signs for. */
export function chainsOf(path: readonly number[], { table }: Names): readonly string[] {
  const own = table.paths.filter((entry) => matchesPath(entry.path, path)).map(({ chain }) => chain)
  return own.length > 0 ? [...new Set(own)] : defaultChainsOf(path)
}

const PROGRAMS = {
  token: "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
  "token-2022": "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
} as const

/** The part of the table that changes how payloads are read. */
export const readerSettings = (table: IntentTable): Settings => ({
  nativeAssets: new Map(
    table.assets.filter(({ id }) => id.includes("/slip44:")).map(({ id }) => [chainOf(id), assetKey(id)]),
  ),
  evm: {
    contractAccounts: table.contracts
      .filter(({ account, chain }) => account === true && namespaceOf(chain) === "eip155")
      .map(({ chain, address }) => ({ chain, address: checksummed(address.slice(2).toLowerCase()) })),
  },
  bitcoin: { changeLimit: table.bitcoin_change_limit },
  solana: {
    lookupTables: new Map(table.lookup_tables.map(({ address, entries }) => [address, entries])),
    mints: table.assets.flatMap(({ id, token_program }) => {
      const [, mint] = id.split("/token:")
      return mint === undefined ? [] : [{ mint, program: PROGRAMS[token_program] }]
    }),
  },
  tron: { bandwidthPrice: BigInt(table.tron_bandwidth_price) },
})
