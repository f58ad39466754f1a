/**
 * The payloads of the demo's intents: a payment, and payloads that look like one and do more. Each is complete, as a wallet would give
 * it to a signer, so that a node can read it.
 */
import { randomBytes } from "node:crypto"
import { type Bytes, bigToBe, concat, copy, fromHex, utf8 } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { encodeSized } from "../../intent/bitcoin/compactSize.ts"
import { hash160, p2wpkhScript } from "../../intent/bitcoin/scripts.ts"
import { outputBytes, serialized, sha256d, u32le } from "../../intent/bitcoin/transaction.ts"
import { parsePath } from "../../keys/path.ts"
import { childKey, type DemoVault } from "./keys.ts"
import { rootOf, type WantedSignature } from "./signatures.ts"
import { eip1559Transfer, p2wpkhSighash } from "./transactions.ts"

const hex = (text: string): Bytes => {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new CosignerError("E-CLI-022", { what: "a constant of the demo is not hex" })
  return bytes
}

/** A wanted signature whose payload the nodes can read. */
export type Readable = WantedSignature & { readonly payload: NonNullable<WantedSignature["payload"]> }

// ---- Ethereum --------------------------------------------------------------------------------------------------------

interface EthereumCall {
  /** The last level of the path; its account has nonces of its own. */
  readonly index: number
  readonly nonce: number
  /** 20 bytes. */
  readonly to: Bytes
  /** Wei. */
  readonly value: bigint
  readonly data?: Bytes
}

/** An EIP-1559 transaction of at most 100 000 gas at 30 gwei: its fee is at most 0.003 ETH. */
export function ethereumPayload(
  vault: DemoVault,
  what: string,
  { index, nonce, to, value, data }: EthereumCall,
): Readable {
  const path = `m/44/60/0/0/${index}`
  const publicKey = childKey(rootOf(vault, "secp256k1"), path)
  const { raw, digest } = eip1559Transfer({
    chainId: 1n,
    nonce: BigInt(nonce),
    maxPriorityFeePerGas: 1_000_000_000n,
    maxFeePerGas: 30_000_000_000n,
    gasLimit: 100_000n,
    to,
    value,
    ...(data === undefined ? {} : { data }),
  })
  const payload = { format: "evm/transaction", data: raw } as const
  return { what, curve: "secp256k1", scheme: "ecdsa", path, message: digest, tweak: "", publicKey, payload }
}

/** The same request with one bit of the destination in its payload changed, and the hash of the original. */
export function withChangedDestination(wanted: Readable, to: Bytes): Readable {
  const data = copy(wanted.payload.data)
  const at = Buffer.from(data).indexOf(to) + to.length - 1
  data[at] = (data[at] ?? 0) ^ 1
  return { ...wanted, what: "the same with one byte of its destination changed", payload: { ...wanted.payload, data } }
}

const word = (value: bigint): Bytes => bigToBe(value, 32)
const addressWord = (address: Bytes): Bytes => concat(new Uint8Array(12), address)
const UNLIMITED = (1n << 256n) - 1n

/** `approve(spender, 2^256 - 1)`. */
export const unlimitedApproval = (spender: Bytes): Bytes =>
  concat(hex("095ea7b3"), addressWord(spender), word(UNLIMITED))

/** `transfer(to, amount)`. */
export const tokenTransfer = (to: Bytes, amount: bigint): Bytes =>
  concat(hex("a9059cbb"), addressWord(to), word(amount))

/** `multicall(bytes[])` as the ABI encodes it. */
export function multicall(calls: readonly Bytes[]): Bytes {
  const tails = calls.map((call) => concat(word(BigInt(call.length)), call, new Uint8Array(-call.length & 31)))
  let offset = 32 * calls.length
  const heads = tails.map((tail) => {
    const head = word(BigInt(offset))
    offset += tail.length
    return head
  })
  return concat(hex("ac9650d8"), word(32n), word(BigInt(calls.length)), ...heads, ...tails)
}

