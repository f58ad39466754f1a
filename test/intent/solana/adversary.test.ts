/** Whoever would have a key sign what its node does not see: each attempt, and what it meets. */
import { describe, expect, test } from "bun:test"
import * as system from "@solana-program/system"
import * as token from "@solana-program/token"
import { concat } from "../../../src/bytes.ts"
import { check } from "../../../src/intent/check.ts"
import { type Context, DEFAULT_SETTINGS } from "../../../src/intent/decoder.ts"
import { intentHash } from "../../../src/intent/hash.ts"
import { type Effect, isProblem, type Reading } from "../../../src/intent/reading.ts"
import { solanaMessage } from "../../../src/intent/solana/message.ts"
import { intentText } from "../../../src/intent/text.ts"
import { ATAS, CHAIN, CONFIGURED, FOREIGN, MINTS, NATIVE, OWN } from "./cases.ts"
import { type Address, compile, type Instruction, numbered, signer, TOKEN } from "./kit.ts"
import { contextOf, TABLE } from "./scenario.ts"

const [WALLET, OTHER, THIRD] = OWN as [Address, Address, Address]
const [MALLORY] = FOREIGN as [Address]
const [MINT] = MINTS as [Address]
const HASH = numbered("h", 1)
const ACCOUNT = ATAS.find(
  ({ wallet, mint, program }) => wallet === WALLET && mint === MINT && program === TOKEN,
)!.account
const DEVNET = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"

interface Options {
  readonly feePayer?: Address
  readonly hidden?: readonly Address[]
}
const messageOf = (instructions: readonly Instruction[], { feePayer = WALLET, hidden = [] }: Options = {}) =>
  compile(instructions, {
    ...{ version: 0, feePayer, blockhash: HASH },
    tables: hidden.length === 0 ? {} : { [TABLE]: hidden },
  }).bytes

const decode = (bytes: Uint8Array, context: Context = contextOf([WALLET])) => solanaMessage.decode(bytes, context)
const read = (bytes: Uint8Array, context?: Context): Reading => {
  const decoded = decode(bytes, context)
  if (isProblem(decoded)) throw new Error(`${decoded.code} ${decoded.message} ${decoded.at}`)
  return decoded
}
const settings = (change: Partial<(typeof DEFAULT_SETTINGS)["solana"]>) => ({
  ...DEFAULT_SETTINGS,
  solana: { ...DEFAULT_SETTINGS.solana, ...change },
})
const pay = (from: Address, to: Address, amount: bigint): Instruction =>
  system.getTransferSolInstruction({ source: signer(from), destination: to, amount })
const payChecked = (mint: Address, to: Address, amount = 5n): Instruction =>
  token.getTransferCheckedInstruction({
    ...{ source: ACCOUNT, mint, destination: to, authority: signer(WALLET), amount, decimals: 6 },
  }) as Instruction
const unresolved = (entry: number) => ({ unresolved: `entry ${entry} of lookup table ${TABLE}` })

