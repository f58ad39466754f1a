/**
 * TRON by the second implementation: addresses, protocol buffers, call data and message hashes come from tronweb. Nothing of
 * src/ is used here.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"

// its modules find one another through globals, in the order of `require`
const { utils } = require("tronweb") as typeof import("tronweb")

/** In hex, as JSON transactions have it, and in base58. */
export interface Address {
  readonly hex: string
  readonly text: string
}

export const addressOf = (twenty: Uint8Array): Address => {
  const hex = `41${Buffer.from(twenty).toString("hex")}`
  return { hex, text: utils.crypto.getBase58CheckAddress([...Buffer.from(hex, "hex")]) }
}
export const numbered = (letter: string, number: number): Address =>
  addressOf(Uint8Array.from({ length: 20 }, (_, i) => (i === 0 ? letter.charCodeAt(0) : i === 19 ? number : 11 * i)))

export interface Key {
  readonly publicKey: Uint8Array<ArrayBuffer>
  readonly account: Address
}
export function keyOf(number: number): Key {
  const secret = Uint8Array.from({ length: 32 }, (_, i) => number + i)
  const twenty = Uint8Array.from(utils.crypto.getAddressFromPriKey([...secret]).slice(1))
  return { publicKey: Uint8Array.from(secp256k1.getPublicKey(secret, true)), account: addressOf(twenty) }
}

export interface Raw {
  readonly type: string
  readonly value: object
  readonly permission?: number
  readonly refBlock: string
  readonly refHash: string
  /** Milliseconds. */
  readonly expiration: number
  readonly timestamp?: number
  readonly feeLimit?: number
  /** Hex. */
  readonly memo?: string
}

export interface Encoded {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly id: Uint8Array<ArrayBuffer>
  /** The contract's own message. */
  readonly value: Uint8Array<ArrayBuffer>
}

export const fromHex = (hex: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(hex.replace(/^0x/, ""), "hex"))

export function encode(raw: Raw): Encoded {
  const message = utils.transaction.txJsonToPb({
    visible: false,
    raw_data: {
      contract: [{ type: raw.type, parameter: { value: raw.value }, Permission_id: raw.permission }],
      ref_block_bytes: raw.refBlock,
      ref_block_hash: raw.refHash,
      expiration: raw.expiration,
      timestamp: raw.timestamp,
      fee_limit: raw.feeLimit,
      data: raw.memo,
    },
  })
  return {
    bytes: fromHex(utils.transaction.txPbToRawDataHex(message)),
    id: fromHex(utils.transaction.txPbToTxID(message)),
    value: Uint8Array.from(message.getRawData().getContractList()[0].getParameter().getValue_asU8()),
  }
}

/** Call data in hex, without 0x. */
export function callData(signature: string, values: readonly unknown[]): string {
  const types = signature.slice(signature.indexOf("(") + 1, -1)
  const selector = utils.ethersUtils.keccak256(new TextEncoder().encode(signature)).slice(2, 10)
  if (types === "") return selector
  return selector + utils.abi.encodeParams(types.split(","), [...values] as never).replace(/^0x/, "")
}

export const hashMessage = (message: Uint8Array): Uint8Array<ArrayBuffer> =>
  fromHex(utils.message.hashMessage([...message] as never))

/** Where a new contract stands (tronweb's own formula, for a transaction's id and its owner). */
export const contractAddress = (owner: Address, id: Uint8Array): Address => {
  const hash = utils.ethersUtils.keccak256(fromHex(Buffer.from(id).toString("hex") + owner.hex))
  return addressOf(fromHex(hash).slice(12))
}

/** Parsed and written again, with the contract's own message; but for maps, of which tronweb sorts the keys as text. */
export function rewritten(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const protocol = (globalThis as unknown as { TronWebProto: Protocol }).TronWebProto
  const raw = protocol.Transaction.raw.deserializeBinary(bytes)
  for (const contract of raw.getContractList()) {
    const parameter = contract.getParameter()
    const type = protocol[parameter.getTypeUrl().replace("type.googleapis.com/protocol.", "")]
    const hasMap = parameter.getTypeUrl().endsWith("ProposalCreateContract")
    if (type !== undefined && !hasMap)
      parameter.setValue(type.deserializeBinary(parameter.getValue_asU8()).serializeBinary())
  }
  return Uint8Array.from(raw.serializeBinary())
}
interface Written {
  serializeBinary(): Uint8Array
}
interface Any {
  getTypeUrl(): string
  getValue_asU8(): Uint8Array
  setValue(value: Uint8Array): void
}
interface RawData extends Written {
  getContractList(): readonly { getParameter(): Any }[]
}
type Protocol = Readonly<Record<string, { deserializeBinary(bytes: Uint8Array): Written }>> & {
  readonly Transaction: { readonly raw: { deserializeBinary(bytes: Uint8Array): RawData } }
}
