/**
 * Typed data with a known meaning, recognised by the exact text of its types and never by a name alone: approvals by signature
 * (EIP-2612, DAI, Permit2, ERC-721), transfers by authorization (EIP-3009), Safe transactions, forwarded calls. Their effects
 * are listed beside the typed data itself.
 */
import type { Account } from "../reading.ts"
import { tokenAsset } from "./address.ts"
import { type Effects, UNLIMITED } from "./method.ts"
import { safeCall, safeRefund } from "./safe.ts"
import type { TypedDocument } from "./typedData.ts"
import type { Struct } from "./typedValues.ts"

interface TypedSite {
  readonly signer: Account
  /** The domain's. */
  readonly contract: string | undefined
  readonly effects: Effects
  /** Refuses an account that the signer cannot sign for. */
  readonly owner: (account: string, at: string) => string
}

type ReadTyped = (message: Struct, site: TypedSite, document: TypedDocument) => void

export function readKnown(document: TypedDocument, site: TypedSite): void {
  const text = document.graph.encodeType(document.graph.primary)
  const read = KNOWN.get(text) ?? witnessed(text, document)
  read?.(document.message, site, document)
}

/** The token is the contract of the domain. If the domain names none, the token is unknown. */
const tokenOf = ({ contract, effects }: TypedSite, standard: "erc20" | "erc721"): Account =>
  contract === undefined
    ? { unresolved: "the domain names no contract" }
    : tokenAsset(effects.chain, standard, contract)

function permit(message: Struct, site: TypedSite): void {
  site.effects.push({
    kind: "permit",
    from: site.owner(message.address("owner"), "message.owner"),
    spender: message.address("spender"),
    asset: tokenOf(site, "erc20"),
    amount: message.uint("value"),
    deadline: message.uint("deadline"),
  })
}

function daiPermit(message: Struct, site: TypedSite): void {
  site.effects.push({
    kind: "permit",
    from: site.owner(message.address("holder"), "message.holder"),
    spender: message.address("spender"),
    asset: tokenOf(site, "erc20"),
    amount: message.bool("allowed") ? UNLIMITED : 0n,
    deadline: message.uint("expiry"),
  })
}

function uniquePermit(message: Struct, site: TypedSite): void {
  site.effects.push({
    kind: "permit",
    from: site.signer,
    spender: message.address("spender"),
    asset: tokenOf(site, "erc721"),
    amount: 1n,
    tokenId: message.uint("tokenId"),
    deadline: message.uint("deadline"),
  })
}

function authorizedTransfer(message: Struct, site: TypedSite): void {
  site.effects.push({
    kind: "transfer",
    from: site.owner(message.address("from"), "message.from"),
    to: message.address("to"),
    asset: tokenOf(site, "erc20"),
    amount: message.uint("value"),
  })
}

// ---- Permit2 ----------------------------------------------------------------------------------------------------------

/** Approvals that last until `expiration`. */
function permit2Allowance(details: readonly Struct[], message: Struct, { signer, effects }: TypedSite): void {
  for (const terms of details) {
    effects.push({
      kind: "permit",
      from: signer,
      spender: message.address("spender"),
      asset: tokenAsset(effects.chain, "erc20", terms.address("token")),
      amount: terms.uint("amount"),
      deadline: terms.uint("expiration"),
    })
  }
}

/** The spender may move it once, to anybody. */
function permit2Transfer(permitted: readonly Struct[], message: Struct, { signer, effects }: TypedSite): void {
  for (const terms of permitted) {
    effects.push({
      kind: "permit",
      from: signer,
      spender: message.address("spender"),
      asset: tokenAsset(effects.chain, "erc20", terms.address("token")),
      amount: terms.uint("amount"),
      deadline: message.uint("deadline"),
    })
  }
}

const DETAILS = "PermitDetails(address token,uint160 amount,uint48 expiration,uint48 nonce)"
const PERMISSIONS = "TokenPermissions(address token,uint256 amount)"
const TERMS = "address spender,uint256 nonce,uint256 deadline"

/** Transfers with a witness end in types of the application's own; the part before them is Permit2's. */
function witnessed(text: string, { graph }: TypedDocument): ReadTyped | undefined {
  const one = text.startsWith(`PermitWitnessTransferFrom(TokenPermissions permitted,${TERMS},`)
  const batch = text.startsWith(`PermitBatchWitnessTransferFrom(TokenPermissions[] permitted,${TERMS},`)
  if ((!one && !batch) || graph.encodeType("TokenPermissions") !== PERMISSIONS) return undefined
  return (message, site) =>
    permit2Transfer(one ? [message.struct("permitted")] : message.structs("permitted"), message, site)
}

// ---- contract accounts ------------------------------------------------------------------------------------------------

