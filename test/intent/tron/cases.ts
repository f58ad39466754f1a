/**
 * Contracts of every type that is read, as JSON, each with the effects that it has in words of the reading. What a case expects
 * is written from its inputs and never from what our decoder says.
 */
import fc from "fast-check"
import type { Effect } from "../../../src/intent/reading.ts"
import { type Address, addressOf, callData, contractAddress, fromHex, numbered } from "./web.ts"

export const CHAIN = "tron:728126428"
export const NATIVE = `${CHAIN}/slip44:195`
export const MAX = (1n << 256n) - 1n

/** What is known when the effects are written down. */
export interface Place {
  readonly owner: Address
  /** The contract's own message, and the transaction's id. */
  readonly value: Uint8Array<ArrayBuffer>
  readonly id: Uint8Array<ArrayBuffer>
}
export interface Case {
  readonly type: string
  readonly value: (owner: Address) => object
  readonly effects: (place: Place) => readonly Effect[]
  /** Sun that the chain charges for it at once. */
  readonly charge?: number
}
type Kind = fc.Arbitrary<Case>

export const anyAddress = fc.oneof(
  fc.uint8Array({ minLength: 20, maxLength: 20 }).map(addressOf),
  fc.integer({ min: 0, max: 3 }).map((number) => numbered("c", number)),
)
const whole = fc.oneof(
  fc.integer({ min: 1, max: 1_000_000_000 }),
  fc.maxSafeNat().filter((value) => value > 0),
)
const small = fc.integer({ min: 1, max: 10_000 })
const orNone = fc.oneof(fc.constant(0), whole)
const u256 = fc.oneof(fc.bigInt(0n, MAX), fc.constantFrom(0n, 1n, MAX))

const kind = <T>(inputs: { [K in keyof T]: fc.Arbitrary<T[K]> }, made: (inputs: T) => Case): Kind =>
  fc.record<T>(inputs).map((drawn) => made(drawn as T))

const resource = fc.constantFrom("BANDWIDTH", "ENERGY", "TRON_POWER")
const staked = (from: Address, action: string, amount: number | bigint, to?: Address): Effect => ({
  ...{ kind: "stake", from: from.text, action, asset: NATIVE, amount: BigInt(amount) },
  ...(to === undefined ? {} : { to: to.text }),
})

