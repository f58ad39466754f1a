/**
 * Methods of tokens: ERC-20, 721 and 1155, wrapped native assets, approvals by signature (EIP-2612, DAI), transfers by
 * authorization (EIP-3009), Permit2. They are read at any address; annotations say whether the contract is a configured
 * token.
 *
 * `approve` and `transferFrom` have the same selectors in ERC-20 and ERC-721, and the payload does not show which is meant. They
 * are read as ERC-20, so the id of a token appears as an amount.
 */
import type { Account } from "../reading.ts"
import type { Args } from "./abi.ts"
import { type TokenStandard, tokenAsset } from "./address.ts"
import { WRAPPED_NATIVE } from "./chain.ts"
import { type AbiMethod, type Effects, method, type Site, UNLIMITED } from "./method.ts"

interface Movement {
  readonly from: Account
  readonly to: string
  readonly amount: bigint
  readonly tokenId?: bigint
}

function transfer(site: Site, effects: Effects, movement: Movement, standard: TokenStandard = "erc20"): void {
  effects.push({ kind: "transfer", ...movement, asset: tokenAsset(effects.chain, standard, site.to) })
}

/** transfer(to, amount), and methods that have further arguments after these. */
const send = (args: Args, site: Site, effects: Effects): void =>
  transfer(site, effects, { from: site.from, to: args.address(0), amount: args.uint(1) })

/** transferFrom(from, to, amount), and methods that have further arguments after these. */
const sendFrom = (args: Args, site: Site, effects: Effects): void =>
  transfer(site, effects, { from: args.address(0), to: args.address(1), amount: args.uint(2) })

/** approve(spender, amount). For an increase only the added amount is known. */
function approve(args: Args, site: Site, effects: Effects): void {
  const asset = tokenAsset(effects.chain, "erc20", site.to)
  effects.push({ kind: "approve", from: site.from, spender: args.address(0), asset, amount: args.uint(1) })
}

/** permit(owner, spender, amount, deadline, …) of EIP-2612, carried out. */
function permit(args: Args, site: Site, effects: Effects): void {
  const asset = tokenAsset(effects.chain, "erc20", site.to)
  const [from, spender] = [args.address(0), args.address(1)]
  effects.push({ kind: "permit", from, spender, asset, amount: args.uint(2), deadline: args.uint(3) })
}

/** permit(holder, spender, nonce, expiry, allowed, …) of DAI. */
function daiPermit(args: Args, site: Site, effects: Effects): void {
  const asset = tokenAsset(effects.chain, "erc20", site.to)
  const amount = args.bool(4) ? UNLIMITED : 0n
  const [from, spender] = [args.address(0), args.address(1)]
  effects.push({ kind: "permit", from, spender, asset, amount, deadline: args.uint(3) })
}

/** safeTransferFrom(from, to, tokenId, …) of ERC-721. */
const sendUnique = (args: Args, site: Site, effects: Effects): void =>
  transfer(site, effects, { from: args.address(0), to: args.address(1), amount: 1n, tokenId: args.uint(2) }, "erc721")

/** safeTransferFrom(from, to, id, amount, data) of ERC-1155. */
const sendMulti = (args: Args, site: Site, effects: Effects): void =>
  transfer(
    site,
    effects,
    { from: args.address(0), to: args.address(1), amount: args.uint(3), tokenId: args.uint(2) },
    "erc1155",
  )

function sendMultiBatch(args: Args, site: Site, effects: Effects): void {
  const amounts = args.uints(3)
  for (const [i, tokenId] of args.uints(2).entries()) {
    const amount = amounts[i] ?? 0n
    transfer(site, effects, { from: args.address(0), to: args.address(1), amount, tokenId }, "erc1155")
  }
}

/** Approves every token of the collection, for ERC-721 and ERC-1155 alike; the asset id is written as ERC-721. */
function approveAll(args: Args, site: Site, effects: Effects): void {
  const asset = tokenAsset(effects.chain, "erc721", site.to)
  const amount = args.bool(1) ? UNLIMITED : 0n
  effects.push({ kind: "approve", from: site.from, spender: args.address(0), asset, amount })
}

/** withdraw(amount): the wrapped asset is burnt. On other contracts the selector can mean something else. */
function unwrap(args: Args, site: Site, effects: Effects): void {
  if (!WRAPPED_NATIVE.has(tokenAsset(effects.chain, "erc20", site.to))) return
  transfer(site, effects, { from: site.from, to: site.to, amount: args.uint(0) })
}

// ---- Permit2: one contract that spends, by signatures, what was approved to it -----------------------------------------

/** Terms of (token, amount, expiration, …). */
const permitted = (effects: Effects, from: Account, spender: string, terms: Args): void =>
  effects.push({
    kind: "permit",
    from,
    spender,
    asset: tokenAsset(effects.chain, "erc20", terms.lowerAddress(0)),
    amount: terms.uint(1),
    deadline: terms.uint(2),
  })

