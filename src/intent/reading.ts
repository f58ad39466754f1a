/**
 * What a node reads in a payload, as data: the payload, the reading with its effects, the problem. Decoders make these types;
 * rules, approvers, callbacks and records use them. The names and lists that a node's own configuration adds (annotations) are not
 * part of them, so two nodes with different files have the same reading.
 *
 * Amounts are bigint base units. Addresses have one spelling per chain: EIP-55 on EVM, bech32 in lower case, base58. Asset
 * ids are CAIP-19 with lower-case EVM addresses.
 */
import type { Bytes } from "../bytes.ts"
import type { IntentCode } from "../errors/intent.ts"

export const FORMATS = [
  "evm/transaction",
  "evm/authorization",
  "evm/typed-data",
  "evm/message",
  "bitcoin/psbt",
  "bitcoin/message",
  "solana/message",
  "solana/offchain",
  "tron/transaction",
  "tron/message",
] as const
export type Format = (typeof FORMATS)[number]

export const isFormat = (text: string): text is Format => FORMATS.some((format) => format === text)

/** Size of all payloads of one task together, decoded. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024
/** Number of effects of one payload. */
export const MAX_EFFECTS = 4096
/** Depth of calls inside calls. */
export const MAX_NESTING = 8

/**
 * An account that the payload names, or the place where its name would have to be looked up: a lookup table that the
 * configuration does not list, a signer that was not given. An unresolved account satisfies no allow condition and matches every
 * deny condition.
 */
export type Account = string | Unresolved
export interface Unresolved {
  /** For people: `entry 3 of lookup table 8xyz…`. */
  readonly unresolved: string
}

/** One thing that happens. Field names are the same in rules, in JSON and in records. */
export type Effect =
  | Transfer
  | Approval
  | Call
  | DelegateCall
  | Delegate7702
  | Deploy
  | SetAuthority
  | CloseAccount
  | Stake
  | Nonce
  | Memo
  | SignedMessage
  | TypedData
  | OpaqueHash
  | Self
export type EffectKind = Effect["kind"]

export interface Transfer {
  readonly kind: "transfer"
  /** The account whose funds move: not always the signer (transferFrom, a Safe, a foreign input). */
  readonly from: Account
  /** Solana: a token account if the message names one; its owner is an annotation. */
  readonly to: Account
  /** CAIP-19. Unresolved if the payload does not state which token it is. */
  readonly asset: Account
  readonly amount: bigint
  /** For a collection: ERC-721, ERC-1155. */
  readonly tokenId?: bigint
  /** Solana: the token program that carries it out. */
  readonly program?: Account
  /** Bitcoin: `to` is the group's own, at this path. The payload names the path, and the node derived the address itself. */
  readonly toPath?: string
}

/** Unlimited is an amount. `permit` is an approval by signature, in a message instead of a transaction. */
export interface Approval {
  readonly kind: "approve" | "permit"
  readonly from: Account
  readonly spender: Account
  readonly asset: Account
  readonly amount: bigint
  /** For a collection, if one token is approved. */
  readonly tokenId?: bigint
  /** Unix seconds. */
  readonly deadline?: bigint
}

/** Any call with data, whether its effect is known or not. Known effects are listed beside it. */
export interface Call {
  readonly kind: "call"
  readonly from: Account
  readonly to: Account
  /** EVM: `0x` and 8 hex digits, or fewer if the data is shorter. On other chains the name or number of the operation. */
  readonly selector: string
  /** All data that the callee gets, selector included. */
  readonly data: Bytes
  /** Amount of the native asset, in base units. If it is not 0, it is also listed as a transfer. */
  readonly value: bigint
  /** Solana: the accounts that the callee may touch, in its order, with `s` for signers and `w` for those it may write. */
  readonly accounts?: string
}

/** Foreign code runs as if it were the account's own: it can do everything that the account can. */
interface DelegateCall {
  readonly kind: "delegatecall"
  /** The account in whose name the code runs. */
  readonly from: Account
  /** The code. */
  readonly to: Account
  readonly selector: string
  readonly data: Bytes
}

/** EIP-7702: an account takes over a contract's code until further notice. */
interface Delegate7702 {
  readonly kind: "delegate_7702"
  /** The account that delegates. */
  readonly from: Account
  /** The code; the zero address ends a delegation. */
  readonly delegate: Account
  /** CAIP-2 of the authorization, which may differ from the transaction's; `eip155:*` is every chain. */
  readonly chain: string
  /** Nonce of the account, as stated in the authorization. */
  readonly nonce: bigint
}

