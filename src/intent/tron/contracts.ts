/** The effects of each type of contract. A type that is not decoded is a call, with its type as selector. */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Bytes, concat, copy, u8 } from "../../bytes.ts"
import { encodeBase58Check } from "../../keys/base58.ts"
import { refuse } from "../problem.ts"
import type { Effect } from "../reading.ts"
import { addressOf, PREFIX } from "./address.ts"
import { effectsOfCall } from "./calls.ts"
import { readPermissions } from "./permissions.ts"
import type { ProtobufFields } from "./protobuf.ts"

interface Contract {
  readonly chain: string
  /** CAIP-19 of TRX. */
  readonly native: string
  /** `TransferContract`. */
  readonly type: string
  /** The account that acts, in base58. */
  readonly owner: string
  readonly value: ProtobufFields
  /** `value` as it is in the transaction. */
  readonly data: Bytes
  /** The transaction's id: SHA-256 of its raw data. */
  readonly id: Bytes
}

type ContractReader = (contract: Contract) => readonly Effect[]

const SUN = 1_000_000n

const READERS: ReadonlyMap<string, ContractReader> = new Map<string, ContractReader>([
  ["TransferContract", readTransfer],
  ["TransferAssetContract", readAssetTransfer],
  ["TriggerSmartContract", readTrigger],
  ["CreateSmartContract", readCreate],
  ["VoteWitnessContract", readVotes],
  ["AccountPermissionUpdateContract", ({ value, owner }) => readPermissions(value, owner)],
  ["FreezeBalanceContract", (contract) => [staked(contract, "freeze", "frozen_balance")]],
  ["FreezeBalanceV2Contract", (contract) => [staked(contract, "freeze", "frozen_balance")]],
  ["UnfreezeBalanceContract", (contract) => [staked(contract, "unfreeze")]],
  ["UnfreezeBalanceV2Contract", (contract) => [staked(contract, "unfreeze", "unfreeze_balance")]],
  ["DelegateResourceContract", (contract) => [staked(contract, "delegate", "balance")]],
  ["UnDelegateResourceContract", (contract) => [staked(contract, "undelegate", "balance")]],
  ["WithdrawBalanceContract", (contract) => [plain(contract, "withdraw_rewards")]],
  ["WithdrawExpireUnfreezeContract", (contract) => [plain(contract, "withdraw_unfrozen")]],
  ["CancelAllUnfreezeV2Contract", (contract) => [plain(contract, "cancel_unfreeze")]],
])

export const readContract = (contract: Contract): readonly Effect[] =>
  (READERS.get(contract.type) ?? readOther)(contract)

function readTransfer({ owner, value, native }: Contract): readonly Effect[] {
  const to = addressOf(value.bytes("to_address"), "to_address")
  return [{ kind: "transfer", from: owner, to, asset: native, amount: value.int("amount") }]
}

function readAssetTransfer({ owner, value, chain }: Contract): readonly Effect[] {
  const name = new TextDecoder().decode(value.bytes("asset_name"))
  if (!TOKEN_ID.test(name)) return refuse("E-INT-129", "asset_name", "it is no number of a token")
  const to = addressOf(value.bytes("to_address"), "to_address")
  return [{ kind: "transfer", from: owner, to, asset: `${chain}/trc10:${name}`, amount: value.int("amount") }]
}

const TOKEN_ID = /^[1-9][0-9]{0,18}$/

function readTrigger(contract: Contract): readonly Effect[] {
  const { owner: from, value, chain, native } = contract
  const to = addressOf(value.bytes("contract_address"), "contract_address")
  const call = { chain, native, from, to, data: value.bytes("data"), value: value.int("call_value") }
  return [...tokensWith(contract, to), ...effectsOfCall(call)]
}

/** TRC-10 tokens that go with a call or a new contract. */
function tokensWith({ owner: from, value, chain }: Contract, to: string): readonly Effect[] {
  const [amount, token] = [value.int("call_token_value"), value.int("token_id")]
  if (amount === 0n) return []
  if (token === 0n) return refuse("E-INT-129", "token_id", "tokens go with the call, and it does not say which")
  return [{ kind: "transfer", from, to, asset: `${chain}/trc10:${token}`, amount }]
}

/** The address is derived from the transaction's id and its owner (java-tron, `generateContractAddress`). */
function readCreate(contract: Contract): readonly Effect[] {
  const { owner: from, value, native, id } = contract
  const made = value.message("new_contract")
  if (made === undefined) return refuse("E-INT-128", "new_contract", "it is missing")
  const hash = keccak_256(concat(id, value.bytes("owner_address")))
  const to = encodeBase58Check(concat(u8(PREFIX), copy(hash.subarray(12))))
  const amount = made.int("call_value")
  const sent: Effect = { kind: "transfer", from, to, asset: native, amount }
  return [
    ...tokensWith(contract, to),
    ...(amount > 0n ? [sent] : []),
    { kind: "deploy", from, to, data: made.bytes("bytecode"), value: amount },
  ]
}

/** Votes are counted in whole TRX that are frozen. */
function readVotes({ owner, value, native }: Contract): readonly Effect[] {
  const votes = value.messages("votes")
  if (votes.length === 0) return refuse("E-INT-128", "votes", "none")
  return votes.map((vote) => {
    const to = addressOf(vote.bytes("vote_address"), "vote_address")
    return { kind: "stake", from: owner, action: "vote", to, asset: native, amount: vote.int("vote_count") * SUN }
  })
}

const RESOURCES: readonly string[] = ["bandwidth", "energy", "tron_power"]

/** TRX that are frozen for a resource, and who gets the resource, if it is somebody else. */
function staked({ owner, value, native }: Contract, verb: string, amountName?: string): Effect {
  const resource =
    RESOURCES[Number(value.int("resource"))] ?? refuse("E-INT-128", "resource", `number ${value.int("resource")}`)
  const receiver = value.bytes("receiver_address")
  return {
    kind: "stake",
    from: owner,
    action: `${verb}_${resource}`,
    ...(receiver.length === 0 ? {} : { to: addressOf(receiver, "receiver_address") }),
    asset: native,
    amount: amountName === undefined ? 0n : value.int(amountName),
  }
}

const plain = ({ owner, native }: Contract, action: string): Effect => {
  return { kind: "stake", from: owner, action, asset: native, amount: 0n }
}

const readOther: ContractReader = ({ type, owner, data }) => [
  { kind: "call", from: owner, to: { unresolved: "the chain itself" }, selector: type, data, value: 0n },
]
