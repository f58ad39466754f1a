/**
 * Instructions of every kind that is read, made by the programs' own clients, each with the effects that it has in words of
 * the reading. What a case expects is written from its inputs and never from what our decoder says.
 */
import { AccountRole } from "@solana/kit"
import * as memo from "@solana-program/memo"
import * as stake from "@solana-program/stake"
import * as system from "@solana-program/system"
import * as token from "@solana-program/token"
import fc from "fast-check"
import type { Account, Effect } from "../../../src/intent/reading.ts"
import {
  type Address,
  type Ata,
  addressOf,
  associated,
  type Instruction,
  numbered,
  signer,
  TOKEN,
  TOKEN_2022,
} from "./kit.ts"

export const CHAIN = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp"
export const NATIVE = `${CHAIN}/slip44:501`
export const OWN = [0, 1, 2].map((number) => numbered("o", number))
export const FOREIGN = [0, 1, 2].map((number) => numbered("f", number))
export const MINTS = [0, 1].map((number) => numbered("m", number))
export const ATAS: readonly Ata[] = await associated([...OWN, ...FOREIGN], MINTS)
/** The first mint under Token and the second under Token-2022 are configured assets. */
export const CONFIGURED = [
  { mint: MINTS[0]!, program: TOKEN },
  { mint: MINTS[1]!, program: TOKEN_2022 },
]
const SYSTEM_PROGRAM = system.SYSTEM_PROGRAM_ADDRESS

/** How the message writes an account: an address, or an entry of a lookup table. */
export type Named = (address: Address) => Account

export interface Case {
  readonly instruction: Instruction
  /** `own` are the signers of the task; `call` is the instruction as a call with this selector. */
  readonly effects: (named: Named, own: readonly string[], call: (selector: string) => Effect) => readonly Effect[]
  /** Lamports of rent, and who pays them. */
  readonly rent?: { readonly max: (named: Named) => bigint; readonly payer: Address }
  readonly note?: (named: Named) => string | undefined
}

const anyAddress = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => addressOf(bytes))
const anySigner = fc.constantFrom(...OWN, ...FOREIGN)
const account = fc.oneof(anyAddress, anySigner)
const u64 = fc.oneof(fc.bigInt(0n, (1n << 64n) - 1n), fc.constantFrom(0n, 1n, (1n << 64n) - 1n))
const seed = fc.string({ maxLength: 32, unit: "grapheme-ascii" })
const program = fc.constantFrom(TOKEN, TOKEN_2022)
const decimals = fc.integer({ min: 0, max: 255 })

const transfer = (from: Account, to: Account, amount: bigint): Effect => ({
  kind: "transfer",
  from,
  to,
  asset: NATIVE,
  amount,
})
const authority = (from: Account, role: string, holder: Account): Effect => ({
  kind: "set_authority",
  from,
  role,
  action: "set",
  authority: holder,
})
const ownedBy = (from: Account, owner: Address): readonly Effect[] =>
  owner === SYSTEM_PROGRAM ? [] : [authority(from, "owner_program", owner)]

type Kind = fc.Arbitrary<Case>
const kind = <T>(inputs: { [K in keyof T]: fc.Arbitrary<T[K]> }, made: (inputs: T) => Case): Kind =>
  fc.record<T>(inputs).map((drawn) => made(drawn as T))

const owner = fc.oneof(anyAddress, fc.constant(SYSTEM_PROGRAM))

