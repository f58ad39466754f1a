/**
 * What a lying WaaS, wallet or co-spender would try, each refused by its own code or shown as what it is: a fee, a stranger's
 * address, an account of our own that is no change.
 */
import { describe, expect, test } from "bun:test"
import type * as bitcoin from "bitcoinjs-lib"
import { type Bytes, bigToLe, concat, copy, u8 } from "../../../src/bytes.ts"
import { type Claimed, check } from "../../../src/intent/check.ts"
import type { Asked, Context } from "../../../src/intent/decoder.ts"
import { intentHashText } from "../../../src/intent/hash.ts"
import { readingJson } from "../../../src/intent/json.ts"
import { read as readPayload } from "../../../src/intent/read.ts"
import { isProblem, type Reading } from "../../../src/intent/reading.ts"
import { intentText } from "../../../src/intent/text.ts"
import { spentBy } from "../../../src/policy/spending.ts"
import { join, pair, set, split, withMap } from "./craft.ts"
import {
  ALICE,
  ALICE_ADDRESS,
  back,
  CHANGE,
  contextFor,
  NESTED,
  P2PKH,
  P2TR,
  P2WPKH,
  P2WPKH_2,
  PAYMENT,
  pay,
  planWith,
  previousWith,
  read,
  refusalOf,
  spend,
  TREE,
} from "./simple.ts"
import {
  addressOf,
  asked,
  CHAINS,
  contextOf,
  encode,
  encodeV0,
  encodeV2,
  keyAt,
  MERKLE_ROOT,
  type Mine,
  type Plan,
  scriptOf,
} from "./wallet.ts"

const NOBODY = concat(Uint8Array.of(0x00, 0x14), new Uint8Array(20).fill(0xee))
const BTC = `${CHAINS.mainnet}/slip44:0`

const refused = (plan: Plan, context: Context = contextFor(plan)): string => refusalOf(encode(plan), context)
const withMessages = (plan: Plan, messages: readonly Asked[]): Context => ({ ...contextFor(plan), messages })
const claimsOf = (reading: Reading): readonly Claimed[] =>
  reading.signs.map(({ path = [], input, bytes }) => ({ path, hash: bytes, ...(input === undefined ? {} : { input }) }))
const outputWith = (output: Parameters<typeof planWith>[1][number], input = spend(P2WPKH, 100_000n)): Reading =>
  read(planWith([input], [output]))

