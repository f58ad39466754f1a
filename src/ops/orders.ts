/**
 * Orders that people sign for a node (approvals/order.ts), whoever carries them: an approver freezes, owners of the
 * policy unfreeze and veto. The node relies only on its own file, and each order counts once.
 */
import type { SignedStatement } from "../approvals/approver.ts"
import { type Order, type OrderKind, readSignedOrder } from "../approvals/order.ts"
import { isUnfit } from "../approvals/statement.ts"
import { documentOf } from "../config/policyInForce.ts"
import { CosignerError, codeField, errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import type { BundleTerms } from "../policy/bundle.ts"
import type { People } from "../policy/people.ts"
import type { Store } from "../store/store.ts"
import { isStoreFault } from "../tasks/endings.ts"
import { TokenBucket } from "../tokenBucket.ts"
import type { Freezing } from "./freezing.ts"
import type { Shown } from "./inventory/shown.ts"
import { orderIn, problemOfSigner, spentOf } from "./operationOrders.ts"

interface OrderParts {
  readonly nodeId: string
  readonly store: Pick<Store, "policies" | "spentOrders">
  readonly freezing: Freezing
  /** The people of the policy in force. */
  readonly people: () => People
  readonly log: Log
  readonly now: () => number
  /** Monotonic, ms. */
  readonly clock: () => number
}

export interface Orders {
  /** Throws E-POL-007 for an order that does not count, and the error of carrying it out. */
  take(text: string): Shown
  /** Takes an order from WaaS. Never throws: an order that does not count goes to the log. Only a bounded number is examined. */
  onOrder(text: string): void
}

/** Verifying costs time: this bounds a WaaS that floods the node with orders. */
const FROM_AFAR = { burst: 20, perSecond: 0.2 }

/** The kinds of orders that the node carries out itself. */
type NodeOrder = Order & { readonly kind: Exclude<OrderKind, "export-share" | "restore"> }

const isForNode = (order: Order): order is NodeOrder => order.kind !== "export-share" && order.kind !== "restore"

export function ordersOf(parts: OrderParts): Orders {
  /** For each freeze the owners who ordered that it be lifted, until their orders expire. */
  const unfreezing = new Map<string, Map<string, number>>()
  const bucket = new TokenBucket(FROM_AFAR, parts.clock())
  const carriedOut = (text: string): Shown => {
    const order = verified(signedOrder(text), parts)
    parts.log.warn("an order was taken", { order: order.kind, about: order.about, by: order.approver })
    switch (order.kind) {
      case "freeze":
        return freeze(order, parts)
      case "unfreeze":
        return unfreeze(order, unfreezing, parts)
      case "veto":
        return veto(order, parts)
    }
  }
  return {
    take: carriedOut,
    onOrder(text) {
      if (!bucket.take(parts.clock())) return
      try {
        carriedOut(text)
      } catch (error) {
        parts.log.warn("an order by way of WaaS was not carried out", { ...codeField(error), why: errorText(error) })
      }
    },
  }
}

/** Throws E-POL-007. */
function signedOrder(text: string): SignedStatement {
  const signed = readSignedOrder(text)
  if (isUnfit(signed)) throw no(signed.problem)
  return signed
}

const no = (problem: string): CosignerError => new CosignerError("E-POL-007", { problem })

/** Makes the cheap comparisons first. Then it spends the order, so that it counts once whatever follows. */
function verified(signed: SignedStatement, { nodeId, store, people, now }: OrderParts): NodeOrder {
  const order = orderIn(signed, { nodeId, nowMs: now() })
  if (isUnfit(order)) throw no(order.problem)
  // This check comes before spending: a carrier must not be able to use an order up.
  if (!isForNode(order)) throw no(`it is given to cosigner ${order.kind === "restore" ? "backup restore" : order.kind}`)
  const problem = problemOfSigner(signed, order, people())
  if (problem !== undefined) throw no(problem)
  if (order.kind !== "freeze") requireOwner(order, store, people())
  const unspent = spent(order, store, now())
  if (unspent !== undefined) throw no(unspent.why)
  return order
}

/** Spends the order. A freeze does not wait for a store that cannot write: it is in force all the same, and its order is not used up. */
function spent(order: NodeOrder, { spentOrders }: OrderParts["store"], nowMs: number) {
  try {
    return spentOrders.spend([spentOf(order)], nowMs)
  } catch (error) {
    if (order.kind !== "freeze" || !isStoreFault(error)) throw error
    return undefined
  }
}

/** The terms of the policy in force. Throws E-POL-007 if the approver is not one of its owners. */
function requireOwner({ approver }: Order, { policies }: OrderParts["store"], people: People): BundleTerms {
  const { followed } = policies
  if (followed === undefined) throw no("this node follows no policy bundle, so nobody owns its policy")
  const { terms } = documentOf(followed.active)
  if (people.groups.get(terms.owners)?.includes(approver) !== true) throw no(`${approver} is no owner of the policy`)
  return terms
}

const groupOf = (about: string): string => (about.startsWith("group ") ? about.slice(6) : "")

function freeze({ about, until, approver }: Order, { freezing, now }: OrderParts): Shown {
  const forMs = until === undefined ? undefined : Math.max(1, until * 1000 - now())
  return freezing.freeze({ groupId: groupOf(about), forMs, reason: "ordered", by: approver })
}

function unfreeze(
  order: Order,
  words: Map<string, Map<string, number>>,
  { freezing, store, people, now }: OrderParts,
): Shown {
  const { unfreezeMin, owners } = requireOwner(order, store, people())
  const { about } = order
  // The order of a person who is no longer an owner does not count.
  const isOwner = (name: string): boolean => people().groups.get(owners)?.includes(name) === true
  const before = [...(words.get(about) ?? [])].filter(([name, untilMs]) => untilMs > now() && isOwner(name))
  const said = new Map(before)
  said.set(order.approver, order.notAfter * 1000)
  words.set(about, said)
  if (said.size < unfreezeMin) {
    const names = [...said.keys()].sort()
    return {
      value: { owners: names, needed: unfreezeMin },
      lines: [`${said.size} of ${unfreezeMin} owners: ${names.join(", ")}`],
    }
  }
  words.delete(about)
  const groupId = about === "everything" ? undefined : groupOf(about)
  return freezing.unfreeze(groupId, [...said.keys()].sort().join(", "))
}

function veto({ about, approver }: Order, { store, now }: OrderParts): Shown {
  const waiting = store.policies.followed?.waiting
  if (waiting === undefined) throw new CosignerError("E-POL-009", {})
  const { version, digest } = waiting
  if (about !== `policy ${version} ${digest}`) throw no(`version ${version} waits, and it is about another`)
  store.policies.veto(approver, now())
  return { value: { version, vetoed_by: approver }, lines: [`Vetoed: version ${version}, by ${approver}`] }
}