const PLAIN: Readonly<Record<string, Kind>> = {
  transfer: kind({ to: anyAddress, amount: orNone }, ({ to, amount }) => ({
    ...{ type: "TransferContract", charge: 1_100_000 },
    value: (owner) => ({ owner_address: owner.hex, to_address: to.hex, amount }),
    effects: ({ owner }) => [
      { kind: "transfer", from: owner.text, to: to.text, asset: NATIVE, amount: BigInt(amount) },
    ],
  })),
  transferAsset: kind({ to: anyAddress, amount: whole, token: fc.integer({ min: 1, max: 2 ** 31 }) }, (drawn) => ({
    ...{ type: "TransferAssetContract", charge: 1_100_000 },
    value: (owner) => ({
      ...{ owner_address: owner.hex, to_address: drawn.to.hex, amount: drawn.amount },
      asset_name: Buffer.from(`${drawn.token}`).toString("hex"),
    }),
    effects: ({ owner }) => [
      {
        ...{ kind: "transfer", from: owner.text, to: drawn.to.text },
        ...{ asset: `${CHAIN}/trc10:${drawn.token}`, amount: BigInt(drawn.amount) },
      },
    ],
  })),
  freezeOld: kind(
    { amount: whole, days: whole, resource, to: fc.option(anyAddress) },
    ({ amount, days, resource, to }) => ({
      type: "FreezeBalanceContract",
      value: (owner) => ({
        ...{ owner_address: owner.hex, frozen_balance: amount, frozen_duration: days, resource },
        ...(to === null ? {} : { receiver_address: to.hex }),
      }),
      effects: ({ owner }) => [staked(owner, `freeze_${resource.toLowerCase()}`, amount, to ?? undefined)],
    }),
  ),
  unfreezeOld: kind({ resource, to: fc.option(anyAddress) }, ({ resource, to }) => ({
    type: "UnfreezeBalanceContract",
    value: (owner) => ({
      ...{ owner_address: owner.hex, resource },
      ...(to === null ? {} : { receiver_address: to.hex }),
    }),
    effects: ({ owner }) => [staked(owner, `unfreeze_${resource.toLowerCase()}`, 0, to ?? undefined)],
  })),
  freeze: kind({ amount: whole, resource }, ({ amount, resource }) => ({
    type: "FreezeBalanceV2Contract",
    value: (owner) => ({ owner_address: owner.hex, frozen_balance: amount, resource }),
    effects: ({ owner }) => [staked(owner, `freeze_${resource.toLowerCase()}`, amount)],
  })),
  unfreeze: kind({ amount: whole, resource }, ({ amount, resource }) => ({
    type: "UnfreezeBalanceV2Contract",
    value: (owner) => ({ owner_address: owner.hex, unfreeze_balance: amount, resource }),
    effects: ({ owner }) => [staked(owner, `unfreeze_${resource.toLowerCase()}`, amount)],
  })),
  delegate: kind(
    { amount: whole, resource, to: anyAddress, lock: fc.boolean(), lock_period: orNone },
    ({ amount, resource, to, lock, lock_period }) => ({
      type: "DelegateResourceContract",
      value: (owner) => ({
        ...{ owner_address: owner.hex, receiver_address: to.hex, balance: amount, resource, lock, lock_period },
      }),
      effects: ({ owner }) => [staked(owner, `delegate_${resource.toLowerCase()}`, amount, to)],
    }),
  ),
  undelegate: kind({ amount: whole, resource, to: anyAddress }, ({ amount, resource, to }) => ({
    type: "UnDelegateResourceContract",
    value: (owner) => ({ owner_address: owner.hex, receiver_address: to.hex, balance: amount, resource }),
    effects: ({ owner }) => [staked(owner, `undelegate_${resource.toLowerCase()}`, amount, to)],
  })),
  withdrawRewards: fc.constant({
    type: "WithdrawBalanceContract",
    value: (owner) => ({ owner_address: owner.hex }),
    effects: ({ owner }) => [staked(owner, "withdraw_rewards", 0)],
  } satisfies Case),
  withdrawUnfrozen: fc.constant({
    type: "WithdrawExpireUnfreezeContract",
    value: (owner) => ({ owner_address: owner.hex }),
    effects: ({ owner }) => [staked(owner, "withdraw_unfrozen", 0)],
  } satisfies Case),
  cancelUnfreeze: fc.constant({
    type: "CancelAllUnfreezeV2Contract",
    value: (owner) => ({ owner_address: owner.hex }),
    effects: ({ owner }) => [staked(owner, "cancel_unfreeze", 0)],
  } satisfies Case),
  vote: kind(
    { votes: fc.array(fc.tuple(anyAddress, fc.integer({ min: 1, max: 2 ** 40 })), { minLength: 1, maxLength: 30 }) },
    ({ votes }) => ({
      type: "VoteWitnessContract",
      value: (owner) => ({
        owner_address: owner.hex,
        votes: votes.map(([to, count]) => ({ vote_address: to.hex, vote_count: count })),
      }),
      effects: ({ owner }) => votes.map(([to, count]) => staked(owner, "vote", BigInt(count) * 1_000_000n, to)),
    }),
  ),
}

