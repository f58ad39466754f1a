/**
 * EIP-7702 authorizations, by which an account takes over the code of a contract. Those in a transaction of type 4 are already signed,
 * by any account; ours signs the one of `evm/authorization`.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Bytes, concat, u8 } from "../../bytes.ts"
import { K1 } from "../../crypto/curve.ts"
import { ethereumAddress } from "../../keys/addresses.ts"
import { ANY_EVM, evmChain } from "../caip.ts"
import { allowChain, type Context, type Decoder, demandSignature, onlyMessage } from "../decoder.ts"
import { attempt, refuse } from "../problem.ts"
import type { Account, Effect, Reading } from "../reading.ts"
import { addressOf, keccak } from "./address.ts"
import { accountOf, noFee } from "./chain.ts"
import { encodeRlp, RlpList } from "./rlp.ts"

/** In front of what is signed (EIP-7702). */
const MAGIC = 0x05

/** Each costs a signature's recovery, about a millisecond. */
const MOST = 64

export interface Authorization {
  /** 0 is every chain. */
  readonly chainId: bigint
  readonly delegate: string
  readonly nonce: bigint
  /** Who signed it; unresolved if the signature is not valid, and the chain then ignores it. */
  readonly authority: Account
}

export const authorizationEffect = ({ chainId, delegate, nonce, authority }: Authorization): Effect => ({
  kind: "delegate_7702",
  from: authority,
  delegate,
  chain: chainId === 0n ? ANY_EVM : evmChain(chainId),
  nonce,
})

/** Signed ones: [chainId, address, nonce, yParity, r, s] each. */
export function readAuthorizations(list: RlpList): readonly Authorization[] {
  const found: Authorization[] = []
  while (!list.isDone) {
    if (found.length === MOST) refuse("E-INT-026", "authorizationList", `more than ${MOST}`)
    const tuple = list.list("authorizationList")
    const chainId = tuple.uint("authorizationList.chainId", 256)
    const account = tuple.fixed("authorizationList.address", 20)
    const nonce = tuple.uint("authorizationList.nonce", 64)
    const parity = tuple.uint("authorizationList.yParity", 8)
    const r = tuple.uint("authorizationList.r", 256)
    const s = tuple.uint("authorizationList.s", 256)
    tuple.close("authorizationList")
    const authority = recovered(authorizationDigest(chainId, account, nonce), parity, r, s)
    found.push({ chainId, delegate: addressOf(account), nonce, authority })
  }
  return found.length === 0 ? refuse("E-INT-024", "authorizationList", "it is empty") : found
}

const authorizationDigest = (chainId: bigint, account: Uint8Array, nonce: bigint): Bytes =>
  keccak(concat(u8(MAGIC), encodeRlp([chainId, account, nonce])))

function recovered(digest: Bytes, parity: bigint, r: bigint, s: bigint): Account {
  const nobody: Account = { unresolved: "nobody: the authorization has no valid signature" }
  if (parity > 1n || r === 0n || s === 0n || r >= K1.order || s > K1.order / 2n) return nobody
  try {
    const signature = new secp256k1.Signature(r, s).addRecoveryBit(Number(parity))
    return ethereumAddress(signature.recoverPublicKey(digest).toBytes(true))
  } catch {
    // r is not the x-coordinate of any point
    return nobody
  }
}

export const authorizationDecoder: Decoder = {
  format: "evm/authorization",
  decode: (data, context) => attempt(() => readingOf(data, context)),
}

/** 0x05 and RLP of [chainId, address, nonce]; this is hashed and signed. */
function readingOf(payload: Uint8Array, context: Context): Reading {
  if (payload[0] !== MAGIC) refuse("E-INT-021", "byte 0", "an authorization begins with 0x05")
  const list = RlpList.whole(payload, 1)
  const chainId = list.uint("chainId", 256)
  if (chainId === 0n) refuse("E-INT-022", "chainId", "it is 0")
  const delegate = list.address("address")
  const nonce = list.uint("nonce", 64)
  list.close("the authorization")
  if (nonce === 2n ** 64n - 1n) refuse("E-INT-024", "nonce", "it is 2^64 - 1")
  const chain = evmChain(chainId)
  const message = onlyMessage(context)
  demandSignature(context, "secp256k1", ["ECDSA"])
  allowChain(context, chain, "chainId")
  const authority = accountOf(message?.publicKey, ethereumAddress)
  return {
    format: "evm/authorization",
    chain,
    from: typeof authority === "string" ? [authority] : [],
    effects: [authorizationEffect({ chainId, delegate, nonce, authority })],
    fee: noFee(chain),
    nonce: nonce.toString(),
    signs: [{ path: message?.path, bytes: keccak(payload) }],
  }
}
