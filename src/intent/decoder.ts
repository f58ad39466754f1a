/**
 * The input and the contract of a decoder. It is pure, total (a problem is a value), deterministic, linear in time and bounded in
 * memory. The context holds only what the node itself knows, nothing that a task only states.
 */
import type { Bytes } from "../bytes.ts"
import type { CurveName } from "../crypto/curve.ts"
import { namespaceOf } from "./caip.ts"
import { refuse } from "./problem.ts"
import { type Decoded, type Format, MAX_NESTING } from "./reading.ts"

export interface Decoder {
  readonly format: Format
  /** Never throws for any bytes. */
  decode(data: Uint8Array, context: Context): Decoded
}

/** One message of the task that names this payload. It does not have the hash that the task asks for: a decoder computes the hash. */
export interface Asked {
  readonly path: readonly number[]
  /** enc(P) of the key at `path`, derived by the node: 33 bytes on secp256k1, 32 on Ed25519. */
  readonly publicKey: Bytes
  readonly signature: "ECDSA" | "EdDSA" | "Schnorr"
  /** Schnorr: the Taproot merkle root that the key is tweaked with, empty if there are no scripts; absent: no tweak. */
  readonly merkleRoot?: Bytes
  /** Bitcoin: the input that it signs. */
  readonly input?: number
}

export interface Context {
  readonly curve: CurveName
  /** In the task's order. Empty in an offline reading: then senders are `{unresolved}`, or as the payload states them. */
  readonly messages: readonly Asked[]
  /** enc(P) of the group's key at a path; undefined if there is no such child. */
  readonly derive: (path: readonly number[]) => Bytes | undefined
  /** CAIP-2 ids of the chains that all these messages' paths sign for; their order has no meaning. */
  readonly chains: readonly string[]
  readonly settings: Settings
}

/** The part of the node's configuration that changes how payloads are read. The rest only annotates. */
export interface Settings {
  /** Native assets by chain, beyond the built-in ones: CAIP-2 to CAIP-19. */
  readonly nativeAssets: ReadonlyMap<string, string>
  readonly evm: {
    /** Contract accounts that sign by ERC-1271 with keys of ours: `eip155:1` and the address in EIP-55 spelling. */
    readonly contractAccounts: readonly { readonly chain: string; readonly address: string }[]
  }
  readonly bitcoin: {
    /** The last index of a change path may be at most this. */
    readonly changeLimit: number
  }
  readonly solana: {
    /** Address of a lookup table to its entries. */
    readonly lookupTables: ReadonlyMap<string, readonly string[]>
    /** Mints of configured assets, by which transfers that name no mint are recognised. */
    readonly mints: readonly { readonly mint: string; readonly program: string }[]
  }
  readonly tron: {
    /** Sun for a byte of bandwidth. */
    readonly bandwidthPrice: bigint
  }
}

export const DEFAULT_SETTINGS: Settings = {
  nativeAssets: new Map(),
  evm: { contractAccounts: [] },
  bitcoin: { changeLimit: 100_000 },
  solana: { lookupTables: new Map(), mints: [] },
  tron: { bandwidthPrice: 1000n },
}

/** Refuses a chain that the messages' paths do not sign for. An offline reading allows every chain. */
export function allowChain({ messages, chains }: Context, chain: string, at: string): void {
  if (messages.length === 0 && chains.length === 0) return
  if (chains.includes(chain)) return
  refuse("E-INT-004", at, `it is for ${chain}, and the path signs for ${chains.join(", ") || "no chain"}`)
}

/** The chain if the payload does not name it (Bitcoin, Solana, TRON): the only one of `namespace` that the paths sign for. */
export function onlyChain({ messages, chains }: Context, namespace: string, mainnet: string): string {
  if (messages.length === 0 && chains.length === 0) return mainnet
  const [chain, second] = chains.filter((one) => namespaceOf(one) === namespace)
  if (chain === undefined)
    return refuse("E-INT-004", "chain", `the path signs for ${chains.join(", ") || "no chain"}, not for ${namespace}`)
  if (second === undefined) return chain
  return refuse(
    "E-INT-004",
    "chain",
    `the path signs for both ${chain} and ${second}, and the payload cannot tell them`,
  )
}

/** Refuses a key of the wrong curve or a signature of the wrong kind. */
export function demandSignature(
  { curve, messages }: Context,
  wanted: CurveName,
  kinds: readonly Asked["signature"][],
): void {
  if (messages.length > 0 && curve !== wanted)
    refuse("E-INT-008", "key", `it needs a key on ${wanted}, and the group's is on ${curve}`)
  for (const { signature } of messages) {
    if (!kinds.includes(signature))
      refuse("E-INT-008", "signature type", `it needs ${kinds.join(" or ")}, not ${signature}`)
  }
}

/** The one message of a payload that takes one signature; undefined offline. */
export function onlyMessage({ messages }: Context): Asked | undefined {
  if (messages.length > 1)
    refuse("E-INT-006", "messages", `it takes one signature, and ${messages.length} messages name it`)
  const [message] = messages
  if (message?.input !== undefined) refuse("E-INT-006", "messages", "a message names an input, and it has none")
  return message
}

/** The depth of a call inside a call at `depth`; the outermost call has depth 0. */
export const deeper = (depth: number, at: string): number =>
  depth < MAX_NESTING ? depth + 1 : refuse("E-INT-009", at, `more than ${MAX_NESTING} levels`)