describe("accounts behind a lookup table", () => {
  test("a recipient is unresolved, and its text says so", () => {
    const reading = read(messageOf([pay(WALLET, MALLORY, 5n)], { hidden: [MALLORY] }))
    expect(reading.effects).toMatchObject([{ kind: "transfer", to: unresolved(0), amount: 5n }])
    expect(intentText(reading)[0]).toContain(`to unresolved (entry 0 of lookup table ${TABLE})`)
  })
  test("a read-only mint makes the asset unresolved: the token may be any", () => {
    const [effect] = read(messageOf([payChecked(MINT, MALLORY)], { hidden: [MINT] })).effects
    expect(effect).toMatchObject({ kind: "transfer", asset: unresolved(0), from: ACCOUNT })
  })
  test("a read-only delegate is unresolved", () => {
    const approve = token.getApproveCheckedInstruction({
      ...{ source: ACCOUNT, mint: MINT, delegate: MALLORY, owner: signer(WALLET), amount: 5n, decimals: 6 },
    }) as Instruction
    expect(read(messageOf([approve], { hidden: [MALLORY] })).effects).toMatchObject([{ spender: unresolved(0) }])
  })
  test("a read-only wallet makes the associated account's creation a call that names nobody", () => {
    const made = ATAS.find(({ wallet, mint, program }) => wallet === MALLORY && mint === MINT && program === TOKEN)!
    const create = token.getCreateAssociatedTokenIdempotentInstruction({
      ...{ payer: signer(WALLET), ata: made.account, owner: MALLORY, mint: MINT },
    }) as Instruction
    const hidden = read(messageOf([create], { hidden: [MALLORY] }))
    expect(hidden.effects).toMatchObject([{ kind: "call", selector: "createIdempotent" }])
    expect(hidden.effects[0]).toMatchObject({ accounts: expect.stringContaining(`(entry 0 of lookup table ${TABLE})`) })
    // its rent counts in any case
    expect(hidden.fee.max).toBe(5000n + 2_039_280n)
    const open = read(messageOf([create]))
    expect(open).toMatchObject({ effects: [{ kind: "self" }], fee: hidden.fee })
    expect(open.notes).toEqual([`${made.account} is made if need be, the associated account of ${MALLORY} for ${MINT}`])
  })
  test("a configured table resolves them, as far as it is listed, and changes the intent's hash", () => {
    const bytes = messageOf([pay(WALLET, MALLORY, 5n), pay(WALLET, numbered("z", 1), 6n)], {
      hidden: [MALLORY, numbered("z", 1)],
    })
    const listed = (entries: readonly string[]) =>
      read(bytes, contextOf([WALLET], settings({ lookupTables: new Map([[TABLE as string, entries]]) })))
    expect(listed([MALLORY]).effects).toMatchObject([{ to: MALLORY }, { to: unresolved(1) }])
    expect(listed([MALLORY, OTHER]).effects).toMatchObject([{ to: MALLORY }, { to: OTHER }])
    expect(intentHash(listed([MALLORY]), "cpub")).not.toEqual(intentHash(listed([]), "cpub"))
  })
  test("a new authority of a stake account is not mistaken for the old one where the clock is hidden", () => {
    const clock = "SysvarC1ock11111111111111111111111111111111" as Address
    const authorize: Instruction = {
      programAddress: "Stake11111111111111111111111111111111111111" as Address,
      accounts: [
        { address: numbered("s", 1), role: 1 },
        { address: clock, role: 0 },
        { address: WALLET, role: 2 },
        { address: MALLORY, role: 2 },
      ],
      data: Uint8Array.of(10, 0, 0, 0, 1, 0, 0, 0),
    }
    const found = (hidden: readonly Address[]): Effect | undefined =>
      read(messageOf([authorize], { hidden })).effects[0]
    expect(found([])).toMatchObject({ role: "withdrawer", authority: MALLORY })
    expect(found([clock])).toMatchObject({ role: "withdrawer", authority: unresolved(0) })
  })
})

describe("token transfers that name no mint", () => {
  const transfer = (source: Address, holder: Address): Instruction =>
    token.getTransferInstruction({ source, destination: MALLORY, authority: signer(holder), amount: 5n }) as Instruction
  const configured = settings({ mints: CONFIGURED })
  const assetOf = (source: Address, holder: Address, own = [WALLET]): unknown =>
    read(messageOf([transfer(source, holder)]), contextOf(own, configured)).effects.map(
      (one) => "asset" in one && one.asset,
    )

  test("from our associated account of a configured mint are that asset", () => {
    expect(assetOf(ACCOUNT, WALLET)).toEqual([`${CHAIN}/token:${MINT}`])
  })
  test("from any other account, and without a configured mint, are no asset at all", () => {
    expect(assetOf(numbered("x", 1), WALLET)).toEqual([{ unresolved: expect.any(String) }])
    const reading = read(messageOf([transfer(ACCOUNT, WALLET)]))
    expect(reading.effects).toMatchObject([{ asset: { unresolved: expect.any(String) }, from: ACCOUNT }])
  })
  test("from somebody else's associated account are no asset, even of a configured mint", () => {
    const theirs = ATAS.find(({ wallet, mint, program }) => wallet === MALLORY && mint === MINT && program === TOKEN)!
    expect(assetOf(theirs.account, MALLORY)).toEqual([{ unresolved: expect.any(String) }])
  })
  test("under the other token program are another mint's", () => {
    const under2022 = token.getTransferInstruction(
      { source: ACCOUNT, destination: MALLORY, authority: signer(WALLET), amount: 5n },
      { programAddress: "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb" as Address },
    ) as Instruction
    const [effect] = read(messageOf([under2022]), contextOf([WALLET], configured)).effects
    expect(effect).toMatchObject({ asset: { unresolved: expect.any(String) } })
  })
})

