/**
 * The real transactions that the demo has signed: the bytes that a wallet would give to a signer on Solana, Ethereum and
 * Bitcoin. Only as much of each format as one transfer needs: building transactions is a wallet's work, not a node's.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { type Bytes, bigToBe, bigToLe, concat, copy, u8, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"

// ---- Solana ----------------------------------------------------------------------------------------------------------

const SYSTEM_PROGRAM = new Uint8Array(32)
const TRANSFER = 2

/** A legacy Solana message that moves `lamports`; EdDSA signs these bytes themselves. Keys and block hash: 32 bytes. */
export function solanaTransfer(from: Bytes, to: Bytes, lamports: bigint, recentBlockhash: Bytes): Bytes {
  const oneSignerOneReadonlyProgram = Uint8Array.of(1, 0, 1)
  const accounts = concat(u8(3), from, to, SYSTEM_PROGRAM)
  const data = concat(bigToLe(BigInt(TRANSFER), 4), bigToLe(lamports, 8))
  const instruction = concat(u8(2), Uint8Array.of(2, 0, 1), u8(data.length), data)
  return concat(oneSignerOneReadonlyProgram, accounts, recentBlockhash, u8(1), instruction)
}

// ---- Ethereum --------------------------------------------------------------------------------------------------------

type RlpItem = Bytes | bigint | readonly RlpItem[]

function rlp(item: RlpItem): Bytes {
  if (typeof item === "bigint") return rlp(minimal(item))
  if (item instanceof Uint8Array) {
    const [first] = item
    return item.length === 1 && first !== undefined && first < 0x80 ? item : concat(rlpHead(0x80, item.length), item)
  }
  const body = concat(...item.map(rlp))
  return concat(rlpHead(0xc0, body.length), body)
}

function rlpHead(base: number, length: number): Bytes {
  if (length < 56) return u8(base + length)
  const size = minimal(BigInt(length))
  return concat(u8(base + 55 + size.length), size)
}

const minimal = (value: bigint): Bytes =>
  value === 0n ? new Uint8Array(0) : bigToBe(value, Math.ceil(value.toString(16).length / 2))

interface EthereumTransfer {
  readonly chainId: bigint
  readonly nonce: bigint
  readonly maxPriorityFeePerGas: bigint
  readonly maxFeePerGas: bigint
  readonly gasLimit: bigint
  /** 20 bytes. */
  readonly to: Bytes
  /** Wei. */
  readonly value: bigint
  /** Of a call. */
  readonly data?: Bytes
}

/** The unsigned EIP-1559 transaction; ECDSA signs its Keccak-256. */
export function eip1559Transfer(ethereumTransfer: EthereumTransfer): { readonly raw: Bytes; readonly digest: Bytes } {
  const fields = [
    ethereumTransfer.chainId,
    ethereumTransfer.nonce,
    ethereumTransfer.maxPriorityFeePerGas,
    ethereumTransfer.maxFeePerGas,
    ethereumTransfer.gasLimit,
    ethereumTransfer.to,
    ethereumTransfer.value,
  ]
  const raw = concat(u8(2), rlp([...fields, ethereumTransfer.data ?? new Uint8Array(0), []]))
  return { raw, digest: copy(keccak_256(raw)) }
}

// ---- Bitcoin ---------------------------------------------------------------------------------------------------------

export interface Spend {
  /** The spent output: txid in internal byte order, its index, its value in satoshi, and its script. */
  readonly txid: Bytes
  readonly vout: number
  readonly value: bigint
  readonly scriptPubKey: Bytes
  /** The one new output. */
  readonly outValue: bigint
  readonly outScript: Bytes
}

const le4 = (value: number): Bytes => bigToLe(BigInt(value), 4)
const sha256d = (bytes: Bytes): Bytes => sha256(sha256(bytes))
const withLength = (bytes: Bytes): Bytes => concat(u8(bytes.length), bytes)
const SEQUENCE = 0xffff_fffd
const SIGHASH_ALL = 1

export const p2wpkhScript = (keyHash: Bytes): Bytes => concat(Uint8Array.of(0x00, 0x14), keyHash)
export const p2trScript = (outputKey: Bytes): Bytes => concat(Uint8Array.of(0x51, 0x20), outputKey)

/** The BIP-143 digest of spending a P2WPKH output with SIGHASH_ALL; `scriptPubKey` is its 22-byte script. */
export function p2wpkhSighash(spend: Spend): Bytes {
  const outpoint = concat(spend.txid, le4(spend.vout))
  const keyHash = spend.scriptPubKey.slice(2)
  const scriptCode = concat(Uint8Array.of(0x76, 0xa9, 0x14), keyHash, Uint8Array.of(0x88, 0xac))
  const output = concat(bigToLe(spend.outValue, 8), withLength(spend.outScript))
  return sha256d(
    concat(
      le4(2),
      sha256d(outpoint),
      sha256d(le4(SEQUENCE)),
      outpoint,
      withLength(scriptCode),
      bigToLe(spend.value, 8),
      le4(SEQUENCE),
      sha256d(output),
      le4(0),
      le4(SIGHASH_ALL),
    ),
  )
}

/** The BIP-341 digest of spending a Taproot output by its key path with the default sighash type. */
export function taprootSighash(spend: Spend): Bytes {
  const tag = sha256(utf8("TapSighash"))
  const output = concat(bigToLe(spend.outValue, 8), withLength(spend.outScript))
  const keyPathWithoutAnnex = u8(0)
  return sha256(
    concat(
      tag,
      tag,
      u8(0), // epoch
      u8(0), // SIGHASH_DEFAULT
      le4(2),
      le4(0),
      sha256(concat(spend.txid, le4(spend.vout))),
      sha256(bigToLe(spend.value, 8)),
      sha256(withLength(spend.scriptPubKey)),
      sha256(le4(SEQUENCE)),
      sha256(output),
      keyPathWithoutAnnex,
      le4(0), // input index
    ),
  )
}