const SYSTEM: Readonly<Record<string, Kind>> = {
  transferSol: kind({ from: anySigner, to: account, amount: u64 }, ({ from, to, amount }) => ({
    instruction: system.getTransferSolInstruction({ source: signer(from), destination: to, amount }),
    effects: (named) => [transfer(from, named(to), amount)],
  })),
  transferSolWithSeed: kind(
    { from: anyAddress, base: anySigner, to: account, amount: u64, seed, owner },
    ({ from, base, to, amount, seed: fromSeed, owner: fromOwner }) => ({
      instruction: system.getTransferSolWithSeedInstruction({
        ...{ source: from, baseAccount: signer(base), destination: to, amount, fromSeed, fromOwner },
      }),
      effects: (named) => [transfer(named(from), named(to), amount)],
    }),
  ),
  createAccount: kind(
    { payer: anySigner, made: anySigner, lamports: u64, space: u64, owner },
    ({ payer, made, lamports, space, owner: programAddress }) => ({
      instruction: system.getCreateAccountInstruction({
        ...{ payer: signer(payer), newAccount: signer(made), lamports, space, programAddress },
      }),
      effects: () => [transfer(payer, made, lamports), ...ownedBy(made, programAddress)],
    }),
  ),
  createAccountWithSeed: kind(
    { payer: anySigner, made: anyAddress, base: anySigner, amount: u64, space: u64, seed, owner },
    ({ payer, made, base, amount, space, seed: text, owner: programAddress }) => ({
      instruction: system.getCreateAccountWithSeedInstruction({
        ...{ payer: signer(payer), newAccount: made, baseAccount: signer(base), base, seed: text, amount, space },
        programAddress,
      }),
      effects: (named) => [transfer(payer, named(made), amount), ...ownedBy(named(made), programAddress)],
    }),
  ),
  assign: kind({ of: anySigner, owner }, ({ of, owner: programAddress }) => ({
    instruction: system.getAssignInstruction({ account: signer(of), programAddress }),
    effects: () => ownedBy(of, programAddress),
  })),
  assignWithSeed: kind(
    { of: anyAddress, base: anySigner, seed, owner },
    ({ of, base, seed: text, owner: programAddress }) => ({
      instruction: system.getAssignWithSeedInstruction({
        ...{ account: of, baseAccount: signer(base), base, seed: text, programAddress },
      }),
      effects: (named) => ownedBy(named(of), programAddress),
    }),
  ),
  allocate: kind({ of: anySigner, space: u64 }, ({ of, space }) => ({
    instruction: system.getAllocateInstruction({ newAccount: signer(of), space }),
    effects: (_, __, call) => [call("allocate")],
  })),
  allocateWithSeed: kind({ of: anyAddress, base: anySigner, seed, space: u64, owner }, (drawn) => ({
    instruction: system.getAllocateWithSeedInstruction({
      ...{ newAccount: drawn.of, baseAccount: signer(drawn.base), base: drawn.base, seed: drawn.seed },
      ...{ space: drawn.space, programAddress: drawn.owner },
    }),
    effects: (_, __, call) => [call("allocateWithSeed")],
  })),
  createAccountAllowPrefund: kind(
    { payer: anySigner, made: anySigner, lamports: u64, space: u64, owner },
    ({ payer, made, lamports, space, owner: programAddress }) => ({
      instruction: system.getCreateAccountAllowPrefundInstruction({
        ...{ payer: signer(payer), newAccount: signer(made), lamports, space, programAddress },
      }),
      effects: () => [...(lamports === 0n ? [] : [transfer(payer, made, lamports)]), ...ownedBy(made, programAddress)],
    }),
  ),
  advanceNonce: kind({ nonce: anyAddress, holder: anySigner }, ({ nonce, holder }) => ({
    instruction: system.getAdvanceNonceAccountInstruction({ nonceAccount: nonce, nonceAuthority: signer(holder) }),
    effects: (named) => [{ kind: "nonce", from: named(nonce), authority: holder }],
  })),
  withdrawNonce: kind(
    { nonce: anyAddress, to: account, holder: anySigner, amount: u64 },
    ({ nonce, to, holder, amount }) => ({
      instruction: system.getWithdrawNonceAccountInstruction({
        ...{ nonceAccount: nonce, recipientAccount: to, nonceAuthority: signer(holder), withdrawAmount: amount },
      }),
      effects: (named) => [transfer(named(nonce), named(to), amount)],
    }),
  ),
  initializeNonce: kind({ nonce: anyAddress, holder: account }, ({ nonce, holder }) => ({
    instruction: system.getInitializeNonceAccountInstruction({ nonceAccount: nonce, nonceAuthority: holder }),
    effects: (named) => [authority(named(nonce), "nonce", holder)],
  })),
  authorizeNonce: kind({ nonce: anyAddress, now: anySigner, next: account }, ({ nonce, now, next }) => ({
    instruction: system.getAuthorizeNonceAccountInstruction({
      ...{ nonceAccount: nonce, nonceAuthority: signer(now), newNonceAuthority: next },
    }),
    effects: (named) => [authority(named(nonce), "nonce", next)],
  })),
  upgradeNonce: kind({ nonce: anyAddress }, ({ nonce }) => ({
    instruction: system.getUpgradeNonceAccountInstruction({ nonceAccount: nonce }),
    effects: (_, __, call) => [call("upgradeNonceAccount")],
  })),
}

