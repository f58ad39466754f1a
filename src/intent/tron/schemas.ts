/**
 * The messages of TRON's protocol that are read (java-tron, `Tron.proto` and `core/contract`), by field number, and the types
 * of contracts by their number.
 */
import type { IntentCode } from "../../errors/intent.ts"
import { type Field, openSchema, type Schema, schema } from "./protobuf.ts"

const int = (name: string): Field => ({ name, type: "int" })
const int32 = (name: string): Field => ({ name, type: "int32" })
const bool = (name: string): Field => ({ name, type: "bool" })
const bytes = (name: string): Field => ({ name, type: "bytes" })
const message = (name: string, type: Schema): Field => ({ name, type })
/** The chain's own bounds keep lists short. */
const list = (name: string, type: Schema, most: number, code: IntentCode = "E-INT-128"): Field => {
  return { name, type, repeated: { most, code } }
}

const ANY = schema({ 1: bytes("type_url"), 2: bytes("value") })

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
  3: bytes("permission_name"),
  4: int("threshold"),
  5: int32("parent_id"),
  6: bytes("operations"),
  7: list("keys", KEY, 5),
})
/** The interface (3) is for people and is not taken apart; nothing of it can be another encoding of something else. */
const NEW_CONTRACT = schema({
  1: bytes("origin_address"),
  2: bytes("contract_address"),
  3: bytes("abi"),
  4: bytes("bytecode"),
  5: int("call_value"),
  6: int("consume_user_resource_percent"),
  7: bytes("name"),
  8: int("origin_energy_limit"),
})

/** A type of contract: its name in type URLs, and its message. */
export interface ContractType {
  readonly name: string
  readonly schema: Schema
}

const type = (name: string, fields: Readonly<Record<number, Field>>): ContractType => ({ name, schema: schema(fields) })
/** A type that is a call: nothing of it is read but who asks for it. */
const called = (name: string, ownerAt = 1): ContractType => ({ name, schema: openSchema({ [ownerAt]: owner }) })

export const CONTRACT_TYPES: ReadonlyMap<bigint, ContractType> = new Map([
  [0n, called("AccountCreateContract")],
  [1n, type("TransferContract", { 1: owner, 2: bytes("to_address"), 3: int("amount") })],
  [2n, type("TransferAssetContract", { 1: bytes("asset_name"), 2: owner, 3: bytes("to_address"), 4: int("amount") })],
  [4n, type("VoteWitnessContract", { 1: owner, 2: list("votes", VOTE, 30), 3: bool("support") })],
  [5n, called("WitnessCreateContract")],
  [6n, called("AssetIssueContract")],
  [8n, called("WitnessUpdateContract")],
  [9n, called("ParticipateAssetIssueContract")],
  [10n, called("AccountUpdateContract", 2)],
  [
    11n,
    type("FreezeBalanceContract", {
      ...{ 1: owner, 2: int("frozen_balance"), 3: int("frozen_duration") },
      ...{ 10: int32("resource"), 15: bytes("receiver_address") },
    }),
  ],
  [12n, type("UnfreezeBalanceContract", { 1: owner, 10: int32("resource"), 15: bytes("receiver_address") })],
  [13n, type("WithdrawBalanceContract", { 1: owner })],
  [14n, called("UnfreezeAssetContract")],
  [15n, called("UpdateAssetContract")],
  [16n, called("ProposalCreateContract")],
  [17n, called("ProposalApproveContract")],
  [18n, called("ProposalDeleteContract")],
  [19n, called("SetAccountIdContract", 2)],
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
  [33n, called("UpdateSettingContract")],
  [41n, called("ExchangeCreateContract")],
  [42n, called("ExchangeInjectContract")],
  [43n, called("ExchangeWithdrawContract")],
  [44n, called("ExchangeTransactionContract")],
  [45n, called("UpdateEnergyLimitContract")],
  [
    46n,
    type("AccountPermissionUpdateContract", {
      ...{ 1: owner, 2: message("owner", PERMISSION), 3: message("witness", PERMISSION) },
      ...{ 4: list("actives", PERMISSION, 8) },
    }),
  ],
  [48n, called("ClearABIContract")],
  [49n, called("UpdateBrokerageContract")],
  [52n, called("MarketSellAssetContract")],
  [53n, called("MarketCancelOrderContract")],
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