interface Deploy {
  readonly kind: "deploy"
  readonly from: Account
  /** The address of the new contract, if the payload determines it. */
  readonly to: Account
  readonly data: Bytes
  readonly value: bigint
}

/** Who may act for an account changes: owners, modules, guards, mint and freeze authorities, permissions. */
export interface SetAuthority {
  readonly kind: "set_authority"
  /** The account whose authority changes. */
  readonly from: Account
  /** Which authority: `owner`, `threshold`, `module`, `guard`, `fallback_handler`, `mint`, `close`, `permission`… */
  readonly role: string
  readonly action: "add" | "remove" | "set"
  /** The new or the removed holder; absent if there is none (a threshold, an authority given up). */
  readonly authority?: Account
  /** Signatures needed from now on, if this changes. */
  readonly threshold?: bigint
}

interface CloseAccount {
  readonly kind: "close_account"
  /** The account that ends. */
  readonly from: Account
  /** Who gets what is left. */
  readonly to: Account
}

interface Stake {
  readonly kind: "stake"
  readonly from: Account
  /** `delegate`, `deactivate`, `freeze`, `vote`… */
  readonly action: string
  /** Validator, vote account or receiver of the resource. */
  readonly to?: Account
  readonly asset: Account
  /** 0 if the action has no amount. */
  readonly amount: bigint
}

/** Solana: a durable nonce is used, so the transaction never expires. */
interface Nonce {
  readonly kind: "nonce"
  /** The nonce account. */
  readonly from: Account
  readonly authority: Account
}

interface Memo {
  readonly kind: "memo"
  readonly data: Bytes
}

/** A personal message of printable text. */
interface SignedMessage {
  readonly kind: "message"
  readonly from: Account
  readonly text: string
  /** Solana: the application that the message names; anybody can name any. */
  readonly domain?: string
}

/** EIP-712 data. Known effects of it are listed beside it. */
interface TypedData {
  readonly kind: "typed_data"
  readonly from: Account
  /** The contract of the domain, if it names one. */
  readonly to?: Account
  /** Of the domain; anybody can write any name. */
  readonly domain: string
  readonly primaryType: string
  /** encodeType of EIP-712, by which rules recognise a type. */
  readonly encodeType: string
  /** hashStruct of the message, 32 bytes. */
  readonly hash: Bytes
}

/** Approval of a hash whose meaning is not in the payload. */
interface OpaqueHash {
  readonly kind: "opaque_hash"
  readonly from: Account
  /** The contract that will take it as consent, if there is one. */
  readonly to?: Account
  readonly hash: Bytes
  /** Why it cannot be read, for people. */
  readonly reason: string
}

/** Nothing happens to anybody else: a cancel, or a transaction that is all change. The fee may still be large. */
interface Self {
  readonly kind: "self"
  readonly from: Account
}

export interface Fee {
  /** The highest amount that can be paid, in base units. */
  readonly max: bigint
  /** CAIP-19. */
  readonly asset: string
  /** There are charges beyond `max` that the payload does not bound (the L1 fee of a rollup). */
  readonly unbounded: boolean
}

/** The bytes that one message must sign: a digest, or for EdDSA the message itself. */
export interface Sign {
  /** Which key; undefined in an offline reading, where no key was given. */
  readonly path: readonly number[] | undefined
  /** Bitcoin: which input. */
  readonly input?: number
  readonly bytes: Bytes
}

export interface Reading {
  readonly format: Format
  /** CAIP-2, or `eip155:*`. */
  readonly chain: string
  /** Addresses that the node derived itself from the group's key and the messages' paths, in the order of the messages. */
  readonly from: readonly string[]
  /** At least one. */
  readonly effects: readonly Effect[]
  readonly fee: Fee
  /** What two transactions that replace each other have in common: the account's nonce, the outpoints. Absent on other chains. */
  readonly nonce?: string
  /** When it stops being valid, as the payload states: Unix seconds, or a block. */
  readonly expires?: string
  readonly signs: readonly Sign[]
  /**
   * What is not an effect but is still shown: change, inputs of others, keys that were skipped. This is text derived from the
   * payload and not part of the reading's hash: another release may word it differently.
   */
  readonly notes?: readonly string[]
}

/** Why a payload is not read. A task with such a payload is refused. */
export interface Problem {
  readonly code: IntentCode
  readonly message: string
  /** `byte 17`, `message.to`, `input 3`, `instruction 2`. */
  readonly at: string
}

export type Decoded = Reading | Problem

export const isProblem = (decoded: Decoded): decoded is Problem => "code" in decoded