const keys = fc.array(fc.record({ address: anyAddress, weight: fc.integer({ min: 1, max: 9 }) }), {
  ...{ minLength: 1, maxLength: 5 },
})
const name = fc.string({ maxLength: 20, unit: "grapheme-ascii" }).map((text) => text.replace(/[^a-z0-9 ]/g, "x"))
const permission = fc.record({ name, threshold: fc.integer({ min: 1, max: 20 }), keys })
interface Permission {
  readonly name: string
  readonly threshold: number
  readonly keys: readonly { readonly address: Address; readonly weight: number }[]
}
const permissionJson = (
  { name, threshold, keys }: Permission,
  type: number,
  id: number,
  operations?: string,
): object => ({
  ...{ type, id, permission_name: name, threshold },
  ...(operations === undefined ? {} : { operations }),
  keys: keys.map(({ address, weight }) => ({ address: address.hex, weight })),
})
const authorities = (
  from: Address,
  what: string,
  { name, threshold, keys }: Permission,
  more = "",
): readonly Effect[] =>
  keys.map(({ address, weight }) => ({
    ...{ kind: "set_authority", from: from.text, action: "set" },
    role: `${what} permission${name === "" ? "" : ` "${name}"`}${more}, weight ${weight}`,
    ...{ authority: address.text, threshold: BigInt(threshold) },
  }))

const PERMISSIONS: Kind = kind(
  {
    owner: permission,
    witness: fc.option(permission),
    actives: fc.array(fc.record({ is: permission, operations: fc.uint8Array({ minLength: 32, maxLength: 32 }) }), {
      maxLength: 8,
    }),
  },
  ({ owner: first, witness, actives }) => {
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")
    return {
      ...{ type: "AccountPermissionUpdateContract", charge: 100_000_000 },
      value: (owner) => ({
        owner_address: owner.hex,
        owner: permissionJson(first, 0, 0),
        ...(witness === null ? {} : { witness: permissionJson(witness, 1, 1) }),
        actives: actives.map(({ is, operations }, i) => permissionJson(is, 2, i + 2, hex(operations))),
      }),
      effects: ({ owner }) => [
        ...authorities(owner, "owner", first),
        ...(witness === null ? [] : authorities(owner, "witness", witness)),
        ...actives.flatMap(({ is, operations }, i) =>
          authorities(owner, `active ${i + 2}`, is, ` for ${hex(operations)}`),
        ),
      ],
    }
  },
)

/** A call, and what it does beside. */
const called = (
  contract: Address,
  data: string,
  { value = 0, tokens = 0, token = 0 }: { value?: number; tokens?: number; token?: number },
  inner: (owner: Address) => readonly Effect[],
): Case => ({
  type: "TriggerSmartContract",
  value: (owner) => ({
    ...{ owner_address: owner.hex, contract_address: contract.hex, call_value: value },
    ...(data === "" ? {} : { data }),
    ...(tokens === 0 ? {} : { call_token_value: tokens }),
    ...(token === 0 ? {} : { token_id: token }),
  }),
  effects: ({ owner }) => {
    const moved = { kind: "transfer", from: owner.text, to: contract.text } as const
    return [
      ...(tokens === 0 ? [] : [{ ...moved, asset: `${CHAIN}/trc10:${token}`, amount: BigInt(tokens) }]),
      ...(value === 0 ? [] : [{ ...moved, asset: NATIVE, amount: BigInt(value) }]),
      {
        ...{ kind: "call", from: owner.text, to: contract.text, value: BigInt(value) },
        ...{ selector: `0x${data.slice(0, 8)}`, data: fromHex(data) },
      },
      ...inner(owner),
    ]
  },
})

const value = orNone
const trc20 = (contract: Address): string => `${CHAIN}/trc20:${contract.text}`
const trc721 = (contract: Address): string => `${CHAIN}/trc721:${contract.text}`