describe("fees", () => {
  /** Two inputs of ours; WaaS lies about one amount in each of two sessions, and each digest commits to the other's only. */
  test("two PSBTs with one lie each: refused for want of the previous transaction, and for the lie where it is given", () => {
    const honest = [spend(P2WPKH, 100_000n, {}, 1), spend(P2WPKH_2, 50_000_000n, {}, 2)] as const
    const plan = planWith(honest, [pay(ALICE, 149_000n)])
    for (const lying of [0, 1]) {
      const claims = [100_000n, 50_000n]
      const bare = honest.map((input, i) => ({
        ...input,
        amount: claims[i]!,
        gives: { previous: i !== lying, witness: true, hint: true },
        previous: previousWith(input.script, i === lying ? input.amount : claims[i]!, i + 1),
      }))
      expect(refused({ ...plan, inputs: bare })).toBe(`E-INT-066 input ${lying}`)
      const both = bare.map((input, i) => ({ ...input, amount: i === lying ? 60_000n : input.amount }))
      const told = both.map((input) => ({ ...input, gives: { previous: true, witness: true, hint: true } }))
      expect(refused({ ...plan, inputs: told })).toBe(`E-INT-068 input ${lying}`)
    }
    expect(read(plan).fee).toEqual({ max: 50_100_000n - 149_000n, asset: BTC, unbounded: false })
  })
  test("the same with an input of somebody else, and with P2PKH and nested ones", () => {
    for (const mine of [P2WPKH, P2PKH, NESTED]) {
      const foreign = spend(undefined, 9_000_000n, {
        script: NOBODY,
        gives: { previous: false, witness: true, hint: false },
      })
      const plan = planWith([foreign, spend(mine, 100_000n, {}, 2)], [pay(ALICE, 90_000n)])
      expect(refused(plan)).toBe("E-INT-066 input 0")
    }
  })
  test("a Taproot input beside one of BIP-143 does not excuse that one", () => {
    const bare = { gives: { previous: false, witness: true, hint: true } }
    const plan = planWith([spend(P2TR, 5000n, bare, 1), spend(P2WPKH, 5000n, {}, 2)], [pay(ALICE, 9000n)])
    expect(refused(plan)).toBe("E-INT-066 input 0")
    const alone = planWith([spend(P2TR, 5000n, bare, 1), spend(TREE, 5000n, bare, 2)], [pay(ALICE, 9000n)])
    expect(read(alone).fee.max).toBe(1000n)
  })
  test("a Taproot lie about an amount changes the digest, so the task's hash no longer is it", () => {
    const bare = { gives: { previous: false, witness: true, hint: true } }
    const honest = read(planWith([spend(P2TR, 5000n, bare, 1)], [pay(ALICE, 4000n)]))
    const lie = read({
      ...planWith([{ ...spend(P2TR, 5000n, bare, 1), amount: 4001n }], [pay(ALICE, 4000n)]),
    })
    expect(lie.fee.max).toBe(1n)
    expect(check(lie, claimsOf(honest))?.code).toBe("E-INT-005")
  })
  test("all change with a huge fee is `self`, and the fee is told whole", () => {
    const plan = planWith([spend(P2WPKH, 500_000_000n)], [back(CHANGE, 1000n)])
    const reading = read(plan)
    const from = addressOf(scriptOf(P2WPKH), "mainnet")
    expect(reading.effects).toEqual([{ kind: "self", from }])
    expect(reading.fee.max).toBe(499_999_000n)
    expect(intentText(reading)[0]).toBe(`nothing for anybody but ${from} on ${CHAINS.mainnet}, fee at most 4.99999 BTC`)
  })
  test("outputs above inputs", () => {
    expect(refused(planWith([spend(P2WPKH, 1000n)], [pay(ALICE, 1001n)]))).toBe("E-INT-073 outputs")
    expect(read(planWith([spend(P2WPKH, 1000n)], [pay(ALICE, 1000n)])).fee.max).toBe(0n)
  })
})

describe("previous transactions", () => {
  const input = spend(P2WPKH, 100_000n)
  test("none and no witness UTXO", () => {
    const none = { ...input, gives: { previous: false, witness: false, hint: true } }
    expect(refused(planWith([none], [pay(ALICE, 1n)]))).toBe("E-INT-066 input 0")
  })
  test("another one, one that lacks the output, one that cannot be read, one with bytes behind it", () => {
    const previous = (bytes: Uint8Array) =>
      refusalOf(withMap(encodeV0(PAYMENT), 1, set(0x00, bytes)), contextFor(PAYMENT))
    const right = input.previous.toBuffer()
    expect(previous(right)).toBe("read")
    expect(previous(previousWith(input.script, 100_000n, 9).toBuffer())).toBe("E-INT-067 input 0")
    expect(previous(right.subarray(1))).toMatch(/^E-INT-065 byte /)
    expect(previous(concat(right, u8(0)))).toMatch(/^E-INT-065 byte /)
    expect(previous(new Uint8Array(0))).toMatch(/^E-INT-065 byte /)
    const beyond = withMap(encodeV2(PAYMENT), 1, set(0x0f, bigToLe(1n, 4)))
    expect(refusalOf(beyond, contextFor(PAYMENT))).toBe("E-INT-067 input 0")
  })
  test("a witness UTXO with another script than the previous transaction has", () => {
    const lie = concat(bigToLe(100_000n, 8), u8(22), NOBODY)
    expect(refusalOf(withMap(encodeV0(PAYMENT), 1, set(0x01, lie)), contextFor(PAYMENT))).toBe("E-INT-068 input 0")
    const long = concat(bigToLe(100_000n, 8), u8(22), scriptOf(P2WPKH), u8(0))
    expect(refusalOf(withMap(encodeV0(PAYMENT), 1, set(0x01, long)), contextFor(PAYMENT))).toMatch(/^E-INT-062 byte /)
  })
})