/** A source with its mint and authority: its own associated account, that of somebody else, or any account. */
const holding = fc.oneof(
  fc
    .constantFrom(...ATAS)
    .map(({ wallet, mint, program, account }) => ({ source: account, holder: wallet, mint, program })),
  fc.record({ source: anyAddress, holder: anySigner, mint: fc.constantFrom(...MINTS), program }),
  fc.record({
    source: fc.constantFrom(...ATAS).map((one) => one.account),
    holder: anySigner,
    mint: anyAddress,
    program,
  }),
)
interface Holding {
  readonly source: Address
  readonly holder: Address
  readonly mint: Address
  readonly program: Address
}
const NO_MINT = {
  unresolved: "the instruction names no mint, and its source is the associated account of no configured one",
}

const isAta = ({ source, holder, mint, program }: Holding): boolean =>
  ATAS.some((one) => one.account === source && one.wallet === holder && one.mint === mint && one.program === program)

const tokenOf = (mint: Account): Account => (typeof mint === "string" ? `${CHAIN}/token:${mint}` : mint)

/** From whom, and what: with a mint in the instruction. */
const checked = (of: Holding, named: Named): { readonly from: Account; readonly asset: Account } => {
  const [source, mint] = [named(of.source), named(of.mint)]
  const known = typeof source === "string" && typeof mint === "string" && isAta(of)
  return { from: known ? of.holder : source, asset: tokenOf(mint) }
}
/** And without: the mint is known if it is configured, the source its associated account, and the authority ours. */
const unchecked = (
  of: Holding,
  named: Named,
  own: readonly string[],
): { readonly from: Account; readonly asset: Account } => {
  const source = named(of.source)
  const known = CONFIGURED.find(
    (one) => one.program === of.program && isAta({ ...of, mint: one.mint }) && own.includes(of.holder),
  )
  if (typeof source !== "string" || known === undefined) return { from: source, asset: NO_MINT }
  return { from: of.holder, asset: tokenOf(known.mint) }
}

const tokenTransfer = (parts: { from: Account; asset: Account }, to: Account, amount: bigint, by: Address): Effect => ({
  kind: "transfer",
  ...parts,
  to,
  amount,
  program: by,
})