const CALLS: Readonly<Record<string, Kind>> = {
  trc20Transfer: kind({ of: anyAddress, to: anyAddress, amount: u256, value }, ({ of, to, amount, value }) =>
    called(of, callData("transfer(address,uint256)", [to.text, amount]), { value }, (owner) => [
      { kind: "transfer", from: owner.text, to: to.text, asset: trc20(of), amount },
    ]),
  ),
  trc20TransferFrom: kind(
    { of: anyAddress, from: anyAddress, to: anyAddress, amount: u256 },
    ({ of, from, to, amount }) =>
      called(of, callData("transferFrom(address,address,uint256)", [from.text, to.text, amount]), {}, () => [
        { kind: "transfer", from: from.text, to: to.text, asset: trc20(of), amount },
      ]),
  ),
  trc20Approve: kind(
    {
      ...{ of: anyAddress, spender: anyAddress, amount: u256 },
      name: fc.constantFrom("approve", "increaseApproval", "increaseAllowance"),
    },
    ({ of, spender, amount, name }) =>
      called(of, callData(`${name}(address,uint256)`, [spender.text, amount]), {}, (owner) => [
        { kind: "approve", from: owner.text, spender: spender.text, asset: trc20(of), amount },
      ]),
  ),
  trc721Transfer: kind(
    { of: anyAddress, from: anyAddress, to: anyAddress, tokenId: u256 },
    ({ of, from, to, tokenId }) =>
      called(of, callData("safeTransferFrom(address,address,uint256)", [from.text, to.text, tokenId]), {}, () => [
        { kind: "transfer", from: from.text, to: to.text, asset: trc721(of), amount: 1n, tokenId },
      ]),
  ),
  trc721ApproveAll: kind({ of: anyAddress, spender: anyAddress, all: fc.boolean() }, ({ of, spender, all }) =>
    called(of, callData("setApprovalForAll(address,bool)", [spender.text, all]), {}, (owner) => [
      { kind: "approve", from: owner.text, spender: spender.text, asset: trc721(of), amount: all ? MAX : 0n },
    ]),
  ),
  unknownCall: kind(
    {
      ...{ of: anyAddress, value, tokens: orNone, token: fc.integer({ min: 1, max: 2 ** 31 }) },
      rest: fc.uint8Array({ maxLength: 200 }),
    },
    ({ of, value, tokens, token, rest }) =>
      called(of, `deadbeef${Buffer.from(rest).toString("hex")}`, { value, tokens, token }, () => []),
  ),
  emptyCall: kind({ of: anyAddress, value }, ({ of, value }) => called(of, "", { value }, () => [])),
  create: kind(
    {
      ...{
        code: fc.uint8Array({ minLength: 1, maxLength: 200 }),
        value,
        name,
        percent: fc.integer({ min: 0, max: 100 }),
      },
      ...{ limit: whole, tokens: orNone, token: fc.integer({ min: 1, max: 2 ** 31 }), hasAbi: fc.boolean() },
    },
    ({ code, value, name, percent, limit, tokens, token, hasAbi }) => ({
      type: "CreateSmartContract",
      value: (owner) => ({
        ...{ owner_address: owner.hex, origin_address: owner.hex, name, call_value: value },
        ...{ bytecode: Buffer.from(code).toString("hex"), consume_user_resource_percent: percent },
        ...{ origin_energy_limit: limit, call_token_value: tokens, token_id: token },
        ...(hasAbi
          ? { abi: { entrys: [{ name: "f", type: "Function", inputs: [{ name: "x", type: "uint256" }] }] } }
          : {}),
      }),
      effects: ({ owner, id }) => {
        const to = contractAddress(owner, id).text
        const moved = { kind: "transfer", from: owner.text, to } as const
        return [
          ...(tokens === 0 ? [] : [{ ...moved, asset: `${CHAIN}/trc10:${token}`, amount: BigInt(tokens) }]),
          ...(value === 0 ? [] : [{ ...moved, asset: NATIVE, amount: BigInt(value) }]),
          { kind: "deploy", from: owner.text, to, data: Uint8Array.from(code), value: BigInt(value) },
        ]
      },
    }),
  ),
}