describe("look-alikes", () => {
  test("a mint with the right symbol is another asset: only its address counts", () => {
    const [effect] = read(
      messageOf([payChecked(MINTS[1]!, MALLORY)]),
      contextOf([WALLET], settings({ mints: CONFIGURED })),
    ).effects
    expect(effect).toMatchObject({ asset: `${CHAIN}/token:${MINTS[1]}`, from: ACCOUNT })
  })
  test("decimals in the instruction change no amount: they are base units", () => {
    const amount = (decimals: number): Effect | undefined =>
      read(
        messageOf([
          token.getTransferCheckedInstruction({
            ...{ source: ACCOUNT, mint: MINT, destination: MALLORY, authority: signer(WALLET), amount: 7n, decimals },
          }) as Instruction,
        ]),
      ).effects[0]
    expect(amount(6)).toEqual(amount(9))
  })
  test("an associated account that is not its wallet's is refused", () => {
    const theirs = ATAS.find(({ wallet, mint, program }) => wallet === MALLORY && mint === MINT && program === TOKEN)!
    const create = token.getCreateAssociatedTokenInstruction({
      ...{ payer: signer(WALLET), ata: theirs.account, owner: OTHER, mint: MINT },
    }) as Instruction
    expect(decode(messageOf([create]))).toMatchObject({ code: "E-INT-096", at: "instruction 0" })
  })
})

describe("durable nonces", () => {
  const advance = system.getAdvanceNonceAccountInstruction({
    nonceAccount: numbered("n", 1),
    nonceAuthority: signer(WALLET),
  })
  test("are an effect, and the transaction does not expire", () => {
    const reading = read(messageOf([advance, pay(WALLET, MALLORY, 5n)]))
    expect(reading.effects).toMatchObject([
      { kind: "nonce", from: numbered("n", 1), authority: WALLET },
      { kind: "transfer", amount: 5n },
    ])
    expect(reading.expires).toBeUndefined()
    expect(intentText(reading)[0]).toContain("it never expires")
  })
  test("are an effect in any place, but only the first keeps it from expiring", () => {
    const reading = read(messageOf([pay(WALLET, MALLORY, 5n), advance]))
    expect(reading.effects[1]).toMatchObject({ kind: "nonce" })
    expect(reading.expires).toBe(`blockhash ${HASH}`)
  })
  test("do not make transactions replace one another: with a recent blockhash each of them lands", () => {
    for (const amount of [5n, 6n])
      expect(read(messageOf([advance, pay(WALLET, MALLORY, amount)])).nonce).toBeUndefined()
  })
  test("cannot be hidden by bytes that the runtime passes over", () => {
    const longer = { ...advance, data: concat(Uint8Array.from(advance.data), Uint8Array.of(0)) }
    expect(decode(messageOf([longer]))).toMatchObject({ code: "E-INT-094" })
  })
})