const TOKENS: Readonly<Record<string, Kind>> = {
  tokenTransfer: kind({ of: holding, to: account, amount: u64 }, ({ of, to, amount }) => ({
    instruction: token.getTransferInstruction(
      { source: of.source, destination: to, authority: signer(of.holder), amount },
      { programAddress: of.program },
    ) as Instruction,
    effects: (named, own) => [tokenTransfer(unchecked(of, named, own), named(to), amount, of.program)],
  })),
  tokenTransferChecked: kind({ of: holding, to: account, amount: u64, decimals }, (drawn) => ({
    instruction: token.getTransferCheckedInstruction(
      {
        ...{ source: drawn.of.source, mint: drawn.of.mint, destination: drawn.to, authority: signer(drawn.of.holder) },
        ...{ amount: drawn.amount, decimals: drawn.decimals },
      },
      { programAddress: drawn.of.program },
    ) as Instruction,
    effects: (named) => [tokenTransfer(checked(drawn.of, named), named(drawn.to), drawn.amount, drawn.of.program)],
  })),
  // by hand, from the extension's documentation: 26, 1, amount, decimals, fee
  tokenTransferCheckedWithFee: kind({ of: holding, to: account, amount: u64, decimals, fee: u64 }, (drawn) => {
    const data = Buffer.alloc(19)
    data.set([26, 1])
    data.writeBigUInt64LE(drawn.amount, 2)
    data[10] = drawn.decimals
    data.writeBigUInt64LE(drawn.fee, 11)
    const instruction: Instruction = {
      programAddress: TOKEN_2022,
      accounts: [
        { address: drawn.of.source, role: AccountRole.WRITABLE },
        { address: drawn.of.mint, role: AccountRole.READONLY },
        { address: drawn.to, role: AccountRole.WRITABLE },
        { address: drawn.of.holder, role: AccountRole.READONLY_SIGNER },
      ],
      data: Uint8Array.from(data),
    }
    const of = { ...drawn.of, program: TOKEN_2022 }
    return {
      instruction,
      effects: (named) => [tokenTransfer(checked(of, named), named(drawn.to), drawn.amount, TOKEN_2022)],
    }
  }),
  tokenApprove: kind({ of: holding, spender: account, amount: u64 }, ({ of, spender, amount }) => ({
    instruction: token.getApproveInstruction(
      { source: of.source, delegate: spender, owner: signer(of.holder), amount },
      { programAddress: of.program },
    ) as Instruction,
    effects: (named, own) => [{ kind: "approve", ...unchecked(of, named, own), spender: named(spender), amount }],
  })),
  tokenApproveChecked: kind({ of: holding, spender: account, amount: u64, decimals }, (drawn) => ({
    instruction: token.getApproveCheckedInstruction(
      {
        ...{ source: drawn.of.source, mint: drawn.of.mint, delegate: drawn.spender, owner: signer(drawn.of.holder) },
        ...{ amount: drawn.amount, decimals: drawn.decimals },
      },
      { programAddress: drawn.of.program },
    ) as Instruction,
    effects: (named) => [
      { kind: "approve", ...checked(drawn.of, named), spender: named(drawn.spender), amount: drawn.amount },
    ],
  })),
  tokenRevoke: kind({ of: holding }, ({ of }) => ({
    instruction: token.getRevokeInstruction(
      { source: of.source, owner: signer(of.holder) },
      { programAddress: of.program },
    ) as Instruction,
    effects: (_, __, call) => [call("revoke")],
  })),
  tokenSetAuthority: kind(
    { of: anyAddress, now: anySigner, type: fc.integer({ min: 0, max: 3 }), next: fc.option(account), program },
    (drawn) => ({
      instruction: token.getSetAuthorityInstruction(
        { owned: drawn.of, owner: signer(drawn.now), authorityType: drawn.type, newAuthority: drawn.next },
        { programAddress: drawn.program },
      ) as Instruction,
      effects: (named) => {
        const role = ["mint", "freeze", "owner", "close"][drawn.type]!
        if (drawn.next === null) return [{ kind: "set_authority", from: named(drawn.of), role, action: "remove" }]
        return [authority(named(drawn.of), role, drawn.next)]
      },
    }),
  ),
  tokenClose: kind({ of: anyAddress, to: account, holder: anySigner, program }, ({ of, to, holder, program: by }) => ({
    instruction: token.getCloseAccountInstruction(
      { account: of, destination: to, owner: signer(holder) },
      { programAddress: by },
    ) as Instruction,
    effects: (named) => [{ kind: "close_account", from: named(of), to: named(to) }],
  })),
  tokenBurn: kind({ of: holding, amount: u64, decimals: fc.option(decimals) }, ({ of, amount, decimals: checks }) => {
    const input = { account: of.source, mint: of.mint, authority: signer(of.holder), amount }
    const config = { programAddress: of.program }
    return {
      instruction: (checks === null
        ? token.getBurnInstruction(input, config)
        : token.getBurnCheckedInstruction({ ...input, decimals: checks }, config)) as Instruction,
      effects: (named) => [
        tokenTransfer(checked(of, named), { unresolved: "nobody: they are burned" }, amount, of.program),
      ],
    }
  }),
  tokenMint: kind(
    { mint: anyAddress, to: account, holder: anySigner, amount: u64, decimals: fc.option(decimals), program },
    ({ mint, to, holder, amount, decimals: checks, program: by }) => {
      const input = { mint, token: to, mintAuthority: signer(holder), amount }
      const config = { programAddress: by }
      return {
        instruction: (checks === null
          ? token.getMintToInstruction(input, config)
          : token.getMintToCheckedInstruction({ ...input, decimals: checks }, config)) as Instruction,
        effects: (named) => [tokenTransfer({ from: named(mint), asset: tokenOf(named(mint)) }, named(to), amount, by)],
      }
    },
  ),
  tokenFreezeThaw: kind(
    { of: anyAddress, mint: anyAddress, holder: anySigner, thaw: fc.boolean(), program },
    ({ of, mint, holder, thaw, program: by }) => {
      const made = thaw ? token.getThawAccountInstruction : token.getFreezeAccountInstruction
      return {
        instruction: made({ account: of, mint, owner: signer(holder) }, { programAddress: by }) as Instruction,
        effects: (named) => [
          { kind: "set_authority", from: named(of), role: "frozen", action: thaw ? "remove" : "add" },
        ],
      }
    },
  ),
  tokenSyncNative: kind({ of: anyAddress, program }, ({ of, program: by }) => ({
    instruction: token.getSyncNativeInstruction({ account: of }, { programAddress: by }) as Instruction,
    effects: (_, __, call) => [call("syncNative")],
  })),
  tokenInitializeAccount: kind({ of: anyAddress, mint: anyAddress, holder: account, program }, (drawn) => ({
    instruction: token.getInitializeAccount3Instruction(
      { account: drawn.of, mint: drawn.mint, owner: drawn.holder },
      { programAddress: drawn.program },
    ) as Instruction,
    effects: (_, __, call) => [call("initializeAccount3")],
  })),
  tokenUnwrapLamports: kind({ of: anyAddress, to: account, holder: anySigner, amount: fc.option(u64) }, (drawn) => ({
    instruction: token.getUnwrapLamportsInstruction({
      ...{ source: drawn.of, destination: drawn.to, authority: signer(drawn.holder), amount: drawn.amount },
    }) as Instruction,
    effects: (named, _, call) =>
      drawn.amount === null ? [call("unwrapLamports")] : [transfer(named(drawn.of), named(drawn.to), drawn.amount)],
  })),
}

