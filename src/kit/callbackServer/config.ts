/**
 * callback-server.toml: what the reference server allows. It is read through the same entry point as the node's configuration. An
 * absent section refuses its requests.
 */
import { dirname, resolve } from "node:path"
import { type StaticDecode, Type } from "@sinclair/typebox"
import type { Bytes } from "../../bytes.ts"
import { parseDecimal } from "../../intent/amount.ts"
import { parseAddress } from "../../intent/evm/address.ts"
import { parseDocument, readSource } from "../../settings/file.ts"
import { type DeepReadonly, readSettings } from "../../settings/read.ts"
import {
  boolean,
  entryOf,
  integer,
  listOf,
  parsed,
  path,
  pathOr,
  type Refused,
  refined,
  requiredInteger,
  requiredList,
  tableOf,
  word,
} from "../../settings/schema.ts"
import { templateOf } from "../../settings/template.ts"
import { parseEther } from "./words.ts"

interface Token {
  readonly contract: Bytes
  readonly decimals: number
  /** In the token's smallest unit. */
  readonly maxAmount: bigint
}

export interface EvmChain {
  /** As extra_info names the chain: ETH. */
  readonly name: string
  readonly chainId: bigint
  readonly destinations: readonly Bytes[]
  /** Wei. */
  readonly maxAmount: bigint
  readonly maxFee: bigint
  readonly tokens: readonly Token[]
}

export interface ReferenceRules {
  readonly keyGen: boolean
  readonly keyReshare: boolean
  readonly keyShareSign: boolean
  readonly evm: readonly EvmChain[]
}

interface ReferenceConfig {
  readonly host: string
  readonly port: number
  /** Absolute. */
  readonly privateKeyFile: string
  /** One for each node that may ask. */
  readonly nodeKeyFiles: readonly string[]
  readonly tokenExpireMinutes: number
  readonly rules: ReferenceRules
}

const LISTEN = /^(127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|localhost):([0-9]{1,5})$/

function parseListen(text: string): { readonly host: string; readonly port: number } | undefined {
  const [, host = "", port = ""] = LISTEN.exec(text) ?? []
  return host === "" || Number(port) > 65_535 ? undefined : { host: host.replaceAll(/[[\]]/g, ""), port: Number(port) }
}

const address = (example: string, description: string) =>
  parsed(parseAddress, {
    example,
    description,
    expected: "an address of 0x and 40 hex digits, with the right checksum if its capitals are mixed",
  })

const ether = (example: string, description: string) =>
  parsed(parseEther, { example, description, expected: 'an amount with its unit, such as "1.5 ether" or "20 gwei"' })

const token = entryOf("A token whose transfers to the same destinations are allowed.", {
  contract: address("0xdAC17F958D2ee523a2206206994597C13D831ec7", "The token's contract."),
  decimals: requiredInteger(0, 36, 6, "The token's number of decimals."),
  max_amount: word("1000", "The largest amount of one transfer, in whole tokens, as text."),
})

const chain = entryOf("A chain whose transactions may be approved.", {
  name: word("ETH", "The chain as extra_info names it."),
  chain_id: requiredInteger(1, Number.MAX_SAFE_INTEGER, 1, "Its chain id (EIP-155)."),
  destinations: requiredList(address("0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359", "A destination."), {
    description: "Where value may go; an empty list allows no destination.",
    expected: "a list of addresses",
    example: [],
  }),
  max_amount: ether("0.1 ether", "The largest amount of one transaction, with its unit: ether, gwei or wei."),
  max_fee: ether("0.01 ether", "The most that the gas of one transaction may cost."),
  tokens: listOf(
    refined(token, function* ({ max_amount, decimals }): Generator<Refused> {
      if (parseDecimal(max_amount, decimals) !== undefined) return
      yield {
        at: ["max_amount"],
        expected: `a decimal number of tokens with at most ${decimals} decimals, as text`,
        got: JSON.stringify(max_amount),
      }
    }),
    { description: "Tokens whose transfers are allowed.", expected: "a list of tables" },
  ),
})

const section = (description: string) =>
  tableOf(description, { allow: boolean(false, "Whether such requests are approved.") })

export const callbackServerSchema = tableOf("The configuration of the reference callback server.", {
  listen: parsed(parseListen, {
    fallback: "127.0.0.1:11020",
    example: "127.0.0.1:11020",
    expected: "an address and a port, such as 127.0.0.1:11020",
    description:
      "Addresses: 127.0.0.1, localhost, 0.0.0.0, [::1] or [::]. The node asks /v2/check (or /v1/check); /ping answers while the server runs.",
  }),
  private_key: pathOr(
    "callback-server.key",
    "PEM of the RSA key that signs the answers. The node's pubkey_path is the public half.",
  ),
  node_public_keys: Type.Array(path("node-callback-pub.key", "A public key."), {
    minItems: 1,
    maxItems: 1000,
    example: ["node-callback-pub.key"],
    description: "The callback public keys of the nodes that may ask: what `cosigner info` prints, saved to a file.",
    expected: "a list of at least one PEM file",
  }),
  token_expire_minutes: integer(1, 60, 2, "How long an answer is valid, in minutes."),
  key_gen: section("New keys."),
  key_reshare: section("Changes of the members of a key."),
  key_share_sign: section("Check-ups of a key share."),
  key_sign: tableOf("Signatures: approved only for one EVM transaction whose hash is what will be signed.", {
    evm: listOf(chain, { description: "One table for each chain.", expected: "a list of tables" }),
  }),
})

/** What `callback-server init` writes; `set` names the keys that it sets. */
export const callbackServerTemplate = (set: Readonly<Record<string, unknown>> = {}): string =>
  templateOf(callbackServerSchema, {
    head: [
      "A callback server for a co-signer node: cosigner callback-server -c callback-server.toml",
      "The server rejects everything that is not allowed here. Relative files are relative to this one. Commented keys show defaults and examples.",
    ],
    set,
  })

/**
 * Reads and checks; relative key files are relative to the configuration's folder.
 * Throws E-CFG-001 to E-CFG-003 with file, line and key.
 */
export function readReferenceConfig(file: string): ReferenceConfig {
  const source = readSource(file, true)
  const { value } = readSettings(callbackServerSchema, parseDocument(source, file, callbackServerSchema))
  const at = (name: string) => resolve(dirname(file), name)
  return {
    ...value.listen,
    privateKeyFile: at(value.private_key),
    nodeKeyFiles: value.node_public_keys.map(at),
    tokenExpireMinutes: value.token_expire_minutes,
    rules: {
      keyGen: value.key_gen.allow,
      keyReshare: value.key_reshare.allow,
      keyShareSign: value.key_share_sign.allow,
      evm: value.key_sign.evm.map(chainOf),
    },
  }
}

const chainOf = ({
  name,
  chain_id,
  destinations,
  max_amount,
  max_fee,
  tokens,
}: DeepReadonly<StaticDecode<typeof chain>>): EvmChain => ({
  name,
  chainId: BigInt(chain_id),
  destinations,
  maxAmount: max_amount,
  maxFee: max_fee,
  tokens: tokens.map(({ contract, decimals, max_amount }) => ({
    contract,
    decimals,
    maxAmount: parseDecimal(max_amount, decimals) ?? 0n,
  })),
})