describe("fees", () => {
  test("a foreign fee payer is shown, and its fee is not ours", () => {
    const reading = read(messageOf([pay(WALLET, MALLORY, 5n)], { feePayer: MALLORY }))
    expect(reading.fee).toEqual({ max: 0n, asset: NATIVE, unbounded: false })
    expect(reading.notes).toEqual([`${MALLORY} pays the fee`])
  })
  test("a fee payer of ours that another task signs for pays in that task's reading", () => {
    const bytes = messageOf([pay(WALLET, MALLORY, 5n)], { feePayer: OTHER })
    expect(read(bytes, contextOf([WALLET])).fee.max).toBe(0n)
    expect(read(bytes, contextOf([OTHER])).fee.max).toBe(10_000n)
    expect(read(bytes, contextOf([WALLET, OTHER])).fee.max).toBe(10_000n)
  })
  test("rent of accounts counts where it is ours, whoever pays the fee", () => {
    const made = ATAS.find(({ wallet }) => wallet === MALLORY)!
    const create = (payer: Address): Instruction =>
      token.getCreateAssociatedTokenInstruction({
        ...{ payer: signer(payer), ata: made.account, owner: made.wallet, mint: made.mint, tokenProgram: made.program },
      }) as Instruction
    expect(read(messageOf([create(WALLET)], { feePayer: MALLORY })).fee.max).toBe(2_039_280n)
    expect(read(messageOf([create(MALLORY), pay(WALLET, OTHER, 1n)])).fee.max).toBe(10_000n)
  })
  test("a price for each unit cannot hide behind a limit that is left out, or too high", () => {
    const budget = (...data: readonly number[]): Instruction => ({
      programAddress: "ComputeBudget111111111111111111111111111111" as Address,
      data: Uint8Array.from(data),
    })
    const price = budget(3, 64, 66, 15, 0, 0, 0, 0, 0) // a lamport for each unit
    expect(read(messageOf([price, pay(WALLET, MALLORY, 5n)])).fee.max).toBe(5000n + 400_000n)
    const high = budget(2, 255, 255, 255, 255)
    expect(read(messageOf([price, high, pay(WALLET, MALLORY, 5n)])).fee.max).toBe(5000n + 1_400_000n)
  })
  test("signatures that a precompile verifies are paid for", () => {
    const verify: Instruction = {
      programAddress: "Ed25519SigVerify111111111111111111111111111" as Address,
      data: Uint8Array.of(3, 0),
    }
    expect(read(messageOf([verify])).fee.max).toBe(20_000n)
  })
})

describe("whose signature", () => {
  test("a key that the message does not ask for is refused", () => {
    const bytes = messageOf([pay(WALLET, MALLORY, 5n)])
    expect(decode(bytes, contextOf([OTHER]))).toMatchObject({ code: "E-INT-098" })
    expect(decode(bytes, contextOf([WALLET, OTHER]))).toMatchObject({ code: "E-INT-098" })
    // a recipient is no signer
    expect(decode(messageOf([pay(WALLET, THIRD, 5n)]), contextOf([THIRD]))).toMatchObject({ code: "E-INT-098" })
  })
  test("a swapped signer gives another reading, which is not the one that was asked for", () => {
    const bytes = messageOf([pay(OTHER, MALLORY, 5n)], { feePayer: OTHER })
    expect(decode(bytes, contextOf([WALLET]))).toMatchObject({ code: "E-INT-098" })
    expect(read(bytes, contextOf([OTHER])).effects).toMatchObject([{ from: OTHER }])
  })
  test("one key twice is refused, and so is a key of the other curve", () => {
    const bytes = messageOf([pay(WALLET, MALLORY, 5n)])
    expect(decode(bytes, contextOf([WALLET, WALLET]))).toMatchObject({ code: "E-INT-006" })
    expect(decode(bytes, { ...contextOf([WALLET]), curve: "secp256k1" })).toMatchObject({ code: "E-INT-008" })
    const schnorr = contextOf([WALLET]).messages.map((one) => ({ ...one, signature: "Schnorr" as const }))
    expect(decode(bytes, { ...contextOf([WALLET]), messages: schnorr })).toMatchObject({ code: "E-INT-008" })
    const input = contextOf([WALLET]).messages.map((one) => ({ ...one, input: 0 }))
    expect(decode(bytes, { ...contextOf([WALLET]), messages: input })).toMatchObject({ code: "E-INT-006" })
  })
  test("what is signed is the message, every byte of it", () => {
    const bytes = messageOf([pay(WALLET, MALLORY, 5n)])
    const reading = read(bytes)
    const path = [44, 501, 0]
    expect(check(reading, [{ path, hash: bytes }])).toBeUndefined()
    for (let at = 0; at < bytes.length; at++) {
      expect(check(reading, [{ path, hash: bytes.with(at, bytes[at]! ^ 1) }])?.code).toBe("E-INT-005")
    }
    expect(check(reading, [])?.code).toBe("E-INT-006")
  })
  test("offline, its signers are as it states them", () => {
    const offline = { ...contextOf([]), chains: [] }
    const reading = read(messageOf([pay(WALLET, MALLORY, 5n)], { feePayer: OTHER }), offline)
    expect(reading).toMatchObject({ from: [OTHER, WALLET], chain: CHAIN, fee: { max: 10_000n } })
    expect(reading.signs).toMatchObject([{ path: undefined }])
    expect(check(reading, [])?.code).toBe("E-INT-006")
  })
})

