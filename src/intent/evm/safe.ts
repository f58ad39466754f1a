/**
 * Safe (multi-signature contract accounts): what an owner executes, and what an owner signs. The Safe's own funds move, so
 * effects are from the Safe. A delegatecall lends the Safe to foreign code, which can do anything. So no effect is derived from
 * its data, with one exception: the calls of multiSend are listed beside it.
 */
import { type Bytes, beToBig, toHex } from "../../bytes.ts"
import { Cursor } from "../cursor.ts"
import { deeper } from "../decoder.ts"
import { refuse } from "../problem.ts"
import type { Account, SetAuthority } from "../reading.ts"
import type { Args } from "./abi.ts"
import { decodeArguments } from "./abi.ts"
import { parseSignature } from "./abiType.ts"
import { addressOf, tokenAsset, ZERO_ADDRESS } from "./address.ts"
import { inside } from "./batches.ts"
import { type AbiMethod, type Effects, method, type Site, UNLIMITED } from "./method.ts"

interface SafeCall {
  readonly safe: string
  readonly to: string
  readonly value: bigint
  readonly data: Bytes
  /** 0 is a call, 1 a delegatecall. */
  readonly operation: bigint
}

/** `where` is the place inside the outer call or message, one level deeper than that. */
export function safeCall(call: SafeCall, where: { depth: number; at: string }, effects: Effects): void {
  const { safe, to, value, data, operation } = call
  if (operation === 0n) return effects.call({ from: safe, to, value, data, ...where })
  if (operation !== 1n) refuse("E-INT-024", where.at, `operation ${operation} is neither a call nor a delegatecall`)
  effects.push({ kind: "delegatecall", from: safe, to, selector: selectorOf(data), data })
  if (selectorOf(data) === MULTI_SEND.selector) sendAll(multiSendArgument(data, where.at), safe, where, effects)
}

/** If the price is above 0, the Safe pays back whoever sends the transaction, without a bound. */
export function safeRefund(
  refund: { safe: string; gasPrice: bigint; gasToken: string; receiver: string },
  effects: Effects,
): void {
  const { safe, gasPrice, gasToken, receiver } = refund
  if (gasPrice === 0n) return
  const asset = gasToken === ZERO_ADDRESS ? effects.native : tokenAsset(effects.chain, "erc20", gasToken)
  const to: Account = receiver === ZERO_ADDRESS ? { unresolved: "whoever sends the transaction" } : receiver
  effects.push({ kind: "transfer", from: safe, to, asset, amount: UNLIMITED })
}

/** The selector; if there are fewer than 4 bytes, these bytes. */
export const selectorOf = (data: Uint8Array): string => `0x${toHex(data.subarray(0, 4))}`

const MULTI_SEND = parseSignature("multiSend(bytes)")

const multiSendArgument = (data: Bytes, at: string): Bytes =>
  decodeArguments(MULTI_SEND.parameters, data.subarray(4), at).bytes(0)

/** Packed: operation, 20 bytes of address, 32 of value, 32 of length, the data. */
function sendAll(packed: Bytes, from: string, where: { depth: number; at: string }, effects: Effects): void {
  const cursor = new Cursor(packed, "E-INT-025")
  for (let i = 0; cursor.left > 0; i++) {
    const at = `${where.at} call ${i}`
    const depth = deeper(where.depth, at)
    const operation = BigInt(cursor.u8())
    const to = addressOf(cursor.view(20))
    const value = beToBig(cursor.view(32))
    const length = beToBig(cursor.view(32))
    if (length > BigInt(cursor.left)) refuse("E-INT-025", at, "its data reaches beyond the batch")
    const data = cursor.take(Number(length))
    if (operation > 1n) refuse("E-INT-024", at, `operation ${operation} is neither a call nor a delegatecall`)
    if (operation === 1n) effects.push({ kind: "delegatecall", from, to, selector: selectorOf(data), data })
    else effects.call({ from, to, value, data, depth, at })
  }
}

/** execTransaction(to, value, data, operation, safeTxGas, baseGas, gasPrice, gasToken, refundReceiver, signatures). */
function execute(args: Args, site: Site, effects: Effects): void {
  moduleExecute(args, site, effects)
  safeRefund({ safe: site.to, gasPrice: args.uint(6), gasToken: args.address(7), receiver: args.address(8) }, effects)
}

/** execTransactionFromModule(to, value, data, operation). */
function moduleExecute(args: Args, site: Site, effects: Effects): void {
  const call = { safe: site.to, to: args.address(0), value: args.uint(1), data: args.bytes(2), operation: args.uint(3) }
  safeCall(call, inside(site, 0), effects)
}

type AuthorityChange = Pick<SetAuthority, "role" | "action" | "authority" | "threshold">

const change = (site: Site, effects: Effects, what: AuthorityChange): void =>
  effects.push({ kind: "set_authority", from: site.to, ...what })

