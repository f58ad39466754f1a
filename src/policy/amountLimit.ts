/** Limits of an amount of an asset, whose name may stand for assets on several chains. spending.ts says what counts. */
import { formatDecimal } from "../intent/amount.ts"
import { meaningless } from "./doubt.ts"
import { formatWindow } from "./duration.ts"
import type { Limit } from "./limitSchema.ts"
import { type Names, parseAmount, sameDecimals } from "./names.ts"
import type { RequestOf } from "./request.ts"
import { allow, deny, type Facts, type RuleAnswer, some } from "./rule.ts"
import { type ScopeUse, type Spends, spending } from "./spending.ts"

export interface AmountLimit extends Spends {
  /** Milliseconds. */
  readonly window: number
  /** Base units. */
  readonly max: bigint
  readonly unit: string
  readonly decimals: number
}

/** Throws E-RSK-023 with what is wrong with its names. */
export function resolveAmount(limit: Limit, names: Names): AmountLimit {
  const { asset = "", max_amount = "", per, window, approvals } = limit
  const assets = sameDecimals(asset, names)
  const bound = parseAmount(max_amount, names)
  const ids = new Set(assets.map(({ id }) => id))
  if (bound.max === undefined) throw meaningless(`${max_amount} is no bound`)
  if (bound.assets.length !== ids.size || !bound.assets.every(({ id }) => ids.has(id)))
    throw meaningless(`max_amount = ${max_amount} is not of ${asset}`)
  if (per === "path_prefix") throw meaningless("amounts are not counted per path_prefix")
  const [first] = assets
  return {
    per,
    window,
    assets: ids,
    approvals: approvals ?? true,
    max: bound.max,
    unit: first?.name ?? asset,
    decimals: first?.decimals ?? 0,
  }
}

export function askAmount(limit: AmountLimit, request: RequestOf<"key_sign">, { usage, nowMs }: Facts): RuleAnswer {
  const { scopes, debits } = spending(limit, request.intents, request.rootKey, usage, nowMs - limit.window)
  if (debits.length === 0) return allow("no payload of the task counts here")
  const beyond = scopes.find(({ total }) => total > limit.max)
  if (beyond !== undefined) return deny(sums(limit, beyond))
  return allow(some(scopes.map((scope) => sums(limit, scope))), debits)
}

function sums({ max, unit, decimals, window }: AmountLimit, { scope, used, total }: ScopeUse): string {
  const shown = (amount: bigint): string => formatDecimal(amount, decimals)
  const whose = scope === "" ? "" : ` for ${scope}`
  return `${shown(used)} ${unit} used and ${shown(total)} with the task of ${shown(max)} in ${formatWindow(window)}${whose}`
}
