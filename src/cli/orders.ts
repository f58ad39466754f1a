/** Orders of people to a node (approvals/order.ts): prints them to be signed, and gives the signed ones to the node. */
import { randomBytes } from "node:crypto"
import { NAMESPACE_OF, type Order, writeOrder } from "../approvals/order.ts"
import { MAX_OPERATION_ORDER, MAX_OPERATION_ORDERS, MAX_SIGNED_ORDER } from "../approvals/orderLimits.ts"
import { armorSshsig } from "../approvals/sshsig.ts"
import { toHex } from "../bytes.ts"
import { EXIT, type ExitCode } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { askNode } from "../ops/admin/client.ts"
import { durationMs } from "../settings/schema.ts"
import { openSigner, SIGNING_WAYS, type SigningWay } from "../signers/open.ts"
import { showShown } from "./besideNode.ts"
import { type CommandBase, choice, list, refuse, value } from "./command.ts"
import { textOfFile } from "./payloads.ts"

export const orderOptions = {
  as: value("--as <name>", "who orders it, by the name in [[approvers]]: prints the order to sign"),
  key: value("--key <file>", "with --as: your OpenSSH key; prints the order with its signature behind it"),
  with: choice("--with <way>", "who opens the key (default: file, of a .pub file agent)", SIGNING_WAYS),
  signed: value("--signed <file>", "the order with its signature behind it: gives it to the node"),
  node: value("--node <id>", "the node that it is for (default: the one that runs here)"),
  validFor: value("--valid-for <duration>", "how long the order may travel (default 1h)", lasting),
}

/** Options for operations that the host carries out itself after people ordered them (approvals.md 7). */
export const operationOptions = {
  ...orderOptions,
  signed: list("--signed <files>", "what people ordered, each order with its signature in a file, between commas"),
}

interface OrderGiven {
  readonly as?: string | undefined
  readonly key?: string | undefined
  readonly with?: SigningWay | undefined
  readonly node?: string | undefined
  readonly validFor?: number | undefined
}

function lasting(text: string): number {
  return durationMs(text) ?? refuse("--valid-for", "a duration such as 30m or 24h", text)
}

const HOUR_MS = 3_600_000
export const lastingFor = ({ validFor = HOUR_MS }: OrderGiven): number => Math.ceil((Date.now() + validFor) / 1000)

/** Prints only the order's bytes and, with a key, the signature after them. */
export async function writeOut(
  base: CommandBase,
  given: OrderGiven,
  order: Pick<Order, "kind" | "about" | "until" | "notAfter">,
): Promise<ExitCode> {
  const approver = given.as ?? refuse("--as", "your name in [[approvers]]", "nothing")
  const node = given.node ?? (await nodeHere(base))
  try {
    const bytes = writeOrder({ ...order, node, approver, nonce: toHex(new Uint8Array(randomBytes(16))) })
    const text = Buffer.from(bytes).toString("utf8") + (await signatureOf(base, given, order.kind, bytes))
    base.out.result({ order: text }, [text.slice(0, -1)])
    return EXIT.ok
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return refuse("the order", "a name of [[approvers]], a node id and a group id", `${approver}, ${node}`)
  }
}

/** Armored; empty if it will be signed elsewhere. */
async function signatureOf(
  { env }: CommandBase,
  { key: file, with: way }: OrderGiven,
  kind: Order["kind"],
  order: Uint8Array,
): Promise<string> {
  if (file === undefined) return ""
  using signer = await openSigner({ file, way, agent: env["SSH_AUTH_SOCK"] })
  return armorSshsig(await signer.sign(NAMESPACE_OF[kind], order))
}

async function nodeHere({ config }: CommandBase): Promise<string> {
  const { db } = await config()
  const answer = await askNode(db.path, { command: "info" })
  const { node_id: nodeId }: { node_id?: unknown } = Object(answer?.shown.value)
  return typeof nodeId === "string" ? nodeId : refuse("--node", "a node id, where no node runs", "nothing")
}

/** The texts of signed orders. */
export function readOrders(files: readonly string[]): readonly string[] {
  if (files.length > MAX_OPERATION_ORDERS)
    refuse("--signed", `at most ${MAX_OPERATION_ORDERS} files`, `${files.length}`)
  return files.map((file) => {
    const order = textOfFile("--signed", file)
    return order.length > MAX_OPERATION_ORDER
      ? refuse("--signed", "orders with their signatures behind them", file)
      : order
  })
}

/** Gives a signed order to the node that runs on this host. */
export async function sendOrder(base: CommandBase, file: string): Promise<ExitCode> {
  const order = textOfFile("--signed", file)
  if (order.length > MAX_SIGNED_ORDER)
    return refuse("--signed", "an order with its signature behind it", "a longer file")
  const { db } = await base.config()
  const answer = await askNode(db.path, { command: "order", order })
  if (answer === undefined)
    throw new CosignerError("E-CLI-002", { what: "--signed", expected: "a running node", got: "none" })
  showShown(base, answer.shown)
  return EXIT.ok
}