/** Up to version 1.0.0 the base gas was called data gas. */
function safeTransaction(message: Struct, { contract, effects }: TypedSite, { digest }: TypedDocument): void {
  if (contract === undefined) {
    const reason = "the domain names no Safe"
    return effects.push({ kind: "opaque_hash", from: { unresolved: reason }, hash: digest, reason })
  }
  const [to, value, data] = [message.address("to"), message.uint("value"), message.bytes("data")]
  const call = { safe: contract, to, value, data, operation: message.uint("operation") }
  safeCall(call, { depth: 1, at: "message.data" }, effects)
  const [gasToken, receiver] = [message.address("gasToken"), message.address("refundReceiver")]
  safeRefund({ safe: contract, gasPrice: message.uint("gasPrice"), gasToken, receiver }, effects)
}

const opaque =
  (reason: string): ReadTyped =>
  (_, { signer, contract, effects }, { digest }) =>
    effects.push({
      kind: "opaque_hash",
      from: signer,
      ...(contract === undefined ? {} : { to: contract }),
      hash: digest,
      reason,
    })

/** A relay makes the call in the name of `from`. */
function forwarded(message: Struct, site: TypedSite): void {
  site.effects.call({
    from: site.owner(message.address("from"), "message.from"),
    to: message.address("to"),
    value: message.uint("value"),
    data: message.bytes("data"),
    depth: 1,
    at: "message.data",
  })
}

/** The contract itself makes the call, in the name of `from`. */
function metaTransaction(message: Struct, site: TypedSite, document: TypedDocument): void {
  const from = site.owner(message.address("from"), "message.from")
  if (site.contract === undefined) return opaque("the domain names no contract")(message, site, document)
  const data = message.bytes("functionSignature")
  site.effects.call({ from, to: site.contract, value: 0n, data, depth: 1, at: "message.functionSignature" })
}

const AUTHORIZATION = "(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
const safeTx = (gas: string): string =>
  `SafeTx(address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 ${gas},uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce)`

const KNOWN: ReadonlyMap<string, ReadTyped> = new Map<string, ReadTyped>([
  ["Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)", permit],
  ["Permit(address holder,address spender,uint256 nonce,uint256 expiry,bool allowed)", daiPermit],
  ["Permit(address spender,uint256 tokenId,uint256 nonce,uint256 deadline)", uniquePermit],
  [`TransferWithAuthorization${AUTHORIZATION}`, authorizedTransfer],
  [`ReceiveWithAuthorization${AUTHORIZATION}`, authorizedTransfer],
  [
    `PermitSingle(PermitDetails details,address spender,uint256 sigDeadline)${DETAILS}`,
    (message, site) => permit2Allowance([message.struct("details")], message, site),
  ],
  [
    `PermitBatch(PermitDetails[] details,address spender,uint256 sigDeadline)${DETAILS}`,
    (message, site) => permit2Allowance(message.structs("details"), message, site),
  ],
  [
    `PermitTransferFrom(TokenPermissions permitted,${TERMS})${PERMISSIONS}`,
    (message, site) => permit2Transfer([message.struct("permitted")], message, site),
  ],
  [
    `PermitBatchTransferFrom(TokenPermissions[] permitted,${TERMS})${PERMISSIONS}`,
    (message, site) => permit2Transfer(message.structs("permitted"), message, site),
  ],
  [safeTx("baseGas"), safeTransaction],
  [safeTx("dataGas"), safeTransaction],
  ["SafeMessage(bytes message)", opaque("a Safe takes it as consent to whatever the bytes mean")],
  [
    "SafeOp(address safe,uint256 nonce,bytes initCode,bytes callData,uint128 verificationGasLimit,uint128 callGasLimit,uint256 preVerificationGas,uint128 maxPriorityFeePerGas,uint128 maxFeePerGas,bytes paymasterAndData,uint48 validAfter,uint48 validUntil,address entryPoint)",
    opaque("operations of ERC-4337 are not read"),
  ],
  [
    "PackedUserOperation(address sender,uint256 nonce,bytes initCode,bytes callData,bytes32 accountGasLimits,uint256 preVerificationGas,bytes32 gasFees,bytes paymasterAndData)",
    opaque("operations of ERC-4337 are not read"),
  ],
  ["MetaTransaction(uint256 nonce,address from,bytes functionSignature)", metaTransaction],
  ["ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,bytes data)", forwarded],
  [
    "ForwardRequest(address from,address to,uint256 value,uint256 gas,uint256 nonce,uint48 deadline,bytes data)",
    forwarded,
  ],
])

/** Their encodeType, for the reference; transfers of Permit2 with a witness end in types of an application. */
export const KNOWN_TYPES: readonly string[] = [...KNOWN.keys()]