describe("messages and inputs", () => {
  const TWO = planWith([spend(P2WPKH, 1000n, {}, 1), spend(P2WPKH_2, 2000n, {}, 2)], [pay(ALICE, 2500n)])
  const [first, second] = [asked(P2WPKH, 0), asked(P2WPKH_2, 1)] as const

  test("swapped: the paths, the inputs, the hashes", () => {
    expect(refused(TWO, withMessages(TWO, [asked(P2WPKH_2, 0), asked(P2WPKH, 1)]))).toBe("E-INT-070 input 0")
    const reading = read(TWO)
    const [a, b] = claimsOf(reading) as [Claimed, Claimed]
    expect(
      check(reading, [
        { ...a, hash: b.hash },
        { ...b, hash: a.hash },
      ])?.code,
    ).toBe("E-INT-005")
    expect(check(reading, [b, a])).toBeUndefined()
  })
  test("a message without input, one for an input that is not there, two for one", () => {
    const { input: _, ...nowhere } = second
    expect(refused(TWO, withMessages(TWO, [first, nowhere]))).toBe("E-INT-072 message 1")
    expect(refused(TWO, withMessages(TWO, [first, { ...second, input: 2 }]))).toBe("E-INT-072 message 1")
    expect(refused(TWO, withMessages(TWO, [first, first]))).toBe("E-INT-072 message 1")
  })
  test("an input of ours left out: at a path that signs, and at one that only the payload names", () => {
    const same = planWith([spend(P2WPKH, 1000n, {}, 1), spend(P2WPKH, 2000n, {}, 2)], [pay(ALICE, 2500n)])
    expect(refused(same, withMessages(same, [asked(P2WPKH, 0)]))).toBe("E-INT-071 input 1")
    expect(refused(TWO, withMessages(TWO, [first]))).toBe("E-INT-071 input 1")
    for (const mine of [P2TR, TREE, NESTED, P2PKH]) {
      const plan = planWith([spend(P2WPKH, 1000n, {}, 1), spend(mine, 2000n, {}, 2)], [pay(ALICE, 2500n)])
      expect(refused(plan, withMessages(plan, [first]))).toBe("E-INT-071 input 1")
    }
  })
  test("left out at the key of a message that signs another kind of script", () => {
    for (const kind of ["p2pkh", "p2sh-p2wpkh", "p2tr", "rawtr"] as const) {
      const hidden = spend(
        { kind, path: P2WPKH.path },
        2000n,
        { gives: { previous: true, witness: false, hint: false } },
        2,
      )
      const plan = planWith([spend(P2WPKH, 1000n, {}, 1), hidden], [pay(ALICE, 2500n)])
      expect(refused(plan, withMessages(plan, [first]))).toBe("E-INT-071 input 1")
    }
  })
  test("a hint that claims a stranger's input for us makes it no input of ours", () => {
    const plan = planWith([spend(P2WPKH, 1000n), spend(undefined, 5000n, { script: NOBODY }, 2)], [pay(ALICE, 500n)])
    const claimed = withMap(encodeV0(plan), 2, (map) => [
      ...map,
      pair(0x06, concat(new Uint8Array(4), bigToLe(84n, 4)), keyAt([84])),
    ])
    expect(refusalOf(claimed, contextFor(plan))).toBe("read")
    expect(read(plan, claimed).notes).toEqual(["1 inputs of others pay in 0.00005 BTC"])
  })
  test("the task must ask for exactly what the payload asks", async () => {
    const decoded = await readPayload({ format: "bitcoin/psbt", data: encode(TWO) }, contextFor(TWO))
    if (isProblem(decoded)) throw new Error(decoded.message)
    const claims = claimsOf(decoded)
    expect(check(decoded, claims)).toBeUndefined()
    expect(check(decoded, claims.slice(1))?.code).toBe("E-INT-006")
    expect(check(decoded, [...claims, claims[0]!])?.code).toBe("E-INT-006")
  })
})

