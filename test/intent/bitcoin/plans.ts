/** Random plans of transactions from a number: every kind of script, inputs of others, change and what only looks like it. */
import * as bitcoin from "bitcoinjs-lib"
import { type Bytes, concat } from "../../../src/bytes.ts"
import { formatPath } from "../../../src/keys/path.ts"
import {
  CHAINS,
  type ChainName,
  isTaproot,
  KINDS,
  type Kind,
  type Mine,
  type Plan,
  type PlannedInput,
  type PlannedOutput,
  scriptOf,
} from "./wallet.ts"

/** mulberry32: small, seeded, good enough to vary tests. */
export class Dice {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0
  }
  /** In [0, below). */
  roll(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000) * below)
  }
  chance(oneIn: number): boolean {
    return this.roll(oneIn) === 0
  }
  pick<T>(items: readonly T[]): T {
    return items[this.roll(items.length)]!
  }
  bytes(length: number): Bytes {
    return Uint8Array.from({ length }, () => this.roll(256))
  }
  shuffled<T>(items: readonly T[]): readonly T[] {
    const out = [...items]
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.roll(i + 1)
      const kept = out[i]!
      out[i] = out[j]!
      out[j] = kept
    }
    return out
  }
}

const PURPOSE: Readonly<Record<Kind, number>> = {
  p2pkh: 44,
  "p2sh-p2wpkh": 49,
  p2wpkh: 84,
  p2tr: 86,
  rawtr: 86,
  "p2tr-tree": 86,
}

/** Few keys, so that runs spend their time on reading. */
const pathOf = (kind: Kind, account: number, branch: number, index: number): readonly number[] => [
  PURPOSE[kind],
  0,
  account,
  branch,
  index,
]

const FOREIGN: readonly ((dice: Dice) => Bytes)[] = [
  (dice) => concat(Uint8Array.of(0x76, 0xa9, 0x14), dice.bytes(20), Uint8Array.of(0x88, 0xac)),
  (dice) => concat(Uint8Array.of(0xa9, 0x14), dice.bytes(20), Uint8Array.of(0x87)),
  (dice) => concat(Uint8Array.of(0x00, 0x14), dice.bytes(20)),
  (dice) => concat(Uint8Array.of(0x00, 0x20), dice.bytes(32)),
  (dice) => concat(Uint8Array.of(0x51, 0x20), scriptOf({ kind: "p2tr", path: [9, dice.roll(20)] }).subarray(2)),
]
/** P2PK, bare 1-of-1, an empty script. */
const UNNAMED: readonly ((dice: Dice) => Bytes)[] = [
  (dice) => concat(Uint8Array.of(0x21, 0x02), dice.bytes(32), Uint8Array.of(0xac)),
  (dice) => concat(Uint8Array.of(0x51, 0x21, 0x03), dice.bytes(32), Uint8Array.of(0x51, 0xae)),
  () => new Uint8Array(0),
]

export function planOf(seed: number, only: { readonly version?: 0 | 2; readonly kind?: Kind } = {}): Plan {
  const dice = new Dice(seed)
  const chain = dice.pick(Object.keys(CHAINS) as ChainName[])
  const mines = Array.from({ length: 1 + dice.roll(3) }, (): Mine => {
    const kind = only.kind ?? dice.pick(KINDS)
    return { kind, path: pathOf(kind, dice.roll(2), dice.roll(2), dice.roll(6)) }
  })
  const allTaproot = mines.every(({ kind }) => isTaproot(kind))
  const owners = dice.shuffled([...mines, ...Array<undefined>(dice.roll(3)).fill(undefined)])
  const inputs = owners.map((mine) => inputOf(dice, mine, allTaproot))
  const order = dice.shuffled(owners.flatMap((mine, index) => (mine === undefined ? [] : [index])))
  return {
    version: only.version ?? dice.pick([0, 2]),
    chain,
    txVersion: dice.pick([1, 2, 2, 2, 3]),
    lockTime: dice.pick([0, 0, 800_000, 1_700_000_000]),
    inputs,
    outputs: outputsOf(dice, mines, inputs),
    order,
  }
}