function permit2Approve(args: Args, site: Site, effects: Effects): void {
  const asset = tokenAsset(effects.chain, "erc20", args.lowerAddress(0))
  const [spender, amount] = [args.address(1), args.uint(2)]
  effects.push({ kind: "approve", from: site.from, spender, asset, amount, deadline: args.uint(3) })
}

/** transferFrom(from, to, amount, token). */
const permit2Transfer = (args: Args, effects: Effects): void =>
  effects.push({
    kind: "transfer",
    from: args.address(0),
    to: args.address(1),
    asset: tokenAsset(effects.chain, "erc20", args.lowerAddress(3)),
    amount: args.uint(2),
  })

/** permitTransferFrom(((token, amount), nonce, deadline), (to, amount), owner, signature). */
function permit2SignedTransfer(args: Args, _site: Site, effects: Effects): void {
  const token = args.args(0).args(0).lowerAddress(0)
  const details = args.args(1)
  effects.push({
    kind: "transfer",
    from: args.address(2),
    to: details.address(0),
    asset: tokenAsset(effects.chain, "erc20", token),
    amount: details.uint(1),
  })
}

function permit2SignedTransfers(args: Args, _site: Site, effects: Effects): void {
  const details = args.rows(1)
  for (const [i, token] of args.args(0).rows(0).entries()) {
    const detail = details[i]
    if (detail === undefined) return
    const asset = tokenAsset(effects.chain, "erc20", token.lowerAddress(0))
    effects.push({ kind: "transfer", from: args.address(2), to: detail.address(0), asset, amount: detail.uint(1) })
  }
}

const AUTHORIZED = "address,address,uint256,uint256,uint256,bytes32"

export const TOKEN_METHODS: readonly AbiMethod[] = [
  method("transfer(address,uint256)", send),
  method("transferFrom(address,address,uint256)", sendFrom),
  method("approve(address,uint256)", approve),
  method("increaseAllowance(address,uint256)", approve),
  method("increaseApproval(address,uint256)", approve),
  // ERC-677 and ERC-1363: the receiver, or the spender, is called too
  method("transferAndCall(address,uint256)", send),
  method("transferAndCall(address,uint256,bytes)", send),
  method("transferFromAndCall(address,address,uint256)", sendFrom),
  method("transferFromAndCall(address,address,uint256,bytes)", sendFrom),
  method("approveAndCall(address,uint256)", approve),
  method("approveAndCall(address,uint256,bytes)", approve),
  // EIP-2612 and DAI
  method("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)", permit),
  method("permit(address,address,uint256,uint256,bytes)", permit),
  method("permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)", daiPermit),
  // EIP-3009
  method(`transferWithAuthorization(${AUTHORIZED},uint8,bytes32,bytes32)`, sendFrom),
  method(`transferWithAuthorization(${AUTHORIZED},bytes)`, sendFrom),
  method(`receiveWithAuthorization(${AUTHORIZED},uint8,bytes32,bytes32)`, sendFrom),
  method(`receiveWithAuthorization(${AUTHORIZED},bytes)`, sendFrom),
  // ERC-721 and ERC-1155
  method("safeTransferFrom(address,address,uint256)", sendUnique),
  method("safeTransferFrom(address,address,uint256,bytes)", sendUnique),
  method("safeTransferFrom(address,address,uint256,uint256,bytes)", sendMulti),
  method("safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)", sendMultiBatch),
  method("setApprovalForAll(address,bool)", approveAll),
  // wrapped native assets; what deposit() takes is the value of the call
  method("withdraw(uint256)", unwrap),
  // Permit2
  method("approve(address,address,uint160,uint48)", permit2Approve),
  method("transferFrom(address,address,uint160,address)", (args, _, effects) => permit2Transfer(args, effects)),
  method("transferFrom((address,address,uint160,address)[])", (args, _, effects) => {
    for (const row of args.rows(0)) permit2Transfer(row, effects)
  }),
  method("permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)", (args, _, effects) =>
    permitted(effects, args.address(0), args.args(1).address(1), args.args(1).args(0)),
  ),
  method("permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)", (args, _, effects) => {
    for (const terms of args.args(1).rows(0)) permitted(effects, args.address(0), args.args(1).address(1), terms)
  }),
  method(
    "permitTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes)",
    permit2SignedTransfer,
  ),
  method(
    "permitTransferFrom(((address,uint256)[],uint256,uint256),(address,uint256)[],address,bytes)",
    permit2SignedTransfers,
  ),
  method(
    "permitWitnessTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes32,string,bytes)",
    permit2SignedTransfer,
  ),
  method(
    "permitWitnessTransferFrom(((address,uint256)[],uint256,uint256),(address,uint256)[],address,bytes32,string,bytes)",
    permit2SignedTransfers,
  ),
]