describe("which cluster", () => {
  const bytes = messageOf([pay(WALLET, MALLORY, 5n)])
  test("is the path's: a mainnet path that is called devnet stays mainnet", () => {
    expect(read(bytes).chain).toBe(CHAIN)
    expect(read(bytes).effects).toMatchObject([{ asset: NATIVE }])
    expect(read(bytes, contextOf([WALLET], DEFAULT_SETTINGS, DEVNET)).effects).toMatchObject([
      { asset: `${DEVNET}/slip44:501` },
    ])
  })
  test("must be one: the message does not say which", () => {
    const both = { ...contextOf([WALLET]), chains: [DEVNET, CHAIN] }
    expect(decode(bytes, both)).toMatchObject({ code: "E-INT-004" })
    expect(decode(bytes, { ...contextOf([WALLET]), chains: ["eip155:1"] })).toMatchObject({ code: "E-INT-004" })
  })
})

describe("destinations that look like none", () => {
  test("oneself, the incinerator, the sender's own other key: all are named", () => {
    const fire = "1nc1nerator11111111111111111111111111111111" as Address
    const effects = read(messageOf([pay(WALLET, WALLET, 5n), pay(WALLET, fire, 6n), pay(WALLET, OTHER, 7n)])).effects
    expect(effects).toMatchObject([
      { kind: "transfer", from: WALLET, to: WALLET, amount: 5n },
      { kind: "transfer", from: WALLET, to: fire, amount: 6n },
      { kind: "transfer", from: WALLET, to: OTHER, amount: 7n },
    ])
  })
})

describe("what can take an account away", () => {
  test("assigning a wallet to a program, closing, freezing, new owners: each by its own kind", () => {
    const program = numbered("p", 1)
    const instructions = [
      system.getAssignInstruction({ account: signer(WALLET), programAddress: program }),
      token.getSetAuthorityInstruction({
        ...{ owned: ACCOUNT, owner: signer(WALLET), authorityType: 2, newAuthority: MALLORY },
      }),
      token.getCloseAccountInstruction({ account: ACCOUNT, destination: MALLORY, owner: signer(WALLET) }),
    ] as readonly Instruction[]
    expect(read(messageOf(instructions)).effects).toMatchObject([
      { kind: "set_authority", from: WALLET, role: "owner_program", authority: program },
      { kind: "set_authority", from: ACCOUNT, role: "owner", authority: MALLORY },
      { kind: "close_account", from: ACCOUNT, to: MALLORY },
    ])
  })
  test("a program that is not known is a call, with every account that it may touch", () => {
    const program = numbered("p", 1)
    const call: Instruction = {
      programAddress: program,
      accounts: [
        { address: WALLET, role: 3 },
        { address: MALLORY, role: 1 },
        { address: MINT, role: 0 },
      ],
      data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
    }
    expect(read(messageOf([call])).effects).toEqual([
      {
        ...{ kind: "call", from: WALLET, to: program, selector: "0x0102030405060708", value: 0n },
        data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9),
        accounts: `${WALLET}:sw ${MALLORY}:w ${MINT}`,
      },
    ])
  })
  test("an approval in a batch stands beside the batch", () => {
    const approve = token.getApproveInstruction({
      ...{ source: ACCOUNT, delegate: MALLORY, owner: signer(WALLET), amount: (1n << 64n) - 1n },
    })
    const effects = read(messageOf([token.getBatchInstruction([approve]) as Instruction])).effects
    expect(effects).toMatchObject([
      { kind: "call", selector: "batch" },
      { kind: "approve", spender: MALLORY },
    ])
  })
})
