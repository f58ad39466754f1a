/** `cosigner client wallet create|list|show|rename`: names for addresses of one vault. */
import { EXIT } from "../../errors/entry.ts"
import type { WalletObject } from "../../waas/client.ts"
import { command, required } from "../command.ts"
import { connect, profileOption } from "./profile.ts"
import { limitOption, vaultOption, walk } from "./vault.ts"
import { vaultIdOf } from "./verified.ts"

const line = ({ wallet_id, name, vault_id }: WalletObject): string => `${wallet_id}  ${name}  vault ${vault_id}`

export const create = command({
  summary: "Make a wallet: a name for addresses of a vault",
  args: { name: required("name", "for people") },
  options: { profile: profileOption, vault: vaultOption },
  examples: [["cosigner client wallet create payouts", "then: cosigner client address new"]],
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const wallet = await client.createWallet(vaultIdOf(options.vault, profile), args.name)
    out.result(wallet, [
      `Wallet: ${wallet.wallet_id}`,
      `Next: cosigner client address new ${wallet.wallet_id} --chain ETH`,
    ])
    return EXIT.ok
  },
})

export const list = command({
  summary: "List the wallets, of one vault or of all",
  options: { profile: profileOption, vault: vaultOption, limit: limitOption },
  run: async ({ options, out }) => {
    using connection = connect(options.profile)
    const { client } = connection
    const filter = options.vault === undefined ? {} : { vault_id: options.vault }
    const wallets = await walk(options.limit, (query) => client.wallets({ ...filter, ...query }))
    out.result(
      wallets,
      wallets.length === 0 ? ["No wallets; make one with: cosigner client wallet create"] : wallets.map(line),
    )
    return EXIT.ok
  },
})

export const show = command({
  summary: "Show a wallet",
  args: { wallet: required("wallet-id", "as `client wallet list` shows it") },
  options: { profile: profileOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const wallet = await connection.client.wallet(args.wallet)
    out.result(wallet, [line(wallet)])
    return EXIT.ok
  },
})

export const rename = command({
  summary: "Give a wallet another name",
  args: { wallet: required("wallet-id", "as `client wallet list` shows it"), name: required("name", "for people") },
  options: { profile: profileOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const wallet = await connection.client.renameWallet(args.wallet, args.name)
    out.result(wallet, [line(wallet)])
    return EXIT.ok
  },
})