describe("key, tweak and kind of signature", () => {
  const one = (mine: Mine, change: Partial<Asked>): string => {
    const plan = planWith([spend(mine, 1000n)], [pay(ALICE, 500n)])
    return refused(plan, withMessages(plan, [{ ...asked(mine, 0), ...change }]))
  }
  test("another path, another kind of signature", () => {
    for (const mine of [P2WPKH, P2PKH, NESTED, P2TR, TREE]) {
      expect(one(mine, {})).toBe("read")
      expect(one(mine, { publicKey: keyAt([1]) })).toBe("E-INT-070 input 0")
    }
    for (const mine of [P2WPKH, P2PKH, NESTED]) expect(one(mine, { signature: "Schnorr" })).toBe("E-INT-070 input 0")
    for (const mine of [P2TR, TREE]) expect(one(mine, { signature: "ECDSA" })).toBe("E-INT-070 input 0")
    expect(one(P2WPKH, { signature: "EdDSA" })).toBe("E-INT-008 signature type")
  })
  test("another tweak: none, the empty one, another root", () => {
    const { merkleRoot: _, ...untweaked } = asked(P2TR, 0)
    const plan = planWith([spend(P2TR, 1000n)], [pay(ALICE, 500n)])
    expect(refused(plan, withMessages(plan, [untweaked]))).toBe("E-INT-070 input 0")
    expect(one(P2TR, { merkleRoot: MERKLE_ROOT })).toBe("E-INT-070 input 0")
    expect(one(TREE, { merkleRoot: new Uint8Array(0) })).toBe("E-INT-070 input 0")
    expect(one(TREE, { merkleRoot: new Uint8Array(32) })).toBe("E-INT-070 input 0")
    expect(one({ kind: "rawtr", path: P2TR.path }, { merkleRoot: new Uint8Array(0) })).toBe("E-INT-070 input 0")
  })
  test("scripts of several keys, and P2WSH, are not ours to sign", () => {
    for (const script of [
      concat(Uint8Array.of(0x00, 0x20), new Uint8Array(32)),
      concat(Uint8Array.of(0x21), keyAt([1]), u8(0xac)),
    ]) {
      const plan = planWith(
        [{ ...spend(P2WPKH, 1000n, { script }), gives: { previous: true, witness: false, hint: false } }],
        [pay(ALICE, 500n)],
      )
      expect(refused(plan)).toBe("E-INT-070 input 0")
    }
  })
  test("a redeem script or an internal key that is not the one of the key", () => {
    const change = (mine: Mine, type: number, value: Uint8Array): string => {
      const plan = planWith([spend(mine, 1000n)], [pay(ALICE, 500n)])
      return refusalOf(withMap(encodeV0(plan), 1, set(type, value)), contextFor(plan))
    }
    expect(change(NESTED, 0x04, NOBODY)).toBe("E-INT-070 input 0")
    expect(change(P2WPKH, 0x04, scriptOf(P2WPKH))).toBe("E-INT-070 input 0")
    expect(change(P2TR, 0x17, keyAt([1]).subarray(1))).toBe("E-INT-070 input 0")
    expect(change(P2WPKH, 0x17, keyAt(P2WPKH.path).subarray(1))).toBe("E-INT-070 input 0")
  })
  test("signatures that do not cover everything", () => {
    for (const type of [2, 3, 0x80, 0x81, 0x82, 0x83, 0x101, 0xffff_ffff]) {
      for (const mine of [P2WPKH, P2PKH, NESTED, P2TR, TREE]) {
        const plan = planWith([spend(mine, 1000n)], [pay(ALICE, 500n)])
        const psbt = withMap(encodeV0(plan), 1, set(0x03, bigToLe(BigInt(type), 4)))
        expect(refusalOf(psbt, contextFor(plan))).toBe("E-INT-069 input 0")
      }
    }
    expect(refused(planWith([spend(P2WPKH, 1000n, { sighashType: 0 })], [pay(ALICE, 500n)]))).toBe("E-INT-069 input 0")
  })
})

