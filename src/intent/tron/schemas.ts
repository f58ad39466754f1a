/**
 * The messages of TRON's protocol that are read (java-tron, `Tron.proto` and `core/contract`), by field number, and the types
 * of contracts by their number.
 */
import type { IntentCode } from "../../errors/intent.ts"
import { entrySchema, type ProtobufField, type Schema, schema } from "./protobuf.ts"

const int = (name: string): ProtobufField => ({ name, type: "int" })
const int32 = (name: string): ProtobufField => ({ name, type: "int32" })
const bool = (name: string): ProtobufField => ({ name, type: "bool" })
const bytes = (name: string): ProtobufField => ({ name, type: "bytes" })
const text = (name: string): ProtobufField => ({ name, type: "text" })
const message = (name: string, type: Schema): ProtobufField => ({ name, type })
/** A list; the chain's own bounds keep lists short. */
const list = (name: string, type: Schema, most: number, code: IntentCode = "E-INT-128"): ProtobufField => {
  return { name, type, repeated: { most, code } }
}

const ANY = schema({ 1: text("type_url"), 2: bytes("value") })

/** Transaction.Contract. `provider` and `ContractName` have no meaning to the chain, and are not read. */
const CONTRACT = schema({ 1: int32("type"), 2: message("parameter", ANY), 5: int32("Permission_id") })

/** Transaction.raw. `ref_block_num`, `auths` and `scripts` have no meaning to the chain, and are not read. */
export const RAW = schema({
  1: bytes("ref_block_bytes"),
  4: bytes("ref_block_hash"),
  8: int("expiration"),
  10: bytes("data"),
  11: list("contract", CONTRACT, 1, "E-INT-121"),
  14: int("timestamp"),
  18: int("fee_limit"),
})

const owner = bytes("owner_address")
const VOTE = schema({ 1: bytes("vote_address"), 2: int("vote_count") })
const KEY = schema({ 1: bytes("address"), 2: int("weight") })
const PERMISSION = schema({
  1: int32("type"),
  2: int32("id"),
  3: text("permission_name"),
  4: int("threshold"),
  5: int32("parent_id"),
  6: bytes("operations"),
  7: list("keys", KEY, 5),
})
const PARAM = schema({ 1: bool("indexed"), 2: text("name"), 3: text("type") })
const ENTRY = schema({
  ...{ 1: bool("anonymous"), 2: bool("constant"), 3: text("name"), 4: list("inputs", PARAM, 200) },
  ...{ 5: list("outputs", PARAM, 200), 6: int32("type"), 7: bool("payable"), 8: int32("stateMutability") },
})
const ABI = schema({ 1: list("entrys", ENTRY, 2000) })
const NEW_CONTRACT = schema({
  1: bytes("origin_address"),
  2: bytes("contract_address"),
  3: message("abi", ABI),
  4: bytes("bytecode"),
  5: int("call_value"),
  6: int("consume_user_resource_percent"),
  7: text("name"),
  8: int("origin_energy_limit"),
})

/** A type of contract: its name in type URLs, and its message. */
interface ContractType {
  readonly name: string
  readonly schema: Schema
}

const type = (name: string, fields: Readonly<Record<number, ProtobufField>>): ContractType => ({
  name,
  schema: schema(fields),
})
const FROZEN_SUPPLY = schema({ 1: int("frozen_amount"), 2: int("frozen_days") })
const PARAMETER = entrySchema({ 1: int("key"), 2: int("value") })

const EXCHANGE = { 1: owner, 2: int("exchange_id"), 3: bytes("token_id"), 4: int("quant") }
const CONTRACT_OF_OURS = { 1: owner, 2: bytes("contract_address") }