const BATCHABLE = fc.oneof(
  ...["tokenTransfer", "tokenTransferChecked", "tokenApprove", "tokenSetAuthority", "tokenClose", "tokenBurn"].map(
    (name) => TOKENS[name]!,
  ),
)

const BATCH: Kind = fc.array(BATCHABLE, { minLength: 1, maxLength: 3 }).map((cases) => {
  const inner = cases.filter(({ instruction }) => instruction.programAddress === TOKEN)
  return {
    instruction: token.getBatchInstruction(inner.map(({ instruction }) => instruction) as never) as Instruction,
    effects: (named, own, call) => [call("batch"), ...inner.flatMap((one) => one.effects(named, own, call))],
  }
})

const RENT_OF = new Map<Address, bigint>([
  [TOKEN, 2_039_280n],
  [TOKEN_2022, 4_802_400n],
])

const ASSOCIATED: Readonly<Record<string, Kind>> = {
  associatedCreate: kind(
    { of: fc.constantFrom(...ATAS), payer: anySigner, idempotent: fc.boolean() },
    ({ of, payer, idempotent }) => {
      const made = idempotent
        ? token.getCreateAssociatedTokenIdempotentInstruction
        : token.getCreateAssociatedTokenInstruction
      return {
        instruction: made({
          ...{ payer: signer(payer), ata: of.account, owner: of.wallet, mint: of.mint, tokenProgram: of.program },
        }) as Instruction,
        effects: (named, _, call) => {
          const all = [of.account, of.wallet, of.mint, of.program].map(named)
          const known = all.every((one) => typeof one === "string")
          return known ? [] : [call(idempotent ? "createIdempotent" : "create")]
        },
        // where the token program is not known, it may be the dearer one
        rent: { max: (named) => RENT_OF.get(named(of.program) as Address) ?? 4_802_400n, payer },
        note: (named) =>
          [of.account, of.wallet, of.mint, of.program].every((one) => typeof named(one) === "string")
            ? `${of.account} is made if need be, the associated account of ${of.wallet} for ${of.mint}`
            : undefined,
      }
    },
  ),
  associatedRecover: kind({ of: fc.constantFrom(...ATAS), holder: anySigner, mint: anyAddress }, (drawn) => ({
    instruction: token.getRecoverNestedAssociatedTokenInstruction({
      ...{ nestedAssociatedAccountAddress: drawn.of.account, nestedTokenMintAddress: drawn.mint },
      ...{ destinationAssociatedAccountAddress: drawn.of.wallet, ownerAssociatedAccountAddress: drawn.of.account },
      ...{ ownerTokenMintAddress: drawn.of.mint, walletAddress: signer(drawn.holder) },
    }) as Instruction,
    effects: (_, __, call) => [call("recoverNested")],
  })),
}