describe("change", () => {
  const effectsTo = (mine: Mine, hint = true): Reading["effects"] => {
    const output = back(mine, 900n)
    const plan = planWith([spend(P2WPKH, 1000n)], [output])
    const psbt = hint ? encodeV0(plan) : withMap(encodeV0(plan), 2, () => [])
    return read(plan, psbt).effects
  }
  const transfer = (mine: Mine, toPath?: string) => ({
    kind: "transfer" as const,
    from: addressOf(scriptOf(P2WPKH), "mainnet"),
    to: addressOf(scriptOf(mine), "mainnet"),
    asset: BTC,
    amount: 900n,
    ...(toPath === undefined ? {} : { toPath }),
  })

  test("is on branch 1 beside an input, of its kind, up to the limit", () => {
    expect(effectsTo(CHANGE)[0]?.kind).toBe("self")
    expect(effectsTo({ kind: "p2wpkh", path: [84, 0, 0, 1, 100_000] })[0]?.kind).toBe("self")
    const others: readonly Mine[] = [
      { kind: "p2wpkh", path: [84, 0, 0, 1, 100_001] },
      { kind: "p2wpkh", path: [84, 0, 0, 0, 9] },
      { kind: "p2wpkh", path: [84, 0, 0, 2, 0] },
      { kind: "p2wpkh", path: [84, 0, 1, 1, 0] },
      { kind: "p2wpkh", path: [1, 0] },
      { kind: "p2wpkh", path: [84, 0, 0, 1, 0, 0] },
      { kind: "p2pkh", path: [84, 0, 0, 1, 0] },
      { kind: "p2tr", path: [84, 0, 0, 1, 0] },
    ]
    for (const mine of others) expect(effectsTo(mine)).toEqual([transfer(mine, `m/${mine.path.join("/")}`)])
  })
  test("the limit is the configuration's", () => {
    const plan = planWith([spend(P2WPKH, 1000n)], [back({ kind: "p2wpkh", path: [84, 0, 0, 1, 5] }, 900n)])
    expect(read(plan, encode(plan), contextOf([asked(P2WPKH, 0)], "mainnet", 5)).effects[0]?.kind).toBe("self")
    expect(read(plan, encode(plan), contextOf([asked(P2WPKH, 0)], "mainnet", 4)).effects[0]?.kind).toBe("transfer")
  })
  test("without a hint it is a stranger's address, and to an input's own address it is ours without one", () => {
    expect(effectsTo(CHANGE, false)).toEqual([transfer(CHANGE)])
    expect(effectsTo(P2WPKH, false)).toEqual([transfer(P2WPKH, "m/84/0/0/0/0")])
  })
  /** A stranger's script with a hint that names our change path, with our key and with the stranger's. */
  test("a stranger's script with our change path is a stranger's", () => {
    const plan = planWith([spend(P2WPKH, 1000n)], [pay(NOBODY, 900n)])
    const path = concat(new Uint8Array(4), ...[84, 0, 0, 1, 0].map((index) => bigToLe(BigInt(index), 4)))
    const strangersKey = keyAt([7, 7])
    const strangers = planWith([spend(P2WPKH, 1000n)], [pay(scriptOf({ kind: "p2wpkh", path: [7, 7] }), 900n)])
    for (const [victim, key] of [
      [plan, keyAt(CHANGE.path)],
      [plan, strangersKey],
      [strangers, strangersKey],
      [strangers, keyAt(CHANGE.path)],
    ] as const) {
      const psbt = withMap(encodeV0(victim), 2, (map) => [...map, pair(0x02, path, key)])
      expect(read(victim, psbt).effects).toMatchObject([{ kind: "transfer", amount: 900n }])
      expect(read(victim, psbt).effects[0]).not.toHaveProperty("toPath")
    }
  })
  /** The output key of our key and a tree with the attacker's script: we hold the key path, the attacker the script path. */
  test("our Taproot key with a stranger's scripts behind it is a stranger's", () => {
    const trap: Mine = { kind: "p2tr-tree", path: [86, 0, 0, 1, 0] }
    const plan = planWith([spend(P2TR, 1000n)], [back(trap, 900n)])
    const hints = withMap(encodeV2({ ...plan, version: 2 }), 2, (map) => map)
    const reading = read(plan, hints)
    expect(reading.effects).toEqual([
      {
        kind: "transfer",
        from: addressOf(scriptOf(P2TR), "mainnet"),
        to: addressOf(scriptOf(trap), "mainnet"),
        asset: BTC,
        amount: 900n,
      },
    ])
  })
  test("hints with hardened levels, of too many levels, with an x that is no point, by the dozen", () => {
    const plan = planWith([spend(P2TR, 1000n)], [pay(scriptOf({ kind: "p2tr", path: [86, 0, 0, 1, 0] }), 900n)])
    const levels = (...path: readonly number[]) =>
      concat(new Uint8Array(4), ...path.map((index) => bigToLe(BigInt(index), 4)))
    const noPoint = new Uint8Array(32).fill(0xff)
    const hints = [
      pair(0x07, concat(u8(0), levels(86, 0, 0, 1, 0x8000_0000)), keyAt([86, 0, 0, 1, 0]).subarray(1)),
      pair(0x07, concat(u8(0), levels(...Array<number>(33).fill(0))), keyAt([2]).subarray(1)),
      pair(0x07, concat(u8(0), levels(86, 0, 0, 1, 0)), noPoint),
      pair(0x02, levels(86, 0, 0, 1, 0), concat(u8(2), noPoint)),
      pair(0x02, levels(86, 0, 0, 1, 0), concat(u8(4), new Uint8Array(64))),
    ]
    const psbt = withMap(encodeV0(plan), 2, () => hints)
    expect(read(plan, psbt).effects[0]).not.toHaveProperty("toPath")
    const right = pair(0x07, concat(u8(0), levels(86, 0, 0, 1, 0)), keyAt([86, 0, 0, 1, 0]).subarray(1))
    expect(
      read(
        plan,
        withMap(encodeV0(plan), 2, () => [...hints.slice(1), right]),
      ).effects[0]?.kind,
    ).toBe("self")
    const dozen = Array.from({ length: 12 }, (_, i) => pair(0x07, concat(u8(0), levels(i)), keyAt([i]).subarray(1)))
    expect(
      read(
        plan,
        withMap(encodeV0(plan), 2, () => [...dozen, right]),
      ).effects[0]?.kind,
    ).toBe("transfer")
  })
})

