/**
 * What this node itself knows about the accounts in a reading: which are addresses of the group's own key, and who owns an associated
 * token account. Everything is derived; nothing that the task says is believed.
 *
 * An own address can only be recognised by deriving it, so a bounded set of paths is tried: the signing paths, their neighbours, and the
 * paths of [[intent.addresses]]. An address that is not recognised counts as somebody else's, which rules treat more strictly.
 */
import type { Bytes } from "../bytes.ts"
import { namespaceOf } from "../intent/caip.ts"
import { addressesIn, isUnread } from "../intent/evm/namedCall.ts"
import type { Account, Effect, Reading } from "../intent/reading.ts"
import { associatedTokenAddress } from "../intent/solana/pda.ts"
import { ethereumAddress, solanaAddress, tronAddress } from "../keys/addresses.ts"
import { accountIn, callOf } from "../policy/abiCalls.ts"
import { accountKey, type Names } from "../policy/names.ts"
import type { PathPattern } from "../policy/pathPattern.ts"
import type { KnownAccount } from "../policy/request.ts"

/** How many last indices are tried beside a signing path, and how many paths of one pattern. */
export const TRIED = 100

interface AccountSource {
  /** The paths of the messages that belong to the payload. */
  readonly paths: readonly (readonly number[])[]
  /** enc(P) of the group's key at a path; undefined if there is no such child. */
  readonly derive: (path: readonly number[]) => Bytes | undefined
  /** xpub or cpub of that key; part of the cache key of an address. */
  readonly rootKey: string
  readonly names: Names
}

/** The most addresses in the cache. When it is full it is cleared, and addresses are derived again (0.15 ms each). */
const KEPT = 16_384
const kept = new Map<string, string>()

/** The key's address at a path, in the chain's spelling; undefined if there is no such child. */
function addressAt(
  path: readonly number[],
  namespace: string,
  spell: (publicKey: Bytes) => string,
  { derive, rootKey }: AccountSource,
): string | undefined {
  const name = `${rootKey} ${namespace} ${path.join("/")}`
  const known = kept.get(name)
  if (known !== undefined) return known
  const key = derive(path)
  if (key === undefined) return undefined
  if (kept.size >= KEPT) kept.clear()
  const address = spell(key)
  kept.set(name, address)
  return address
}

/** The known accounts, by account in the spelling of the reading. */
export function accountsIn(reading: Reading, source: AccountSource): ReadonlyMap<string, KnownAccount> {
  const { chain } = reading
  const spell = ADDRESSES[namespaceOf(chain)]
  const known = new Map<string, KnownAccount>()
  // A Bitcoin reading already marks the outputs that go to the key itself.
  if (spell === undefined) return known
  const asked = new Map(accountsOf(reading, source.names).map((account) => [accountKey(chain, account), account]))
  const wallets = new Map<string, readonly number[]>()
  for (const path of candidates(reading, source)) {
    if (known.size === asked.size) break
    const wallet = addressAt(path, namespaceOf(chain), spell, source)
    if (wallet === undefined) continue
    if (!wallets.has(wallet)) wallets.set(wallet, path)
    const account = asked.get(accountKey(chain, wallet))
    if (account !== undefined && !known.has(account)) known.set(account, { ownPath: path })
  }
  if (isSolana(reading)) addOwners(reading, source.names, wallets, known)
  return known
}

const ADDRESSES: Readonly<Record<string, (publicKey: Bytes) => string>> = {
  eip155: ethereumAddress,
  solana: solanaAddress,
  tron: tronAddress,
}

const isSolana = ({ chain }: Reading): boolean => namespaceOf(chain) === "solana"

/** The accounts in effects, and the addresses among the arguments of calls that a configured ABI decodes. */
function accountsOf({ chain, effects }: Reading, names: Names): readonly string[] {
  const inCalls = effects.flatMap((effect) => {
    const call = callOf(effect, chain, names)
    return call === undefined || isUnread(call) ? [] : addressesIn(call).map((bytes) => accountIn(bytes, chain))
  })
  return [...new Set([...effects.flatMap(accountsOfEffect), ...inCalls])]
}

function accountsOfEffect(effect: Effect): readonly string[] {
  const accounts: readonly (Account | undefined)[] = [
    "from" in effect ? effect.from : undefined,
    "to" in effect ? effect.to : undefined,
    "spender" in effect ? effect.spender : undefined,
    "delegate" in effect ? effect.delegate : undefined,
    "authority" in effect ? effect.authority : undefined,
  ]
  return accounts.filter((account) => typeof account === "string")
}

/** The paths to try; signing paths first, because most payloads name no other own account. */
function* candidates({ chain }: Reading, { paths, names }: AccountSource): Generator<readonly number[]> {
  yield* paths
  const patterns = [...names.addresses.values()]
    .flat()
    .flatMap((entry) => (entry.path && entry.chain === chain ? [entry.path] : []))
  for (const pattern of patterns) yield* pathsOf(pattern)
  const parents = new Map(
    paths.filter(({ length }) => length > 0).map((path) => [path.slice(0, -1).join("/"), path.slice(0, -1)]),
  )
  for (const parent of parents.values()) for (let index = 0; index < TRIED; index++) yield [...parent, index]
}

/** The first paths of a pattern, in the order of their last index. */
function* pathsOf({ levels }: PathPattern): Generator<readonly number[]> {
  const last = levels.at(-1)
  if (last === undefined) return
  // Of a range at an earlier level only the first index is tried: a configuration names the one account that it means.
  const parent = levels.slice(0, -1).map(({ min }) => min)
  for (let index = last.min; index <= last.max && index < last.min + TRIED; index++) yield [...parent, index]
}

/** Adds the owner of each associated token account: a configured address, or an address of the key itself. */
function addOwners(
  { chain, effects }: Reading,
  { table }: Names,
  wallets: ReadonlyMap<string, readonly number[]>,
  known: Map<string, KnownAccount>,
): void {
  const configured = table.addresses.flatMap((entry) =>
    entry.chain === chain && entry.address !== undefined ? [entry.address] : [],
  )
  const owners = [...configured, ...wallets.keys()]
  for (const effect of effects) {
    if (effect.kind !== "transfer" || typeof effect.to !== "string" || known.has(effect.to)) continue
    const mint = typeof effect.asset === "string" ? effect.asset.split("/token:")[1] : undefined
    const { to, program } = effect
    if (mint === undefined || typeof program !== "string") continue
    const owner = owners.find((wallet) => associatedTokenAddress(wallet, mint, program) === to)
    if (owner === undefined) continue
    known.set(to, { owner })
    const ownPath = wallets.get(owner)
    if (ownPath !== undefined) known.set(owner, { ownPath })
  }
}
