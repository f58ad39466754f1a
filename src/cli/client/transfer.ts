/**
 * `cosigner client transfer`: a payment of an EVM chain's coin or of a token, built here and signed by the nodes of a vault. WaaS gets
 * the finished transaction. The signed transaction is assembled here, ready to be broadcast.
 */
import { fromHex } from "../../bytes.ts"
import { CosignerError, isCode } from "../../errors.ts"
import { chainOf } from "../../intent/caip.ts"
import { addressOf, parseAddress } from "../../intent/evm/address.ts"
import { parsePath } from "../../keys/path.ts"
import { type Names, NO_NAMES, namesIn, parseAmount } from "../../policy/names.ts"
import type { SignRequestObject } from "../../waas/client.ts"
import { ApiFailure } from "../../waas/failure.ts"
import { addressesAt } from "../../waas/wallets/addresses.ts"
import type { Chain } from "../../waas/wallets/chains.ts"
import {
  assembled,
  draftOf,
  type EvmCall,
  erc20Transfer,
  feesOf,
  pendingNonce,
  requireChain,
} from "../../waas/wallets/evmDraft.ts"
import { type JsonRpc, jsonRpcOf, RpcRefusal } from "../../waas/wallets/jsonRpc.ts"
import { initiatorOf } from "../approve/initiator.ts"
import { command, flag, integer, refuse, url, value } from "../command.ts"
import { addressIn, chainNamed, chainOption } from "./address.ts"
import { askForSignatures, askingOptions, type Wish } from "./asking.ts"
import { connect, type WaasConnection } from "./profile.ts"
import { checkedVault, rootOf, vaultIdOf } from "./verified.ts"

const GWEI = 1_000_000_000n

/** `12.5` in gwei, the usual unit of gas prices. */
function weiOf(flagName: string): (text: string) => bigint {
  return (text) => {
    const [, whole, fraction = ""] = /^(\d{1,9})(?:\.(\d{1,9}))?$/.exec(text) ?? []
    if (whole === undefined) return refuse(flagName, "gwei, such as 20 or 0.5", text)
    return BigInt(whole) * GWEI + BigInt(fraction.padEnd(9, "0"))
  }
}

export const transfer = command({
  summary: "Have the nodes of a vault sign a payment on an EVM chain",
  details: [
    "The command builds the transaction (EIP-1559). With --rpc-url it asks the chain's endpoint for values that are not given: nonce, gas, fees. An endpoint can",
    "make a payment fail or its fee high; the nodes' rules bound this. A token must be named in [intent] of the file that --config names.",
    "With --wait the signed transaction is printed, and with --broadcast sent to the endpoint.",
  ].join("\n"),
  options: {
    ...askingOptions,
    path: value("--path <path>", "the path of the account that pays"),
    from: value("--from <address>", "or its address, with --wallet"),
    wallet: value("--wallet <id>", "the wallet that has it"),
    chain: chainOption,
    to: value("--to <address>", "who is paid"),
    amount: value("--amount <amount>", 'how much of what: "0.1 ETH"'),
    nonce: value("--nonce <n>", "of the account", integer(0, Number.MAX_SAFE_INTEGER)),
    gas: value("--gas <n>", "at most so much gas", integer(21_000, 100_000_000)),
    maxFee: value("--max-fee <gwei>", "at most so much for each gas", weiOf("--max-fee")),
    priorityFee: value("--priority-fee <gwei>", "of it for whoever makes the block", weiOf("--priority-fee")),
    rpcUrl: value("--rpc-url <url>", "the chain's JSON-RPC endpoint", url("http", "https")),
    broadcast: flag("--broadcast", "send the signed transaction to the endpoint"),
  },
  examples: [
    [
      'cosigner client transfer --path m/44/60/0/0/0 --chain ETH --to 0x... --amount "0.1 ETH" --nonce 7 --gas 21000 --max-fee 20 --priority-fee 1 --wait',
      "without any endpoint",
    ],
  ],
  run: async (base) => {
    const { options, out, globals } = base
    using connection = connect(options.profile)
    const { rpcUrl, broadcast, wait } = options
    if (broadcast && (!wait || rpcUrl === undefined)) refuse("--broadcast", "given with --wait and --rpc-url", "")
    const names = globals.config === undefined ? NO_NAMES : namesIn((await base.config()).intent)
    using initiator = await initiatorOf(options, base.env["SSH_AUTH_SOCK"])
    const asking = { ...options, vaultId: vaultIdOf(options.vault, connection.profile), initiator }
    const chain = await chainNamed(connection.client, options.chain ?? refuse("--chain", "the id of a chain", "none"))
    if (chain.family !== "evm") refuse("--chain", "an EVM chain; elsewhere sign a --payload", chain.chainId)
    const payer = await payerOf(connection, asking.vaultId, chain, options)
    const call = { ...paymentOf(options, chain, names), from: payer.address }
    const rpc = rpcUrl === undefined ? undefined : jsonRpcOf({ ...chain, rpcUrl }, fetch)
    const unsigned = await usable(() => unsignedOf(call, rpc, options))
    const wish: Wish = {
      curve: "secp256k1",
      signatureType: 1,
      messages: [{ path: parsePath(payer.path), signature: "ECDSA" }],
      payload: { format: "evm/transaction", data: fromHex(unsigned.slice(2)) ?? new Uint8Array(0) },
      digest: undefined,
    }
    const addition = async (request: SignRequestObject) => {
      const { rawTx, hash } = signedOf(unsigned, request)
      if (broadcast && rpc !== undefined) await usable(() => rpc("eth_sendRawTransaction", [rawTx]))
      const fields = { raw_tx: rawTx, transaction_hash: hash, broadcast }
      return { fields, lines: [`transaction ${hash}${broadcast ? ", sent" : ""}`, `raw ${rawTx}`] }
    }
    return await askForSignatures(connection, wish, { asking, names, out, addition })
  },
})