describe("outputs", () => {
  test("OP_RETURN is a memo, and what it burns is a transfer to its script", () => {
    const script = Uint8Array.of(0x6a, 0x02, 0x68, 0x69)
    const memo = { kind: "memo", data: Uint8Array.of(0x68, 0x69) } as const
    expect(outputWith(pay(script, 0n)).effects).toEqual([memo])
    expect(outputWith(pay(script, 5n)).effects).toMatchObject([
      memo,
      { kind: "transfer", to: "script:6a026869", amount: 5n },
    ])
  })
  test("a script without an address, a zero amount, the same address twice: each an effect", () => {
    expect(outputWith(pay(Uint8Array.of(0x51), 7n)).effects).toMatchObject([{ to: "script:51", amount: 7n }])
    expect(outputWith(pay(ALICE, 0n)).effects).toMatchObject([{ to: ALICE_ADDRESS, amount: 0n }])
    const twice = read(planWith([spend(P2WPKH, 1000n)], [pay(ALICE, 1n), pay(ALICE, 2n)]))
    expect(twice.effects).toMatchObject([{ amount: 1n }, { amount: 2n }])
  })
  test("4096 outputs read, 4097 do not", () => {
    const many = (count: number): Bytes => {
      const plan = planWith([spend(P2WPKH, 100_000_000n)], [pay(ALICE, 1n)])
      const tx = unsignedWith(plan, count)
      const [global = [], input = []] = split(encodeV0(plan))
      return concat(join([set(0x00, tx)(global), input]), new Uint8Array(count))
    }
    const context = contextFor(PAYMENT)
    expect(refusalOf(many(4096), context)).toBe("read")
    expect(refusalOf(many(4097), context)).toBe("E-INT-003 global")
  })
})

describe("chains", () => {
  test("are the path's: the same payload reads as another network's, with other addresses and another asset", () => {
    for (const [name, chain] of Object.entries(CHAINS)) {
      const reading = read(PAYMENT, encode(PAYMENT), { ...contextFor(PAYMENT), chains: [chain] })
      expect(reading.chain).toBe(chain)
      expect(reading.fee.asset).toBe(`${chain}/slip44:${name === "mainnet" ? 0 : 1}`)
      expect(reading.from[0]).toStartWith(name === "mainnet" ? "bc1" : name === "regtest" ? "bcrt1" : "tb1")
    }
  })
  test("none, another kind, two at once, one that is not known", () => {
    const on = (...chains: readonly string[]) => refusalOf(encode(PAYMENT), { ...contextFor(PAYMENT), chains })
    expect(on()).toBe("E-INT-004 chain")
    expect(on("eip155:1")).toBe("E-INT-004 chain")
    expect(on(CHAINS.mainnet, CHAINS.testnet3)).toBe("E-INT-004 chain")
    expect(on("bip122:12a765e31ffd4059bada1e25190f6e98")).toBe("E-INT-074 chain")
    expect(on(CHAINS.mainnet, "eip155:1")).toBe("read")
  })
})