function inputOf(dice: Dice, mine: Mine | undefined, allTaproot: boolean): PlannedInput {
  const script = mine === undefined ? dice.pick(FOREIGN)(dice) : scriptOf(mine)
  const amount = BigInt(1000 + dice.roll(2 ** 31)) * BigInt(1 + dice.roll(50))
  const { previous, index } = previousOf(dice, script, amount)
  const bare = allTaproot && dice.chance(2)
  // bitcoinjs-lib wants both scripts and amounts of P2PKH from the previous transaction.
  const witness = mine?.kind !== "p2pkh" && (bare || dice.chance(2))
  return {
    mine,
    script,
    amount,
    previous,
    index,
    sequence: dice.pick([0xffff_ffff, 0xffff_fffe, 0xffff_fffd, 5]),
    sighashType: mine === undefined ? undefined : dice.pick([undefined, 1, ...(isTaproot(mine.kind) ? [0] : [])]),
    gives: { previous: !(bare && witness), witness, hint: dice.chance(2) },
  }
}

/** A signed transaction of somebody that has the output at one of its indices; with and without witnesses. */
function previousOf(dice: Dice, script: Bytes, amount: bigint): { previous: bitcoin.Transaction; index: number } {
  const previous = new bitcoin.Transaction()
  previous.version = dice.pick([1, 2])
  previous.locktime = dice.chance(2) ? 0 : dice.roll(800_000)
  const spends = 1 + dice.roll(2)
  const witnesses = dice.chance(2)
  for (let i = 0; i < spends; i++) {
    previous.addInput(dice.bytes(32), dice.roll(4), 0xffff_fffe, witnesses ? undefined : dice.bytes(107))
    if (witnesses) previous.setWitness(i, [dice.bytes(71), dice.bytes(33)])
  }
  const index = dice.roll(3)
  for (let i = 0; i < index; i++) previous.addOutput(dice.pick(FOREIGN)(dice), BigInt(dice.roll(1e9)))
  previous.addOutput(script, amount)
  if (dice.chance(3)) previous.addOutput(dice.pick(FOREIGN)(dice), BigInt(dice.roll(1e9)))
  return { previous, index }
}

function outputsOf(dice: Dice, mines: readonly Mine[], inputs: readonly PlannedInput[]): readonly PlannedOutput[] {
  let left = inputs.reduce((sum, { amount }) => sum + amount, 0n)
  const take = (): bigint => {
    const amount = (left * BigInt(dice.roll(60))) / 100n
    left -= amount
    return amount
  }
  return Array.from({ length: 1 + dice.roll(4) }, (): PlannedOutput => {
    const mine = dice.pick(mines)
    switch (dice.roll(6)) {
      case 0:
      case 1: {
        const index = dice.pick([0, 1, 2, 100_000])
        return branchOne(mines, provable({ kind: mine.kind, path: [...mine.path.slice(0, -2), 1, index] }), take())
      }
      case 2: {
        const other = provable(notChange(dice, mine))
        return { role: "own", mine: other, script: scriptOf(other), amount: take() }
      }
      case 3: {
        const data = dice.bytes(dice.pick([1, 20, 40, 76, 80]))
        const push = data.length < 0x4c ? Uint8Array.of(data.length) : Uint8Array.of(0x4c, data.length)
        const script = concat(Uint8Array.of(0x6a), push, data)
        return { role: "data", mine: undefined, script, amount: dice.chance(3) ? take() : 0n, data }
      }
      case 4:
        return { role: "foreign", mine: undefined, script: dice.pick(UNNAMED)(dice), amount: take() }
      default:
        return { role: "foreign", mine: undefined, script: dice.pick(FOREIGN)(dice), amount: take() }
    }
  })
}

// The root of a tree is not in an output's map, so such an output cannot be told from a stranger's.
const provable = ({ kind, path }: Mine): Mine => ({ kind: kind === "p2tr-tree" ? "p2tr" : kind, path })

/** `mine` is at a path where change may be; whether it is change depends on there being an input like it. */
function branchOne(mines: readonly Mine[], mine: Mine, amount: bigint): PlannedOutput {
  const like = (other: Mine) =>
    other.kind === mine.kind && formatPath(other.path.slice(0, -2)) === formatPath(mine.path.slice(0, -2))
  return { role: mines.some(like) ? "change" : "own", mine, script: scriptOf(mine), amount }
}

/** Ours, and no change: a receiving path, beyond the limit, deeper, another account, another kind. */
function notChange(dice: Dice, { kind, path }: Mine): Mine {
  const account = path.slice(0, -2)
  const branches: readonly Mine[] = [
    { kind, path: [...account, 0, 7] },
    { kind, path: [...account, 1, 100_001] },
    { kind, path: [...account, 1, 3, 1] },
    { kind, path: [...account.slice(0, -1), 5, 1, 0] },
    { kind, path: [...account, 2, 1] },
    { kind: kind === "p2wpkh" ? "p2pkh" : "p2wpkh", path: [...account, 1, 50] },
  ]
  return dice.pick(branches)
}