interface GivenPayer {
  readonly path: string | undefined
  readonly from: string | undefined
  readonly wallet: string | undefined
}

/** The account that pays, derived from the vault's root. */
async function payerOf({ client, profile }: WaasConnection, vaultId: string, chain: Chain, given: GivenPayer) {
  const { path, from, wallet } = given
  if ((path === undefined) === (from === undefined || wallet === undefined))
    refuse("who pays", "--path, or --from and --wallet", path ?? from ?? "none")
  const root = rootOf(checkedVault(await client.vault(vaultId), vaultId, profile), "secp256k1")
  const place = path ?? (await addressIn(client, profile, from ?? "", wallet ?? "")).path
  const levels = parsePath(place)
  const [index = 0] = levels.slice(-1)
  const [own] = addressesAt(root, chain, "ENCODING_DEFAULT", levels.slice(0, -1), [index])
  const address = own?.address ?? ""
  if (from !== undefined && from !== address) refuse("--from", `an account of vault ${vaultId}`, from)
  return { path: place, address }
}

interface GivenPayment {
  readonly to: string | undefined
  readonly amount: string | undefined
}

/** The call for a payment of a coin or of a token that [intent] names. */
function paymentOf({ to, amount }: GivenPayment, chain: Chain, names: Names): Omit<EvmCall, "from"> {
  const receiver =
    parseAddress(to ?? "") ?? refuse("--to", "an EVM address, with its checksum if capitals are mixed", to ?? "none")
  const { assets, max } = readAmount(amount ?? "", names)
  const asset = assets.find(({ id }) => chainOf(id) === chain.caip2)
  if (asset === undefined || max === undefined || max === 0n)
    return refuse("--amount", `an amount above zero of an asset on ${chain.caip2}`, amount ?? "none")
  const chainNumber = BigInt(chain.caip2.slice("eip155:".length))
  const address = addressOf(receiver)
  const [, standard, contract] = /\/(slip44|erc20):(.+)$/.exec(asset.id) ?? []
  if (standard === "slip44") return { chainNumber, to: address, value: max, data: "0x" }
  if (contract === undefined) return refuse("--amount", "a coin or an ERC-20 token", asset.id)
  return { chainNumber, to: contract, value: 0n, data: erc20Transfer(address, max) }
}

function readAmount(text: string, names: Names) {
  try {
    return parseAmount(text, names)
  } catch (error) {
    if (isCode(error, "E-RSK-023")) return refuse("--amount", error.data.reason, text)
    throw error
  }
}

interface GivenFees {
  readonly nonce: number | undefined
  readonly gas: number | undefined
  readonly maxFee: bigint | undefined
  readonly priorityFee: bigint | undefined
}

/** The unsigned transaction, `0x` hex. The endpoint supplies values that were not given. */
async function unsignedOf(call: EvmCall, rpc: JsonRpc | undefined, given: GivenFees): Promise<string> {
  const { nonce, gas, maxFee, priorityFee } = given
  const wish = {
    maxFeePerGas: maxFee,
    maxPriorityFeePerGas: priorityFee,
    gasLimit: gas === undefined ? undefined : BigInt(gas),
  }
  if (rpc === undefined) {
    const isWhole = nonce !== undefined && Object.values(wish).every((one) => one !== undefined)
    if (!isWhole) return refuse("without --rpc-url", "--nonce, --gas, --max-fee and --priority-fee", "not all of them")
    return draftOf(call, nonce, await feesOf(() => Promise.resolve(undefined), call, wish)).unsigned
  }
  await requireChain(rpc, call.chainNumber)
  const next = nonce ?? (await pendingNonce(rpc, call.from))
  return draftOf(call, next, await feesOf(rpc, call, wish)).unsigned
}

function signedOf(unsigned: string, { signatures, sign_request_id }: SignRequestObject) {
  const signature = fromHex(signatures[0]?.signature ?? "")
  if (signature?.length !== 64)
    throw new CosignerError("E-CLI-032", { what: `request ${sign_request_id} has no signature of 64 bytes` })
  return assembled(unsigned, signature, Number(signatures[0]?.signature_recovery))
}

/** Turns refusals of endpoints and of transaction drafting into errors of this command. */
async function usable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ApiFailure || error instanceof RpcRefusal)
      throw new CosignerError("E-CLI-034", { problem: error.message }, { cause: error })
    throw error
  }
}