describe("the reading", () => {
  test("names its outpoints: a replacement shares one", () => {
    const [first, second] = [spend(P2WPKH, 100_000n), spend(P2WPKH_2, 5n, {}, 2)]
    const idOf = (input: typeof first) => `${input.previous.getId()}:0`
    expect(read(PAYMENT).nonce).toBe(idOf(first))
    const replaced = read(planWith([second, first], [pay(NOBODY, 90_000n)]))
    expect(replaced.nonce).toBe(`${idOf(second)} ${idOf(first)}`)
    expect(spentBy(replaced)).toEqual([second, first].map((input) => `${CHAINS.mainnet} ${idOf(input)}`))
    expect(spentBy(replaced)).toContain(spentBy(read(PAYMENT))[0] ?? "")
  })
  test("in words and as JSON", () => {
    const reading = read(PAYMENT)
    const change = addressOf(scriptOf(CHANGE), "mainnet")
    expect(intentText(reading)).toEqual([
      `transfer 0.0006 BTC to ${ALICE_ADDRESS} on ${CHAINS.mainnet}, fee at most 0.00001 BTC`,
      `note: change 0.00039 BTC to ${change} (m/84/0/0/1/0)`,
    ])
    const json = readingJson(reading, { intentHash: intentHashText(reading, "xpub"), text: [] })
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({
      format: "bitcoin/psbt",
      effects: [{ kind: "transfer", to: ALICE_ADDRESS, amount: "60000" }],
      fee: { max: "1000", asset: BTC, unbounded: false },
      notes: [`change 0.00039 BTC to ${change} (m/84/0/0/1/0)`],
    })
  })
  test("says when the transaction becomes valid, if any input leaves the lock time in force", () => {
    const notes = (lockTime: number, sequence: number) =>
      read(planWith([spend(P2WPKH, 1000n, { sequence })], [pay(ALICE, 1n)], { lockTime })).notes
    expect(notes(800_000, 0xffff_fffe)).toEqual(["not valid before block 800000"])
    expect(notes(1_800_000_000, 0)).toEqual(["not valid before Unix time 1800000000"])
    expect(notes(800_000, 0xffff_ffff)).toEqual([])
    expect(notes(0, 0)).toEqual([])
  })
  test("without a key: every input as if it were ours, nobody's name, no path", () => {
    const inputs = [P2WPKH, P2PKH, NESTED, P2TR].map((mine, i) => spend(mine, 1000n, {}, i + 1))
    const plan = planWith(
      [...inputs, spend(undefined, 5n, { script: Uint8Array.of(0x51) }, 9)],
      [pay(ALICE, 500n), back(CHANGE, 400n)],
    )
    const offline: Context = { ...contextFor(plan), messages: [], chains: [] }
    const reading = read(plan, encode(plan), offline)
    const online = read(plan)
    expect(reading.from).toEqual([])
    expect(reading.chain).toBe(CHAINS.mainnet)
    expect(reading.effects).toMatchObject([
      { kind: "transfer", from: { unresolved: "no key was given" }, to: ALICE_ADDRESS },
      { kind: "transfer", amount: 400n },
    ])
    expect(reading.fee).toEqual(online.fee)
    expect(reading.signs).toEqual(online.signs.map((sign) => ({ ...sign, path: undefined })))
    const nothing = planWith([spend(undefined, 5n, { script: Uint8Array.of(0x51) })], [pay(ALICE, 1n)])
    expect(refused(nothing, offline)).toBe("E-INT-070 inputs")
  })
  test("is of a secp256k1 group", () => {
    expect(refused(PAYMENT, { ...contextFor(PAYMENT), curve: "ed25519" })).toBe("E-INT-008 key")
  })
})

function unsignedWith(plan: Plan, outputs: number): Bytes {
  const tx = plan.inputs[0]!.previous.clone() as bitcoin.Transaction
  tx.ins = []
  tx.outs = []
  tx.addInput(plan.inputs[0]!.previous.getHash(), 0)
  for (let i = 0; i < outputs; i++) tx.addOutput(ALICE, 1n)
  return copy(tx.toBuffer())
}
