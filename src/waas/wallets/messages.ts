/**
 * Messages that a wallet's address signs: turns the published objects into what nodes are asked to sign, and their signatures into the
 * form of each standard. Nodes read the payload themselves and rely on nothing here.
 */
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { type Static, Type } from "@sinclair/typebox"
import { type Bytes, concat, fromHex, toHex, u8, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import type { Format } from "../../intent/reading.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { ApiFailure } from "../failure.ts"
import type { WalletAddress, WalletTransaction } from "../store/model.ts"
import type { Chain } from "./chains.ts"

const Kind = <const K extends string>(kind: K) => ({ destination_type: Type.Literal(kind) })
const MAX_MESSAGE = 65_536
const HexText = (description: string) =>
  Type.String({ pattern: "^(?:0x)?(?:[0-9a-fA-F]{2})+$", maxLength: 2 + 2 * MAX_MESSAGE, description })

/** `destination` of a message_sign. */
export const MessageDestination = Type.Union([
  Type.Object(
    {
      ...Kind("EVM_EIP_191_Signature"),
      message: Type.String({ minLength: 4, maxLength: 2 * MAX_MESSAGE, description: "base64" }),
    },
    { additionalProperties: false },
  ),
  Type.Object({ ...Kind("EVM_EIP_712_Signature"), structured_data: Type.Object({}) }, { additionalProperties: false }),
  Type.Object({ ...Kind("BTC_BIP_137_Signature"), message_bip137: HexText("hex") }, { additionalProperties: false }),
  Type.Object({ ...Kind("BTC_BIP_322_Signature"), message_bip322: HexText("hex") }, { additionalProperties: false }),
  Type.Object({ ...Kind("Raw_Message_Signature"), msg_hash: HexText("hex") }, { additionalProperties: false }),
])
export type MessageDestination = Static<typeof MessageDestination>

export interface SignatureWish {
  readonly signatureType: 1 | 2 | 3
  /** `0x` for Taproot (BIP-86, a key path without scripts); otherwise empty. */
  readonly tweak: string
  /** A payload, from which nodes derive the digest themselves; or a bare digest, which nobody can read. */
  readonly content: { readonly payload: { readonly format: Format; readonly data: Bytes } } | { readonly digest: Bytes }
}

/** What nodes are asked to sign for this message. Throws 2006 if the address cannot sign such a message. */
export function wantedSignature(wanted: MessageDestination, address: WalletAddress, chain: Chain): SignatureWish {
  const kind = wanted.destination_type
  const demand = (fits: boolean, who: string): void => {
    if (!fits)
      throw new ApiFailure(
        2006,
        `body.destination: ${kind} is for ${who}, not for ${address.encoding} of ${chain.chainId}`,
      )
  }
  const ecdsa = (format: Format, data: Bytes): SignatureWish => ({
    signatureType: 1,
    tweak: "",
    content: { payload: { format, data } },
  })
  switch (kind) {
    case "EVM_EIP_191_Signature":
      demand(chain.family === "evm", "EVM chains")
      return ecdsa("evm/message", base64Of(wanted.message))
    case "EVM_EIP_712_Signature":
      demand(chain.family === "evm", "EVM chains")
      return ecdsa("evm/typed-data", utf8(JSON.stringify(wanted.structured_data)))
    case "BTC_BIP_322_Signature": {
      const isTaproot = address.encoding === "ENCODING_P2TR"
      demand(
        chain.family === "bitcoin" && (isTaproot || address.encoding === "ENCODING_BECH32"),
        "P2WPKH and P2TR addresses",
      )
      const signed = ecdsa("bitcoin/message", hexOf(wanted.message_bip322))
      return isTaproot ? { ...signed, signatureType: 3, tweak: "0x" } : signed
    }
    case "BTC_BIP_137_Signature":
      demand(chain.family === "bitcoin" && address.encoding !== "ENCODING_P2TR", "addresses of ECDSA keys")
      return { signatureType: 1, tweak: "", content: { digest: bip137Digest(hexOf(wanted.message_bip137)) } }
    case "Raw_Message_Signature": {
      const digest = hexOf(wanted.msg_hash)
      if (chain.curve === "secp256k1" && digest.length !== 32)
        throw new ApiFailure(2006, "body.destination.msg_hash: not 32 bytes")
      if (chain.curve === "ed25519") return { signatureType: 2, tweak: "", content: { digest } }
      const isTaproot = address.encoding === "ENCODING_P2TR"
      return { signatureType: isTaproot ? 3 : 1, tweak: isTaproot ? "0x" : "", content: { digest } }
    }
  }
}

function base64Of(text: string): Bytes {
  const bytes = Buffer.from(text, "base64")
  if (bytes.toString("base64") !== text)
    throw new ApiFailure(2006, "body.destination.message: not base64 in its canonical form")
  return Uint8Array.from(bytes)
}

function hexOf(text: string): Bytes {
  const bytes = fromHex(text.toLowerCase().replace(/^0x/, ""))
  if (bytes === undefined) throw new RangeError("hex that its own pattern accepted cannot be read")
  return bytes
}

/** Double SHA-256 of the magic text and the message, each with its length before it (BIP-137). */
function bip137Digest(message: Bytes): Bytes {
  const magic = utf8("Bitcoin Signed Message:\n")
  return sha256(sha256(concat(u8(magic.length), magic, compactSize(message.length), message)))
}

const compactSize = (length: number): Bytes =>
  length < 0xfd
    ? u8(length)
    : length <= 0xffff
      ? Uint8Array.of(0xfd, length & 0xff, length >> 8)
      : Uint8Array.of(0xfe, length & 0xff, (length >> 8) & 0xff, (length >> 16) & 0xff, length >>> 24)

/**
 * The signature in the form of its standard. EVM: `0x` hex of r, s and v (27 or 28). BIP-137: base64 of a header byte, r and s. BIP-322:
 * base64 of the witness (simple form). Raw message: `0x` hex of the nodes' signature, followed by the recovery id for ECDSA.
 */
export function signatureText(
  { destination }: Pick<WalletTransaction, "destination">,
  { encoding, pubkey }: Pick<WalletAddress, "encoding" | "pubkey">,
  made: { readonly signature: string; readonly recovery: number | undefined },
): string {
  const signature = hexOf(made.signature)
  const recovery = made.recovery ?? 0
  switch (destination["destination_type"]) {
    case "EVM_EIP_191_Signature":
    case "EVM_EIP_712_Signature":
      return `0x${toHex(concat(signature, u8(27 + recovery)))}`
    case "BTC_BIP_137_Signature":
      return Buffer.from(concat(u8((BIP137_HEADER[encoding] ?? 31) + recovery), signature)).toString("base64")
    case "BTC_BIP_322_Signature":
      return Buffer.from(witnessOf(signature, encoding, pubkey)).toString("base64")
    default:
      return `0x${toHex(made.recovery === undefined ? signature : concat(signature, u8(recovery)))}`
  }
}

/** The header byte for recovery id 0, by address form: compressed P2PKH, P2SH-P2WPKH, P2WPKH (BIP-137). */
const BIP137_HEADER: Readonly<Record<string, number>> = {
  ENCODING_P2PKH: 31,
  ENCODING_P2SH_P2WPKH: 35,
  ENCODING_BECH32: 39,
}

function witnessOf(signature: Bytes, encoding: string, pubkey: string): Bytes {
  const stack =
    encoding === "ENCODING_P2TR"
      ? [signature]
      : // The signature in DER with SIGHASH_ALL, then the public key.
        [
          concat(secp256k1.Signature.fromBytes(signature, "compact").toBytes("der"), u8(1)),
          decodeExtendedPublicKey(pubkey).publicKey,
        ]
  return concat(u8(stack.length), ...stack.flatMap((item) => [u8(item.length), item]))
}