const SYSVARS = {
  clock: "SysvarC1ock11111111111111111111111111111111",
  rent: "SysvarRent111111111111111111111111111111111",
  history: "SysvarStakeHistory1111111111111111111111111",
  config: "StakeConfig11111111111111111111111111111111",
} as const

/** The same with sysvars at the places where older clients have them. */
const older = (instruction: Instruction, sysvars: Readonly<Record<number, string>>, isOlder: boolean): Instruction => {
  if (!isOlder) return instruction
  const accounts = [...(instruction.accounts ?? [])]
  for (const [at, name] of Object.entries(sysvars))
    accounts.splice(Number(at), 0, { address: name as Address, role: AccountRole.READONLY })
  return { ...instruction, accounts }
}
/** Whether an account out of a lookup table keeps the reader from telling the two lists apart. */
const doubtful = (all: readonly Address[], named: Named): Account | undefined =>
  all.map(named).find((one) => typeof one !== "string")

const isOlder = fc.boolean()
const role = fc.integer({ min: 0, max: 1 })
const ROLES = ["staker", "withdrawer"]

const staked = (from: Account, action: string, to?: Account, amount = 0n): Effect =>
  to === undefined
    ? { kind: "stake", from, action, asset: NATIVE, amount }
    : { kind: "stake", from, action, to, asset: NATIVE, amount }

