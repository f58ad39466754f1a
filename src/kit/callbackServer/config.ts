/**
 * callback-server.toml: what the reference server allows. Closed like every configuration here: an unknown key or a wrong
 * value refuses the start, an absent section refuses the requests.
 */
import { readFileSync } from "node:fs"
import { dirname, resolve } from "node:path"
import { parse } from "toml"
import type { Bytes } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { type Problem, type Table, tableOf } from "../../policy/tableReader.ts"
import { parseDecimal, parseEther } from "./amount.ts"
import { parseAddress } from "./evmAddress.ts"

export interface Token {
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

export interface ReferenceConfig {
  readonly host: string
  readonly port: number
  /** Absolute. */
  readonly privateKeyFile: string
  /** One for each node that may ask. */
  readonly nodeKeyFiles: readonly string[]
  readonly tokenExpireMinutes: number
  readonly rules: ReferenceRules
}

/** Reads and checks; relative key files are relative to the configuration's folder. Throws E-RSK-301. */
export function readReferenceConfig(file: string): ReferenceConfig {
  const bad = (problem: string, cause?: unknown) => new CosignerError("E-RSK-301", { file, problem }, { cause })
  let tree: unknown
  try {
    tree = parse(readFileSync(file, "utf8"))
  } catch (error) {
    throw bad(`it cannot be read as TOML: ${error instanceof Error ? (error.message.split("\n")[0] ?? "") : ""}`, error)
  }
  const problems: Problem[] = []
  const config = configOf(tableOf(tree, [], problems), (path) => resolve(dirname(file), path))
  if (problems.length > 0) {
    throw bad(problems.map(({ at, expected, got }) => `${at.join(".")}: expected ${expected}, got ${got}`).join("; "))
  }
  return config
}

function configOf(t: Table, at: (path: string) => string): ReferenceConfig {
  const [, host = "", port = ""] =
    /^(127\.0\.0\.1|0\.0\.0\.0|\[::1?\]|localhost):([0-9]{1,5})$/.exec(t.word("listen")) ?? []
  if (host === "" || Number(port) > 65_535)
    t.report("listen", "an address and a port, such as 127.0.0.1:11020", "something else")
  const keys = t.words("node_public_keys") ?? t.missing("node_public_keys", "a list of PEM files")
  if (keys.length === 0) t.report("node_public_keys", "at least one PEM file", "none")
  const config: ReferenceConfig = {
    host: host.replaceAll(/[[\]]/g, ""),
    port: Number(port),
    privateKeyFile: at(t.word("private_key")),
    nodeKeyFiles: keys.map(at),
    tokenExpireMinutes: t.integer("token_expire_minutes", 1, 60) ?? 2,
    rules: {
      keyGen: allowed(t, "key_gen"),
      keyReshare: allowed(t, "key_reshare"),
      keyShareSign: allowed(t, "key_share_sign"),
      evm: t.table("key_sign", (sign) => sign.tables("evm", chainOf) ?? []) ?? [],
    },
  }
  t.close()
  return config
}

const allowed = (t: Table, section: string): boolean => t.table(section, (inner) => inner.boolean("allow")) ?? false

const ADDRESS = "an address of 0x and 40 hex digits, with the right checksum if its capitals are mixed"

function chainOf(t: Table): EvmChain {
  return {
    name: t.word("name"),
    chainId: BigInt(t.integer("chain_id", 1, Number.MAX_SAFE_INTEGER) ?? t.absent("chain_id", "a number", 1)),
    destinations: t.parsed("destinations", ADDRESS, parseAddress) ?? t.missing("destinations", "a list of addresses"),
    maxAmount: etherOf(t, "max_amount"),
    maxFee: etherOf(t, "max_fee"),
    tokens: t.tables("tokens", tokenOf) ?? [],
  }
}

function tokenOf(t: Table): Token {
  const contract = parseAddress(t.word("contract"))
  if (contract === undefined) t.report("contract", ADDRESS, "something else")
  const decimals = t.integer("decimals", 0, 36) ?? t.absent("decimals", "the token's number of decimals", 0)
  const text = t.word("max_amount")
  const maxAmount = parseDecimal(text, decimals)
  if (maxAmount === undefined) t.report("max_amount", "a decimal number of tokens, as text", text)
  return { contract: contract ?? new Uint8Array(20), decimals, maxAmount: maxAmount ?? 0n }
}

function etherOf(t: Table, key: string): bigint {
  const text = t.wordOr(key, "")
  const wei = parseEther(text)
  if (wei === undefined) t.report(key, 'an amount with its unit, such as "1.5 ether" or "20 gwei"', text)
  return wei ?? 0n
}