/** An address that replaces another; the zero address removes the holder. */
const holder = (address: string): Pick<SetAuthority, "authority"> =>
  address === ZERO_ADDRESS ? {} : { authority: address }

/** setup(owners, threshold, to, data, fallbackHandler, paymentToken, payment, paymentReceiver). */
function setUp(args: Args, site: Site, effects: Effects): void {
  const threshold = args.uint(1)
  for (const authority of args.addresses(0))
    change(site, effects, { role: "owner", action: "add", authority, threshold })
  const to = args.address(2)
  const data = args.bytes(3)
  if (to !== ZERO_ADDRESS) effects.push({ kind: "delegatecall", from: site.to, to, selector: selectorOf(data), data })
  change(site, effects, { role: "fallback_handler", action: "set", ...holder(args.address(4)) })
  const payment = args.uint(6)
  if (payment === 0n) return
  const token = args.address(5)
  const receiver = args.address(7)
  effects.push({
    kind: "transfer",
    from: site.to,
    to: receiver === ZERO_ADDRESS ? { unresolved: "whoever sends the transaction" } : receiver,
    asset: token === ZERO_ADDRESS ? effects.native : tokenAsset(effects.chain, "erc20", token),
    amount: payment,
  })
}

export const SAFE_METHODS: readonly AbiMethod[] = [
  method("execTransaction(address,uint256,bytes,uint8,uint256,uint256,uint256,address,address,bytes)", execute),
  method("execTransactionFromModule(address,uint256,bytes,uint8)", moduleExecute),
  method("execTransactionFromModuleReturnData(address,uint256,bytes,uint8)", moduleExecute),
  method("multiSend(bytes)", (args, site, effects) => sendAll(args.bytes(0), site.to, site, effects)),
  method("approveHash(bytes32)", (args, site, effects) =>
    effects.push({
      kind: "opaque_hash",
      from: site.from,
      to: site.to,
      hash: args.bytes(0),
      reason: "a Safe takes it as this owner's consent to whatever has that hash",
    }),
  ),
  method("setup(address[],uint256,address,bytes,address,address,uint256,address)", setUp),
  method("addOwnerWithThreshold(address,uint256)", (args, site, effects) =>
    change(site, effects, { role: "owner", action: "add", authority: args.address(0), threshold: args.uint(1) }),
  ),
  method("removeOwner(address,address,uint256)", (args, site, effects) =>
    change(site, effects, { role: "owner", action: "remove", authority: args.address(1), threshold: args.uint(2) }),
  ),
  method("swapOwner(address,address,address)", (args, site, effects) => {
    change(site, effects, { role: "owner", action: "remove", authority: args.address(1) })
    change(site, effects, { role: "owner", action: "add", authority: args.address(2) })
  }),
  method("changeThreshold(uint256)", (args, site, effects) =>
    change(site, effects, { role: "threshold", action: "set", threshold: args.uint(0) }),
  ),
  method("enableModule(address)", (args, site, effects) =>
    change(site, effects, { role: "module", action: "add", authority: args.address(0) }),
  ),
  method("disableModule(address,address)", (args, site, effects) =>
    change(site, effects, { role: "module", action: "remove", authority: args.address(1) }),
  ),
  method("setGuard(address)", (args, site, effects) =>
    change(site, effects, { role: "guard", action: "set", ...holder(args.address(0)) }),
  ),
  method("setModuleGuard(address)", (args, site, effects) =>
    change(site, effects, { role: "module_guard", action: "set", ...holder(args.address(0)) }),
  ),
  method("setFallbackHandler(address)", (args, site, effects) =>
    change(site, effects, { role: "fallback_handler", action: "set", ...holder(args.address(0)) }),
  ),
  method("changeMasterCopy(address)", (args, site, effects) =>
    change(site, effects, { role: "implementation", action: "set", authority: args.address(0) }),
  ),
  // methods of the same meaning in other contracts
  method("transferOwnership(address)", (args, site, effects) =>
    change(site, effects, { role: "owner", action: "set", authority: args.address(0) }),
  ),
  method("renounceOwnership()", (_, site, effects) => change(site, effects, { role: "owner", action: "set" })),
  method("grantRole(bytes32,address)", (args, site, effects) =>
    change(site, effects, { role: `role 0x${toHex(args.bytes(0))}`, action: "add", authority: args.address(1) }),
  ),
  method("revokeRole(bytes32,address)", (args, site, effects) =>
    change(site, effects, { role: `role 0x${toHex(args.bytes(0))}`, action: "remove", authority: args.address(1) }),
  ),
  method("upgradeTo(address)", (args, site, effects) =>
    change(site, effects, { role: "implementation", action: "set", authority: args.address(0) }),
  ),
  method("upgradeToAndCall(address,bytes)", (args, site, effects) => {
    change(site, effects, { role: "implementation", action: "set", authority: args.address(0) })
    const data = args.bytes(1)
    if (data.length > 0)
      effects.push({ kind: "delegatecall", from: site.to, to: args.address(0), selector: selectorOf(data), data })
  }),
]