export const CONTRACT_TYPES: ReadonlyMap<bigint, ContractType> = new Map([
  [0n, type("AccountCreateContract", { 1: owner, 2: bytes("account_address"), 3: int32("type") })],
  [1n, type("TransferContract", { 1: owner, 2: bytes("to_address"), 3: int("amount") })],
  [2n, type("TransferAssetContract", { 1: bytes("asset_name"), 2: owner, 3: bytes("to_address"), 4: int("amount") })],
  [4n, type("VoteWitnessContract", { 1: owner, 2: list("votes", VOTE, 30), 3: bool("support") })],
  [5n, type("WitnessCreateContract", { 1: owner, 2: bytes("url") })],
  [
    6n,
    type("AssetIssueContract", {
      ...{ 1: owner, 2: bytes("name"), 3: bytes("abbr"), 4: int("total_supply") },
      ...{ 5: list("frozen_supply", FROZEN_SUPPLY, 10), 6: int32("trx_num"), 7: int32("precision"), 8: int32("num") },
      ...{ 9: int("start_time"), 10: int("end_time"), 11: int("order"), 16: int32("vote_score") },
      ...{ 20: bytes("description"), 21: bytes("url"), 22: int("free_asset_net_limit") },
      ...{ 23: int("public_free_asset_net_limit"), 24: int("public_free_asset_net_usage") },
      ...{ 25: int("public_latest_free_net_time"), 41: text("id") },
    }),
  ],
  [8n, type("WitnessUpdateContract", { 1: owner, 12: bytes("update_url") })],
  [
    9n,
    type("ParticipateAssetIssueContract", {
      ...{ 1: owner, 2: bytes("to_address"), 3: bytes("asset_name"), 4: int("amount") },
    }),
  ],
  [10n, type("AccountUpdateContract", { 1: bytes("account_name"), 2: owner })],
  [
    11n,
    type("FreezeBalanceContract", {
      ...{ 1: owner, 2: int("frozen_balance"), 3: int("frozen_duration") },
      ...{ 10: int32("resource"), 15: bytes("receiver_address") },
    }),
  ],
  [12n, type("UnfreezeBalanceContract", { 1: owner, 10: int32("resource"), 15: bytes("receiver_address") })],
  [13n, type("WithdrawBalanceContract", { 1: owner })],
  [14n, type("UnfreezeAssetContract", { 1: owner })],
  [
    15n,
    type("UpdateAssetContract", {
      ...{ 1: owner, 2: bytes("description"), 3: bytes("url"), 4: int("new_limit"), 5: int("new_public_limit") },
    }),
  ],
  [16n, type("ProposalCreateContract", { 1: owner, 2: list("parameters", PARAMETER, 200) })],
  [17n, type("ProposalApproveContract", { 1: owner, 2: int("proposal_id"), 3: bool("is_add_approval") })],
  [18n, type("ProposalDeleteContract", { 1: owner, 2: int("proposal_id") })],
  [19n, type("SetAccountIdContract", { 1: bytes("account_id"), 2: owner })],
  [
    30n,
    type("CreateSmartContract", {
      ...{ 1: owner, 2: message("new_contract", NEW_CONTRACT), 3: int("call_token_value"), 4: int("token_id") },
    }),
  ],
  [
    31n,
    type("TriggerSmartContract", {
      ...{ 1: owner, 2: bytes("contract_address"), 3: int("call_value"), 4: bytes("data") },
      ...{ 5: int("call_token_value"), 6: int("token_id") },
    }),
  ],
  [33n, type("UpdateSettingContract", { ...CONTRACT_OF_OURS, 3: int("consume_user_resource_percent") })],
  [
    41n,
    type("ExchangeCreateContract", {
      ...{ 1: owner, 2: bytes("first_token_id"), 3: int("first_token_balance") },
      ...{ 4: bytes("second_token_id"), 5: int("second_token_balance") },
    }),
  ],
  [42n, type("ExchangeInjectContract", EXCHANGE)],
  [43n, type("ExchangeWithdrawContract", EXCHANGE)],
  [44n, type("ExchangeTransactionContract", { ...EXCHANGE, 5: int("expected") })],
  [45n, type("UpdateEnergyLimitContract", { ...CONTRACT_OF_OURS, 3: int("origin_energy_limit") })],
  [
    46n,
    type("AccountPermissionUpdateContract", {
      ...{ 1: owner, 2: message("owner", PERMISSION), 3: message("witness", PERMISSION) },
      ...{ 4: list("actives", PERMISSION, 8) },
    }),
  ],
  [48n, type("ClearABIContract", CONTRACT_OF_OURS)],
  [49n, type("UpdateBrokerageContract", { 1: owner, 2: int32("brokerage") })],
  [
    52n,
    type("MarketSellAssetContract", {
      ...{ 1: owner, 2: bytes("sell_token_id"), 3: int("sell_token_quantity") },
      ...{ 4: bytes("buy_token_id"), 5: int("buy_token_quantity") },
    }),
  ],
  [53n, type("MarketCancelOrderContract", { 1: owner, 2: bytes("order_id") })],
  [54n, type("FreezeBalanceV2Contract", { 1: owner, 2: int("frozen_balance"), 3: int32("resource") })],
  [55n, type("UnfreezeBalanceV2Contract", { 1: owner, 2: int("unfreeze_balance"), 3: int32("resource") })],
  [56n, type("WithdrawExpireUnfreezeContract", { 1: owner })],
  [
    57n,
    type("DelegateResourceContract", {
      ...{ 1: owner, 2: int32("resource"), 3: int("balance"), 4: bytes("receiver_address") },
      ...{ 5: bool("lock"), 6: int("lock_period") },
    }),
  ],
  [
    58n,
    type("UnDelegateResourceContract", {
      ...{ 1: owner, 2: int32("resource"), 3: int("balance"), 4: bytes("receiver_address") },
    }),
  ],
  [59n, type("CancelAllUnfreezeV2Contract", { 1: owner })],
])
