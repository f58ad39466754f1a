/**
 * `cosigner client address new|list|verify`. Money will be sent to an address that WaaS reports. So each address is derived again here,
 * from the vault's root key and the address's path, before it is shown.
 */
import { EXIT } from "../../errors/entry.ts"
import { CosignerError } from "../../errors.ts"
import { parsePath } from "../../keys/path.ts"
import type { AddressObject, Client } from "../../waas/client.ts"
import { addressesAt, ENCODINGS, encodingOn } from "../../waas/wallets/addresses.ts"
import { type Chain, chainsOf, familyOf } from "../../waas/wallets/chains.ts"
import { choice, command, integer, list as listOption, refuse, required, value, valueOr } from "../command.ts"
import { attestedPlace } from "./attested.ts"
import { connect, type Profile, profileOption, readProfile } from "./profile.ts"
import { limitOption, walk } from "./vault.ts"
import { amiss, checkedVault, rootOf } from "./verified.ts"

export const chainOption = value("--chain <id>", "the chain, as WaaS names it: ETH, BTC, SOL, TRON")
const encodingOption = choice(
  "--encoding <encoding>",
  "the form of a Bitcoin address (default ENCODING_BECH32)",
  ENCODINGS,
)

/** The calls that checking an address needs. */
type AddressReads = Pick<Client, "wallet" | "vault" | "chain">

/** A chain by its published name, whatever WaaS says about it; WaaS's answer counts only for a name that is WaaS's own. */
export async function chainNamed(client: AddressReads, chainId: string): Promise<Chain> {
  const known = chainsOf([]).supported.find((chain) => chain.chainId === chainId)
  if (known !== undefined) return known
  const { caip2_chain_id: caip2 } = await client.chain(chainId)
  const made = familyOf(caip2) === undefined ? undefined : chainsOf([{ id: chainId, caip2 }]).supported[0]
  if (made === undefined) throw amiss(`chain ${chainId} is ${caip2}, which no address follows from`)
  return made
}

/** The address at a path of a root key; undefined if the chain has no such form, or the path no index. */
function derived(root: string, chain: Chain, form: string | undefined, path: string): string | undefined {
  const asked = ENCODINGS.find((one) => one === form)
  const encoding = form !== undefined && asked === undefined ? undefined : encodingOn(chain, asked)
  const levels = parsePath(path)
  const [index] = levels.slice(-1)
  if (encoding === undefined || index === undefined) return undefined
  return addressesAt(root, chain, encoding, levels.slice(0, -1), [index])[0]?.address
}

/** Throws E-CLI-032 unless every address is the vault's own, derived again. */
export async function checkAddresses(
  client: AddressReads,
  profile: Profile,
  walletId: string,
  found: readonly AddressObject[],
): Promise<void> {
  const { vault_id: vaultId } = await client.wallet(walletId)
  const vault = checkedVault(await client.vault(vaultId), vaultId, profile)
  for (const { address, chain_id, encoding, path } of found) {
    const chain = await chainNamed(client, chain_id)
    const own = derived(rootOf(vault, chain.curve), chain, encoding, path)
    if (own !== address)
      throw amiss(`${address} is not the address at ${path} of vault ${vaultId}, which is ${own ?? encoding}`)
  }
}

const line = ({ address, chain_id, path, encoding }: AddressObject): string =>
  `${address}  ${chain_id}  ${path}${encoding === "ENCODING_DEFAULT" ? "" : `  ${encoding}`}`

export const create = command({
  summary: "Make addresses of a wallet, each at a path that was never used",
  details: "Each is derived again here from the vault's root key, and shown only if it is the same.",
  args: { wallet: required("wallet-id", "as `client wallet list` shows it") },
  options: {
    profile: profileOption,
    chain: chainOption,
    count: valueOr("--count <n>", "how many", "1", integer(1, 50)),
    encoding: encodingOption,
  },
  examples: [["cosigner client address new 5f0e... --chain BTC --encoding ENCODING_P2TR", "a Taproot address"]],
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const { chain = refuse("--chain", "the id of a chain", "none"), count, encoding } = options
    const wanted = { chain_id: chain, count, ...(encoding === undefined ? {} : { encoding }) }
    const made = await client.createAddresses(args.wallet, wanted)
    if (made.length !== count || made.some(({ chain_id }) => chain_id !== chain))
      throw amiss(`asked for ${count} addresses on ${chain}, it told of others`)
    await checkAddresses(client, profile, args.wallet, made)
    out.result(
      made.map((one) => ({ ...one, verified: true })),
      made.map(line),
    )
    return EXIT.ok
  },
})

