/**
 * The effects of a call: the native asset that goes with it, the call itself if it has data, and everything that is known of its
 * method, including calls inside calls. Unwrapping adds effects and never removes the outer one.
 */
import { refuse } from "../problem.ts"
import { type Effect, MAX_EFFECTS } from "../reading.ts"
import { decodeArguments } from "./abi.ts"
import { BATCH_METHODS } from "./batches.ts"
import type { AbiMethod, Effects, Site } from "./method.ts"
import { SAFE_METHODS, selectorOf } from "./safe.ts"
import { TOKEN_METHODS } from "./tokens.ts"

const METHODS: ReadonlyMap<string, AbiMethod> = new Map(
  [...TOKEN_METHODS, ...BATCH_METHODS, ...SAFE_METHODS].map((known) => [known.signature.selector, known]),
)

export class EffectList implements Effects {
  readonly list: Effect[] = []

  constructor(
    readonly chain: string,
    readonly native: string,
  ) {}

  push(effect: Effect): void {
    if (this.list.length === MAX_EFFECTS) refuse("E-INT-003", "effects", `more than ${MAX_EFFECTS} effects`)
    this.list.push(effect)
  }

  call(site: Site): void {
    const { from, to, value, data } = site
    if (data.length === 0) return this.push(this.#payment(site))
    if (value > 0n) this.push({ kind: "transfer", from, to, asset: this.native, amount: value })
    const selector = selectorOf(data)
    this.push({ kind: "call", from, to, selector, data, value })
    const known = METHODS.get(selector)
    known?.read(decodeArguments(known.signature.parameters, data.subarray(4), site.at), site, this)
  }

  /** Sending nothing to oneself is a cancel. Sending nothing to others is still a transfer, which names them. */
  #payment({ from, to, value }: Site): Effect {
    if (value === 0n && from === to) return { kind: "self", from }
    return { kind: "transfer", from, to, asset: this.native, amount: value }
  }
}
