/**
 * limits: signatures or an amount per rolling window. A debit made exactly one window ago still counts, and so does a debit from a time
 * that is in the future by the clock.
 *
 * Counters are named by what they count, never by the limit: two limits over the same thing share one counter, and a
 * limit that is renamed, widened or narrowed keeps its history. Only what some limit uses is counted, so a new kind of
 * limit starts at zero.
 */
import { Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { itemsOf } from "../../settings/schema.ts"
import { askAmount, resolveAmount } from "../amountLimit.ts"
import { askCount, signaturesOf } from "../countLimit.ts"
import { NO_USAGE } from "../decision.ts"
import { lintLimits } from "../limitLint.ts"
import { type Limit, limitProblems, limitSchema, type WrittenLimit } from "../limitSchema.ts"
import type { Names } from "../names.ts"
import type { KeySignRequest } from "../request.ts"
import { allow, type Draw, defineRule, entry, type Facts, type RefusedSample, type RuleAnswer } from "../rule.ts"
import { payment, readable } from "../ruleCases.ts"
import { allowedPaths } from "./allowedPaths.ts"
import { maxBatch } from "./maxBatch.ts"
import { requiredNodeIds } from "./requiredNodeIds.ts"

const schema = Type.Transform(
  itemsOf(
    limitSchema,
    [
      { name: "hourly", per: "path_prefix", path_prefix: "m/44/60", window: "1h", max: 100 },
      { name: "eth-day", asset: "ETH", per: "all", window: "24h", max_amount: "1 ETH", approvals: true },
    ],
    "Limits.",
  ),
)
  // Sorted, so that the order in the file can never matter.
  .Decode((list) => list.toSorted((a, b) => (a.name < b.name ? -1 : 1)))
  .Encode((list) => list)

export const limits = defineRule({
  key: "limits",
  sections: ["key_sign"],
  code: "E-RSK-011",
  doc: "Signatures, or amounts of an asset, per rolling window. Every limit must hold. A limit counts on this node only. It binds the group if this node is in every signing set (required_node_ids).",
  schema,
  absent: "not asked",
  problems: limitProblems,
  prepare: (list, names) => {
    if (list.length === 0) return () => [allow("no limit is written")]
    const asks = list.map((one) => ({ name: one.name, ask: asking(one, names) }))
    return (request, facts) => asks.map(({ name, ask }) => entry(name, () => ask(request, facts)))
  },
  lint: (list, linting) => {
    const { section } = linting
    const around = {
      allowedPaths: allowedPaths.valueIn(section),
      maxBatch: maxBatch.valueIn(section),
      requiredNodes: requiredNodeIds.valueIn(section),
    }
    lintLimits(list, around, linting)
  },
  allows: ({ messages }, _, draw) => [
    { name: "wide", per: "all" as const, window: "24h", max: messages.length + draw(100) },
  ],
  refuses: (request, _, draw) => (draw(2) === 0 ? manySignatures(request, draw) : largeAmount(readable(request), draw)),
})

/** If a name of a limit cannot be resolved, this is the limit's own error at each request. */
function asking(limit: Limit, names: Names): (request: KeySignRequest, facts: Facts) => RuleAnswer {
  if (limit.asset === undefined) return (request, facts) => askCount(limit, request, facts)
  try {
    const resolved = resolveAmount(limit, names)
    return (request, facts) => askAmount(resolved, request, facts)
  } catch (error) {
    return () => {
      throw error
    }
  }
}

// ---- cases that it refuses ---------------------------------------------------------------------------------------------

type LimitCase = RefusedSample<KeySignRequest, WrittenLimit[]>

function manySignatures(request: KeySignRequest, draw: Draw): LimitCase {
  const scopes = [
    { per: "all" },
    { per: "group" },
    { per: "path_prefix", path_prefix: request.messages[0]?.path ?? [] },
  ] as const
  const scope = scopes[draw(scopes.length)] ?? scopes[0]
  const used = draw(10)
  const narrow: Limit = { name: "narrow", ...scope, window: 3_600_000, max: 0 }
  const max = used + signaturesOf(narrow, request) - 1
  return { setting: Value.Encode(schema, [{ ...narrow, max }]), request, usage: { ...NO_USAGE, count: () => used } }
}

/** Payments whose fee alone is too much for the limit. */
function largeAmount(request: KeySignRequest, draw: Draw): LimitCase {
  const asset = "eip155:1/slip44:60"
  const fee = { max: 1_000_001n, asset, unbounded: false }
  const intents = request.intents.map(({ reading }) => {
    const { accounts, reading: paid } = payment(reading.signs[0]?.path ?? [])
    return { accounts, reading: { ...paid, fee } }
  })
  const per = draw(2) === 0 ? ("all" as const) : ("group" as const)
  const used = BigInt(draw(3)) * 1_000_000n
  return {
    setting: [{ name: "narrow", per, window: "1h", asset, max_amount: `0.000000000001 ${asset}` }],
    request: { ...request, intents },
    usage: { ...NO_USAGE, sum: () => used },
  }
}
