/** Accounts as rules name them (intents.md 5.1): `@name`, `@own:PATTERN` or an address; and whether a destination is one of them. */
import { isAddress } from "./address.ts"
import { meaningless } from "./doubt.ts"
import { type Destination, isAnyChain, type ViewField } from "./effectView.ts"
import type { NamedAddress, Names } from "./names.ts"
import { matchesPath, type PathPattern, parsePathPattern } from "./pathPattern.ts"

export interface Targets {
  /** Accounts without their chains. */
  readonly bare: ReadonlySet<string>
  /** In the form of `accountKey`, on every chain; a bare address without chain. */
  readonly accounts: ReadonlySet<string>
  readonly paths: readonly { readonly chain: string | undefined; readonly pattern: PathPattern }[]
}

/** Throws the error of `meaningless` for a name that stands for nothing. */
export function targetsOf(texts: readonly string[], names: Names, key: "to" | "contracts"): Targets {
  const named = texts.flatMap((text) => namedBy(text, names, key))
  const accounts = named.flatMap((one) => one.key ?? [])
  return {
    accounts: new Set(accounts),
    bare: new Set(accounts.map((account) => account.slice(account.indexOf(" ") + 1))),
    paths: named.flatMap(({ chain, path }) =>
      path === undefined ? [] : [{ chain: chain === "" ? undefined : chain, pattern: path }],
    ),
  }
}

/** The chain of an address and of own paths is empty: they stand for themselves on every chain. */
export function namedBy(text: string, names: Names, key: "to" | "contracts"): readonly NamedAddress[] {
  if (text.startsWith("@own:")) return [{ chain: "", key: undefined, path: ownPattern(text) }]
  if (!text.startsWith("@")) {
    // In a deny entry a typing error would match nothing, and refuse nothing.
    if (!isAddress(text)) throw meaningless(`${text} is not spelled as an address of any chain`)
    return [{ chain: "", key: bareKey(text), path: undefined }]
  }
  const name = text.slice(1)
  const found = [...(key === "to" ? (names.addresses.get(name) ?? []) : []), ...(names.contracts.get(name) ?? [])]
  if (found.length === 0) throw meaningless(`no ${key === "to" ? "address" : "contract"} is called ${text}`)
  return found
}

function ownPattern(text: string): PathPattern {
  const pattern = parsePathPattern(text.slice("@own:".length))
  if (pattern === undefined) throw meaningless(`behind @own: there is no path pattern in ${text}`)
  return pattern
}

/** A bare address stands for itself on every chain that spells accounts like this. */
const bareKey = (address: string): string => (address.startsWith("0x") ? address.toLowerCase() : address)

export function reaches({ accounts, paths }: Targets, to: ViewField<Destination>): boolean {
  if (to.is !== "known") return false
  const { keys, ownPath, chain } = to.value
  for (const key of keys) if (accounts.has(key)) return true
  return (
    ownPath !== undefined &&
    paths.some(({ chain: on, pattern }) => (on === undefined || on === chain) && matchesPath(pattern, ownPath))
  )
}

/** Whether a deny entry may mean the destination: an effect on every chain is also on the target's chain. */
export function mayReach(targets: Targets, to: ViewField<Destination>): boolean {
  if (to.is !== "known" || to.value.isStrange || reaches(targets, to)) return true
  if (!isAnyChain(to.value.chain)) return false
  const { keys, ownPath } = to.value
  if (keys.some((key) => targets.bare.has(key))) return true
  return ownPath !== undefined && targets.paths.some(({ pattern }) => matchesPath(pattern, ownPath))
}