/** Types that are calls: what they hold is shown as bytes. */
const other = (type: string, fields: fc.Arbitrary<object>, charge?: number): Kind =>
  fields.map((more) => ({
    type,
    value: (owner) => ({ owner_address: owner.hex, ...more }),
    effects: ({ owner, value }) => [
      {
        ...{ kind: "call", from: owner.text, to: { unresolved: "the chain itself" } },
        ...{ selector: type, data: value, value: 0n },
      },
    ],
    ...(charge === undefined ? {} : { charge }),
  }))
const hexText = fc.string({ minLength: 1, maxLength: 30 }).map((text) => Buffer.from(text).toString("hex"))
const contract_address = anyAddress.map(({ hex }) => hex)
const tokenHex = fc.integer({ min: 1, max: 2 ** 31 }).map((token) => Buffer.from(`${token}`).toString("hex"))

const OTHERS: Readonly<Record<string, Kind>> = {
  accountCreate: other("AccountCreateContract", fc.record({ account_address: contract_address }), 1_100_000),
  witnessCreate: other("WitnessCreateContract", fc.record({ url: hexText }), 9_999_000_000),
  witnessUpdate: other("WitnessUpdateContract", fc.record({ update_url: hexText })),
  accountUpdate: other("AccountUpdateContract", fc.record({ account_name: hexText })),
  setAccountId: other("SetAccountIdContract", fc.record({ account_id: hexText })),
  updateSetting: other("UpdateSettingContract", fc.record({ contract_address, consume_user_resource_percent: whole })),
  updateEnergyLimit: other("UpdateEnergyLimitContract", fc.record({ contract_address, origin_energy_limit: whole })),
  clearAbi: other("ClearABIContract", fc.record({ contract_address })),
  updateBrokerage: other("UpdateBrokerageContract", fc.record({ brokerage: fc.integer({ min: 1, max: 100 }) })),
  updateAsset: other("UpdateAssetContract", fc.record({ description: hexText, url: hexText, new_limit: whole })),
  participate: other(
    "ParticipateAssetIssueContract",
    fc.record({ to_address: contract_address, asset_name: tokenHex, amount: whole }),
  ),
  assetIssue: other(
    "AssetIssueContract",
    fc.record({
      ...{ name: hexText, abbr: hexText, total_supply: whole, trx_num: small, num: small, start_time: whole },
      ...{ end_time: whole, description: hexText, url: hexText, precision: fc.integer({ min: 1, max: 6 }) },
      frozen_supply: fc.record({ frozen_amount: whole, frozen_days: small }),
    }),
    1_024_000_000,
  ),
  proposalCreate: other(
    "ProposalCreateContract",
    fc.record({
      parameters: fc.constant([
        { key: 1, value: 2 },
        { key: 3, value: 4 },
      ]),
    }),
  ),
  proposalApprove: other("ProposalApproveContract", fc.record({ proposal_id: whole, is_add_approval: fc.boolean() })),
  proposalDelete: other("ProposalDeleteContract", fc.record({ proposal_id: whole })),
  exchangeCreate: other(
    "ExchangeCreateContract",
    fc.record({
      ...{ first_token_id: tokenHex, first_token_balance: whole },
      ...{ second_token_id: tokenHex, second_token_balance: whole },
    }),
    1_024_000_000,
  ),
  exchangeInject: other("ExchangeInjectContract", fc.record({ exchange_id: whole, token_id: tokenHex, quant: whole })),
  exchangeWithdraw: other(
    "ExchangeWithdrawContract",
    fc.record({ exchange_id: whole, token_id: tokenHex, quant: whole }),
  ),
  exchangeTransaction: other(
    "ExchangeTransactionContract",
    fc.record({ exchange_id: whole, token_id: tokenHex, quant: whole, expected: whole }),
  ),
}

export const KINDS: Readonly<Record<string, Kind>> = { ...PLAIN, permissions: PERMISSIONS, ...CALLS, ...OTHERS }
export const anyCase: Kind = fc.oneof(...Object.values(KINDS))