export const list = command({
  summary: "List the addresses of a wallet, each derived again",
  args: { wallet: required("wallet-id", "as `client wallet list` shows it") },
  options: { profile: profileOption, chain: chainOption, limit: limitOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const filter = options.chain === undefined ? {} : { chain_ids: options.chain }
    const found = await walk(options.limit, (query) => client.addresses(args.wallet, { ...filter, ...query }))
    await checkAddresses(client, profile, args.wallet, found)
    const rows = found.map((one) => ({ ...one, verified: true }))
    out.result(rows, rows.length === 0 ? ["No addresses; make one with: cosigner client address new"] : found.map(line))
    return EXIT.ok
  },
})

export const verify = command({
  summary: "Say whether an address is a vault's own",
  details: [
    "With --wallet, the command asks WaaS for the address's path, and derives the address again from the vault's root key.",
    "With --path and --chain it asks nobody, and derives the address from the roots that the profile names.",
    "With --attestation it reads files that `cosigner info address --json` printed on the nodes. As many as the profile demands must be by its nodes, and agree.",
    "Ends with exit code 5 unless the address is the vault's own.",
  ].join("\n"),
  args: { address: required("address", "as the chain spells it") },
  options: {
    profile: profileOption,
    wallet: value("--wallet <id>", "the wallet that has it"),
    path: value("--path <path>", "the path that it stands at"),
    attestations: listOption("--attestation <files>", "attestations of nodes"),
    chain: chainOption,
    encoding: encodingOption,
  },
  examples: [
    ["cosigner client address verify bc1q... --path m/84/0/0/0/3 --chain BTC", "by the profile's roots alone"],
  ],
  run: async ({ args, options, out }) => {
    const { wallet, path, attestations } = options
    const ways = [wallet, path, attestations[0]].filter((way) => way !== undefined)
    if (ways.length !== 1)
      refuse("what to verify by", "--wallet, or --path and --chain, or --attestation", `${ways.length}`)
    const { address } = args
    const at =
      wallet === undefined
        ? offline(readProfile(options.profile), address, options)
        : await asked(options.profile, address, wallet)
    out.result({ address, ...at, verified: true }, [`${address} is at ${at.path} of ${at.root_pubkey}`])
    return EXIT.ok
  },
})

/** Takes the path from WaaS. */
async function asked(profileFile: string, address: string, walletId: string): Promise<VaultPlace> {
  using connection = connect(profileFile)
  return await addressIn(connection.client, connection.profile, address, walletId)
}

interface VaultPlace {
  readonly path: string
  readonly root_pubkey: string
}

export async function addressIn(
  client: Client,
  profile: Profile,
  address: string,
  walletId: string,
): Promise<VaultPlace> {
  const { data } = await client.addresses(walletId, { addresses: address })
  const [found] = data
  if (found === undefined)
    throw new CosignerError("E-CLI-011", { what: `address ${address} in wallet ${walletId}`, known: [] })
  if (found.address !== address) throw amiss(`asked for ${address}, it told of ${found.address}`)
  await checkAddresses(client, profile, walletId, [found])
  const { vault_id: vaultId } = await client.wallet(walletId)
  const { curve } = await chainNamed(client, found.chain_id)
  return { path: found.path, root_pubkey: rootOf(await client.vault(vaultId), curve) }
}

interface StatedPlace {
  readonly attestations: readonly string[]
  readonly path: string | undefined
  readonly chain: string | undefined
  readonly encoding: string | undefined
}

/** Needs no connection and no API key. */
function offline(profile: Profile, address: string, stated: StatedPlace): VaultPlace {
  const { attestations, path = "", chain: chainId = "", encoding } = stated
  if (attestations.length > 0) return attestedPlace(profile, address, attestations)
  const { roots } = profile
  const chain = chainsOf([]).supported.find((one) => one.chainId === chainId)
  if (chain === undefined) return refuse("--chain", "the published name of a chain, such as ETH", chainId || "none")
  const own = roots.filter(({ curve }) => curve === chain.curve)
  if (own.length === 0) return refuse("roots of the profile", `a root key on ${chain.curve}`, "none")
  const root = own.find(({ text }) => derived(text, chain, encoding, path) === address)
  if (root === undefined) throw amiss(`${address} is not the address at ${path} of any root that the profile names`)
  return { path, root_pubkey: root.text }
}
