/**
 * Orders that a person signs. An order tells a node to freeze, to unfreeze or to veto a policy that waits (bundle.md 3), or
 * tells its host to export shares or restore a backup (approvals.md 7). An order is a text in one form, like the statements about
 * tasks: bytes that the writer would not write exactly so are not an order.
 */
import { type Bytes, equal, utf8 } from "../bytes.ts"
import { decodeUtf8, Malformed } from "../codec.ts"
import type { SignatureNamespace, SignedStatement } from "./approver.ts"
import { MAX_SIGNED_ORDER } from "./orderLimits.ts"
import { dearmorSshsig } from "./sshsig.ts"
import { APPROVER_NAME, isUnfit, secondsOf, secondsText, type Unfit } from "./statement.ts"

const ORDERS = ["freeze", "unfreeze", "veto", "export-share", "restore"] as const
export type OrderKind = (typeof ORDERS)[number]

export interface Order {
  readonly kind: OrderKind
  /** The id of the one node that it is for. */
  readonly node: string
  /** `node`, `everything` (unfreeze), `group ID`, `policy VERSION DIGEST` (veto); for export and restore see aboutShares and aboutBackup. */
  readonly about: string
  /** For a freeze: unix seconds at which it ends by itself. Undefined: it ends when it is lifted. */
  readonly until: number | undefined
  readonly approver: string
  /** Unix seconds; from then on the order counts no more. */
  readonly notAfter: number
  /** 32 hex digits that were drawn for this order alone. */
  readonly nonce: string
}

export const NAMESPACE_OF: Readonly<Record<OrderKind, SignatureNamespace>> = {
  freeze: "cosigner-freeze",
  unfreeze: "cosigner-freeze",
  veto: "cosigner-policy",
  "export-share": "cosigner-operation",
  restore: "cosigner-operation",
}

const ABOUT: Readonly<Record<OrderKind, RegExp>> = {
  freeze: /^(?:node|group [\x21-\x7e]{1,128})$/,
  unfreeze: /^(?:node|everything|group [\x21-\x7e]{1,128})$/,
  veto: /^policy [1-9]\d{0,9} [0-9a-f]{64}$/,
  "export-share": /^(?:all active groups|groups(?: [\x21-\x7e]{1,128}){1,64})$/,
  restore: /^backup [0-9a-f]{64}$/,
}
const NODE = /^[A-Za-z0-9]{16,96}$/
const NONCE = /^[0-9a-f]{32}$/
const NEVER = "lifted"
const MAX_ORDER_BYTES = 2048

/** `about` of an order to export the shares of these groups; without groups: of every group that is active at that time. */
export const aboutShares = (groupIds: readonly string[]): string =>
  groupIds.length === 0 ? "all active groups" : ["groups", ...[...new Set(groupIds)].sort()].join(" ")

/** `about` of an order to restore the backup whose file has this SHA-256, in hex. */
export const aboutBackup = (sha256: string): string => `backup ${sha256}`

export function writeOrder({ kind, node, about, until, approver, notAfter, nonce }: Order): Bytes {
  const fit = NODE.test(node) && ABOUT[kind].test(about) && APPROVER_NAME.test(approver) && NONCE.test(nonce)
  if (!fit || (until !== undefined && kind !== "freeze")) throw new RangeError("there is no such order")
  const end = kind === "freeze" ? [`until: ${until === undefined ? NEVER : secondsText(until)}`] : []
  const fields = [`node: ${node}`, `about: ${about}`, ...end, `approver: ${approver}`]
  const last = [`not-after: ${secondsText(notAfter)}`, `nonce: ${nonce}`, ""]
  const order = utf8([`cosigner ${kind} v1`, ...fields, ...last].join("\n"))
  if (order.length > MAX_ORDER_BYTES) throw new RangeError("no order is that long")
  return order
}

export function readOrder(bytes: Uint8Array): Order | Unfit {
  const text = bytes.length > MAX_ORDER_BYTES ? undefined : textOf(bytes)
  if (text === undefined) return { problem: "it is too long, or no UTF-8" }
  const [, word] = /^cosigner ([\w-]+) v1\n/.exec(text) ?? []
  const kind = ORDERS.find((known) => known === word)
  if (kind === undefined) return { problem: `its first line is not \`cosigner ${ORDERS.join("|")} v1\`` }
  const field = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? ""
  const [end, notAfter] = [field("until"), secondsOf(field("not-after"))]
  const until = kind === "freeze" && end !== NEVER ? secondsOf(end) : undefined
  if (notAfter === undefined || (kind === "freeze" && end !== NEVER && until === undefined)) {
    return { problem: "a moment in it is none" }
  }
  const order: Order = {
    ...{ kind, until, notAfter },
    node: field("node"),
    about: field("about"),
    approver: field("approver"),
    nonce: field("nonce"),
  }
  return isWritten(order, bytes) ? order : { problem: "not in the one form of an order" }
}

function isWritten(order: Order, bytes: Uint8Array): boolean {
  try {
    return equal(writeOrder(order), bytes)
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decodeUtf8(bytes, "order")
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

// ---- signed ------------------------------------------------------------------------------------------------------------

const BEGIN = "-----BEGIN SSH SIGNATURE-----"

/** An order and its signature in one text: `cat order order.sig`. */
export function readSignedOrder(text: string): SignedStatement | Unfit {
  const at = text.indexOf(BEGIN)
  if (text.length > MAX_SIGNED_ORDER || at < 0) return { problem: "it has no signature of ssh-keygen behind it" }
  const blob = dearmorSshsig(text.slice(at))
  return isUnfit(blob) ? blob : { statement: utf8(text.slice(0, at)), signature: { kind: "ssh", blob } }
}
