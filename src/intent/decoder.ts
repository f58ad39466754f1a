/**
 * What a decoder is given and what it promises. Pure, total (a problem is a value), deterministic, linear in time, bounded in
 * memory. The context holds what the node itself knows; nothing that a task merely says is in it.
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

/** One message of the task that names this payload. The hash that the task asks for is not here: a decoder works it out. */
export interface Asked {
  readonly path: readonly number[]
  /** enc(P) of the key at `path`, derived by the node: 33 bytes on secp256k1, 32 on Ed25519. */
  readonly publicKey: Bytes
  readonly signature: "ECDSA" | "EdDSA" | "Schnorr"
  /** Schnorr: the Taproot merkle root that the key is tweaked with, of no bytes where there are no scripts; absent: no tweak. */
  readonly merkleRoot?: Bytes
  /** Bitcoin: the input that it signs. */
  readonly input?: number
}

export interface Context {
  readonly curve: CurveName
  /** In the task's order. Empty in an offline reading: then senders are `{unresolved}`, or as the payload states them. */
  readonly messages: readonly Asked[]
  /** enc(P) of the group's key at a path; undefined where there is no such child. */
  readonly derive: (path: readonly number[]) => Bytes | undefined
  /** CAIP-2 of the chains that all these messages' paths sign for; the first is no better than the others. */
  readonly chains: readonly string[]
  readonly settings: Settings
}

/** What of the node's configuration changes how payloads are read. The rest of it annotates. */
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

/** The chain where the payload does not say it (Bitcoin, Solana, TRON): the one of `namespace` that the paths sign for. */
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

/** The depth of what stands inside a call at `depth`; the outermost call has depth 0. */
export const deeper = (depth: number, at: string): number =>
  depth < MAX_NESTING ? depth + 1 : refuse("E-INT-009", at, `more than ${MAX_NESTING} levels`)
