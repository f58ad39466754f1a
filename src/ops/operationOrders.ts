/**
 * Checks that people have ordered an operation of the host (approvals.md 7): the required number of different members of each group that
 * the configuration in force names, each by an order for this node, this operation and these groups or this backup, used once.
 */
import { problemOfSigned, type SignedStatement } from "../approvals/approver.ts"
import { NAMESPACE_OF, type Order, type OrderKind, readOrder, readSignedOrder } from "../approvals/order.ts"
import { isUnfit, type Unfit } from "../approvals/statement.ts"
import type { Config } from "../config/config.ts"
import { CosignerError } from "../errors.ts"
import type { OperationEntry } from "../policy/operations.ts"
import type { People } from "../policy/people.ts"
import type { SpentOrder } from "../store/spentOrders.ts"
import type { Store } from "../store/store.ts"

const MAX_AHEAD_MS = 31 * 86_400_000

interface OrderMoment {
  readonly nodeId: string
  readonly nowMs: number
}

/** The order in a text, if it is for this node and in time. Does not verify its signature. */
export function orderIn({ statement }: SignedStatement, { nodeId, nowMs }: OrderMoment): Order | Unfit {
  const order = readOrder(statement)
  if (isUnfit(order)) return order
  const notAfterMs = order.notAfter * 1000
  if (order.node !== nodeId) return { problem: "it is for another node" }
  if (nowMs >= notAfterMs) return { problem: "its time is over" }
  if (notAfterMs > nowMs + MAX_AHEAD_MS) return { problem: "its time ends more than 31 days from now" }
  return order
}

/** Undefined if the person that the order names signed it, with the key that `people` have for them. */
export function problemOfSigner(signed: SignedStatement, order: Order, people: People): string | undefined {
  const approver = people.approvers.get(order.approver)
  if (approver === undefined) return `this node knows no approver ${order.approver}`
  return problemOfSigned(signed.statement, signed.signature, approver, NAMESPACE_OF[order.kind])
}

// ---- operations of the host --------------------------------------------------------------------------------------------

/** The demands of one configuration. */
export interface Demands {
  readonly entries: readonly OperationEntry[]
  readonly people: People
}

type DemandingConfig = Pick<Config, "operation_approvals" | "embedded_risk_control_rules">

export const demandsOf = (config: DemandingConfig): Demands => ({
  entries: config.operation_approvals,
  people: config.embedded_risk_control_rules.names.people,
})

/** The operation to be carried out. */
export interface Operation extends OrderMoment {
  readonly kind: OperationKind
  readonly about: string
}

type OperationKind = Extract<OrderKind, "export-share" | "restore">

const WORD_OF = { "export-share": "export_share", restore: "restore" } as const

export const isDemanded = (kind: OperationKind, demands: readonly Demands[]): boolean =>
  demands.some(({ entries }) => entries.some((one) => one.for.includes(WORD_OF[kind])))

/**
 * The orders that fulfil the demands of every configuration; none if there are no demands. Throws E-APR-006 for an order that does
 * not count, E-APR-005 if people are missing. `demands`: first those in force, then those of a version that waits.
 */
export function demandedOrders(
  operation: Operation,
  demands: readonly Demands[],
  texts: readonly string[],
): readonly Order[] {
  const { kind } = operation
  if (!isDemanded(kind, demands)) return []
  const given = texts.map((text) => givenIn(text, operation))
  for (const [i, { entries, people }] of demands.entries()) {
    const by = new Set<string>()
    for (const { signed, order } of given) {
      const problem = problemOfSigner(signed, order, people)
      if (problem === undefined) by.add(order.approver)
      else if (i === 0) throw no(`${order.approver}: ${problem}`)
    }
    for (const { for: operations, group, min } of entries) {
      if (!operations.includes(WORD_OF[kind])) continue
      const members = (people.groups.get(group) ?? []).filter((name) => by.has(name))
      // A member that a list names twice is one person.
      const agreed = [...new Set(members)].sort()
      if (agreed.length < min) throw new CosignerError("E-APR-005", { operation: kind, group, min, agreed })
    }
  }
  return given.map(({ order }) => order)
}

const no = (problem: string): CosignerError => new CosignerError("E-APR-006", { problem })

interface Given {
  readonly signed: SignedStatement
  readonly order: Order
}

function givenIn(text: string, operation: Operation): Given {
  const signed = readSignedOrder(text)
  if (isUnfit(signed)) throw no(signed.problem)
  const order = orderIn(signed, operation)
  if (isUnfit(order)) throw no(order.problem)
  const { kind, about } = operation
  if (order.kind !== kind || order.about !== about) {
    throw no(`${order.approver}: it is to ${order.kind}, ${order.about}, and not to ${kind}, ${about}`)
  }
  return { signed, order }
}

export const spentOf = ({ nonce, approver, notAfter }: Order): SpentOrder => ({
  nonce,
  approver,
  notAfterMs: notAfter * 1000,
})

/** Spends the orders: durable when this returns, with a leaf that names who ordered. Throws E-APR-006 for an order that was used before. */
export function spendOrders(
  { spentOrders, audit }: Pick<Store, "spentOrders" | "audit">,
  { kind, about, nowMs }: Operation,
  orders: readonly Order[],
): void {
  if (orders.length === 0) return
  const approvers = [...new Set(orders.map(({ approver }) => approver))].sort()
  const facts = { command: kind, about, approvers, by: "orders" }
  const unspent = spentOrders.spend(orders.map(spentOf), nowMs, (tx) =>
    audit.append(tx, nowMs, { kind: "command", facts }),
  )
  if (unspent !== undefined) throw no(`${unspent.approver}: ${unspent.why}`)
}