const STAKE: Readonly<Record<string, Kind>> = {
  stakeInitialize: kind(
    { of: anyAddress, staker: account, withdrawer: account, custodian: owner, when: u64 },
    ({ of, staker, withdrawer, custodian, when }) => ({
      instruction: stake.getInitializeInstruction({
        stake: of,
        arg0: { staker, withdrawer },
        arg1: { unixTimestamp: when >> 1n, epoch: when, custodian },
      }),
      effects: (named) => [
        authority(named(of), "staker", staker),
        authority(named(of), "withdrawer", withdrawer),
        ...(custodian === SYSTEM_PROGRAM ? [] : [authority(named(of), "lockup", custodian)]),
      ],
    }),
  ),
  stakeAuthorize: kind({ of: anyAddress, now: anySigner, next: account, role, isOlder }, (drawn) => ({
    instruction: older(
      stake.getAuthorizeInstruction({
        ...{ stake: drawn.of, authority: signer(drawn.now), arg0: drawn.next, arg1: drawn.role },
      }),
      { 1: SYSVARS.clock },
      drawn.isOlder,
    ),
    effects: (named) => [authority(named(drawn.of), ROLES[drawn.role]!, drawn.next)],
  })),
  stakeAuthorizeWithSeed: kind({ of: anyAddress, base: anySigner, next: account, role, seed, owner }, (drawn) => ({
    instruction: stake.getAuthorizeWithSeedInstruction({
      ...{ stake: drawn.of, base: signer(drawn.base), newAuthorizedPubkey: drawn.next },
      ...{ stakeAuthorize: drawn.role, authoritySeed: drawn.seed, authorityOwner: drawn.owner },
    }),
    effects: (named) => [authority(named(drawn.of), ROLES[drawn.role]!, drawn.next)],
  })),
  stakeInitializeChecked: kind({ of: anyAddress, staker: account, withdrawer: anySigner, isOlder }, (drawn) => ({
    instruction: older(
      stake.getInitializeCheckedInstruction({
        ...{ stake: drawn.of, stakeAuthority: drawn.staker, withdrawAuthority: signer(drawn.withdrawer) },
      }),
      { 1: SYSVARS.rent },
      drawn.isOlder,
    ),
    effects: (named) => {
      const { of, staker, withdrawer } = drawn
      const sure = drawn.isOlder && named(SYSVARS.rent as Address) === SYSVARS.rent
      const doubt = sure
        ? undefined
        : doubtful([of, ...(drawn.isOlder ? [SYSVARS.rent as Address] : []), staker, withdrawer], named)
      return [
        authority(named(of), "staker", doubt ?? named(staker)),
        authority(named(of), "withdrawer", doubt ?? named(withdrawer)),
      ]
    },
  })),
  stakeAuthorizeChecked: kind({ of: anyAddress, now: anySigner, next: anySigner, role, isOlder }, (drawn) => ({
    instruction: older(
      stake.getAuthorizeCheckedInstruction({
        ...{ stake: drawn.of, authority: signer(drawn.now), newAuthority: signer(drawn.next) },
        stakeAuthorize: drawn.role,
      }),
      { 1: SYSVARS.clock },
      drawn.isOlder,
    ),
    effects: (named) => {
      const sure = drawn.isOlder && named(SYSVARS.clock as Address) === SYSVARS.clock
      const doubt = sure ? undefined : doubtful([drawn.of, ...(drawn.isOlder ? [SYSVARS.clock as Address] : [])], named)
      return [authority(named(drawn.of), ROLES[drawn.role]!, doubt ?? drawn.next)]
    },
  })),
  stakeAuthorizeCheckedWithSeed: kind(
    { of: anyAddress, base: anySigner, next: anySigner, role, seed, owner, isOlder },
    (drawn) => ({
      instruction: older(
        stake.getAuthorizeCheckedWithSeedInstruction({
          ...{ stake: drawn.of, base: signer(drawn.base), newAuthority: signer(drawn.next) },
          ...{ stakeAuthorize: drawn.role, authoritySeed: drawn.seed, authorityOwner: drawn.owner },
        }),
        { 2: SYSVARS.clock },
        drawn.isOlder,
      ),
      effects: (named) => {
        const sure = drawn.isOlder && named(SYSVARS.clock as Address) === SYSVARS.clock
        const doubt = sure
          ? undefined
          : doubtful([drawn.of, ...(drawn.isOlder ? [SYSVARS.clock as Address] : [])], named)
        return [authority(named(drawn.of), ROLES[drawn.role]!, doubt ?? drawn.next)]
      },
    }),
  ),
  stakeDelegate: kind({ of: anyAddress, vote: account, holder: anySigner, isOlder }, (drawn) => ({
    instruction: older(
      stake.getDelegateStakeInstruction({ stake: drawn.of, vote: drawn.vote, stakeAuthority: signer(drawn.holder) }),
      { 2: SYSVARS.clock, 3: SYSVARS.history, 4: SYSVARS.config },
      drawn.isOlder,
    ),
    effects: (named) => [staked(named(drawn.of), "delegate", named(drawn.vote))],
  })),
  stakeSplit: kind(
    { of: anyAddress, made: account, holder: anySigner, amount: u64 },
    ({ of, made, holder, amount }) => ({
      instruction: stake.getSplitInstruction({
        stake: of,
        splitStake: made,
        stakeAuthority: signer(holder),
        args: amount,
      }),
      effects: (named) => [staked(named(of), "split", named(made), amount)],
    }),
  ),
  stakeWithdraw: kind({ of: anyAddress, to: account, holder: anySigner, amount: u64, isOlder }, (drawn) => ({
    instruction: older(
      stake.getWithdrawInstruction({
        ...{ stake: drawn.of, recipient: drawn.to, withdrawAuthority: signer(drawn.holder), args: drawn.amount },
      }),
      { 2: SYSVARS.clock, 3: SYSVARS.history },
      drawn.isOlder,
    ),
    effects: (named) => [transfer(named(drawn.of), named(drawn.to), drawn.amount)],
  })),
  stakeDeactivate: kind({ of: anyAddress, holder: anySigner, isOlder }, (drawn) => ({
    instruction: older(
      stake.getDeactivateInstruction({ stake: drawn.of, stakeAuthority: signer(drawn.holder) }),
      { 1: SYSVARS.clock },
      drawn.isOlder,
    ),
    effects: (named) => [staked(named(drawn.of), "deactivate")],
  })),
  stakeMerge: kind({ to: anyAddress, from: anyAddress, holder: anySigner, isOlder }, (drawn) => ({
    instruction: older(
      stake.getMergeInstruction({
        ...{ destinationStake: drawn.to, sourceStake: drawn.from, stakeAuthority: signer(drawn.holder) },
      }),
      { 2: SYSVARS.clock, 3: SYSVARS.history },
      drawn.isOlder,
    ),
    effects: (named) => [staked(named(drawn.from), "merge", named(drawn.to))],
  })),
  stakeMove: kind(
    { from: anyAddress, to: account, holder: anySigner, amount: u64, lamports: fc.boolean() },
    (drawn) => {
      const { from, to, holder, amount } = drawn
      const input = { sourceStake: from, destinationStake: to, stakeAuthority: signer(holder), args: amount }
      return {
        instruction: drawn.lamports ? stake.getMoveLamportsInstruction(input) : stake.getMoveStakeInstruction(input),
        effects: (named) =>
          drawn.lamports
            ? [transfer(named(from), named(to), amount)]
            : [staked(named(from), "move", named(to), amount)],
      }
    },
  ),
}