/** The fields of a Safe's transaction, as its type has them. */
export const SAFE_TX =
  "address to,uint256 value,bytes data,uint8 operation,uint256 safeTxGas,uint256 baseGas,uint256 gasPrice,address gasToken,address refundReceiver,uint256 nonce"
const ZERO_ADDRESS = `0x${"00".repeat(20)}`

/** An owner of a Safe signs this so that foreign code runs as the Safe; its data looks like a token payment. */
export function safeDelegatecall(safe: string, code: string, data: string): Bytes {
  const fields = SAFE_TX.split(",").map((field) => field.split(" "))
  const nothing = { safeTxGas: 0, baseGas: 0, gasPrice: 0, gasToken: ZERO_ADDRESS, refundReceiver: ZERO_ADDRESS }
  const typed = {
    types: {
      EIP712Domain: [
        { name: "chainId", type: "uint256" },
        { name: "verifyingContract", type: "address" },
      ],
      SafeTx: fields.map(([type = "", name = ""]) => ({ name, type })),
    },
    primaryType: "SafeTx",
    domain: { chainId: 1, verifyingContract: safe },
    message: { to: code, value: 0, data, operation: 1, ...nothing, nonce: 7 },
  }
  return utf8(JSON.stringify(typed))
}

// ---- Bitcoin ---------------------------------------------------------------------------------------------------------

/** One field of a PSBT's map (BIP-174): its type, data of its key, its value. */
const field = (type: number, keyData: Uint8Array, value: Uint8Array): Bytes =>
  concat(encodeSized(concat(Uint8Array.of(type), keyData)), encodeSized(value))
const NONE = new Uint8Array(0)
const END_OF_MAP = Uint8Array.of(0)
const SEQUENCE = 0xffff_fffd

interface AllChange {
  readonly index: number
  /** Satoshi. */
  readonly value: bigint
  readonly back: bigint
  /** Whether the transaction that is spent from is included; only it proves the amount. */
  readonly isProven: boolean
}

/** A PSBT with one P2WPKH input of the vault that pays everything except the fee back to the vault. */
export function allChangePsbt(vault: DemoVault, what: string, { index, value, back, isProven }: AllChange): Readable {
  const root = rootOf(vault, "secp256k1")
  const path = `m/84/0/0/0/${index}`
  const changePath = `m/84/0/0/1/${index}`
  const [publicKey, changeKey] = [childKey(root, path), childKey(root, changePath)]
  const spent = { amount: value, script: p2wpkhScript(hash160(publicKey)) }
  const change = { amount: back, script: p2wpkhScript(hash160(changeKey)) }
  const previous = transaction({ txid: copy(randomBytes(32)), index: 0 }, spent)
  const txid = sha256d(previous)
  const data = concat(
    utf8("psbt"),
    Uint8Array.of(0xff),
    field(0x00, NONE, transaction({ txid, index: 0 }, change)),
    END_OF_MAP,
    isProven ? field(0x00, NONE, previous) : NONE,
    field(0x01, NONE, outputBytes(spent)),
    END_OF_MAP,
    field(0x02, changeKey, concat(new Uint8Array(4), ...parsePath(changePath).map(u32le))),
    END_OF_MAP,
  )
  const message = p2wpkhSighash({
    ...{ txid, vout: 0, value, scriptPubKey: spent.script },
    ...{ outValue: back, outScript: change.script },
  })
  const payload = { format: "bitcoin/psbt", data, input: 0 } as const
  return { what, curve: "secp256k1", scheme: "ecdsa", path, message, tweak: "", publicKey, payload }
}

type Transaction = Parameters<typeof serialized>[0]
const transaction = (
  outpoint: Transaction["inputs"][number]["outpoint"],
  output: Transaction["outputs"][number],
): Bytes =>
  serialized({
    version: 2,
    inputs: [{ outpoint, scriptSig: NONE, sequence: SEQUENCE }],
    outputs: [output],
    lockTime: 0,
  })