const OTHER: Readonly<Record<string, Kind>> = {
  memo: kind(
    {
      text: fc.string({ maxLength: 60, unit: "grapheme" }),
      by: fc.constantFrom(...memo.SUPPORTED_MEMO_PROGRAM_ADDRESSES),
      signs: fc.boolean(),
    },
    ({ text, by, signs }) => ({
      instruction: memo.getAddMemoInstruction(
        { memo: text, signers: signs ? [signer(OWN[0]!)] : [] },
        { programAddress: by },
      ) as Instruction,
      effects: (_, __, call) => [
        ...(signs && by === memo.MEMO_PROGRAM_ADDRESS ? [call("addMemo")] : []),
        { kind: "memo", data: Uint8Array.from(new TextEncoder().encode(text)) },
      ],
    }),
  ),
  upgrade: kind({ target: anyAddress, holder: anySigner, number: fc.integer({ min: 0, max: 9 }) }, (drawn) => ({
    instruction: {
      programAddress: "BPFLoaderUpgradeab1e11111111111111111111111" as Address,
      accounts: [
        { address: drawn.target, role: AccountRole.WRITABLE },
        { address: drawn.holder, role: AccountRole.READONLY_SIGNER },
      ],
      data: Uint8Array.of(drawn.number, 0, 0, 0),
    },
    effects: (_, __, call) => {
      const names = [
        ...["initializeBuffer", "write", "deployWithMaxDataLen", "upgrade"],
        ...["setAuthority", "close", "extendProgram", "setAuthorityChecked"],
      ]
      return [call(names[drawn.number] ?? `0x0${drawn.number}000000`)]
    },
  })),
  unknown: kind(
    { by: anyAddress, data: fc.uint8Array({ maxLength: 60 }), touched: fc.array(account, { maxLength: 4 }) },
    ({ by, data, touched }) => ({
      instruction: {
        programAddress: by,
        accounts: touched.map((one) => ({
          address: one,
          role: [...OWN, ...FOREIGN].includes(one) ? AccountRole.WRITABLE_SIGNER : AccountRole.WRITABLE,
        })),
        data,
      },
      effects: (_, __, call) => [call(`0x${Buffer.from(data.subarray(0, 8)).toString("hex")}`)],
    }),
  ),
}

export const KINDS: Readonly<Record<string, Kind>> = {
  ...SYSTEM,
  ...TOKENS,
  tokenBatch: BATCH,
  ...ASSOCIATED,
  ...STAKE,
  ...OTHER,
}
export const anyCase: Kind = fc.oneof(...Object.values(KINDS))
