/**
 * `solana/offchain`: a message that is not a transaction; the signing domain distinguishes the two ("Off-Chain Message
 * Signing" of the Agave documentation, versions 0 and 1). Version 0 names an application and the kind of text; version 1 has
 * only sorted signers and the text.
 */
import { type Bytes, compareBytes, concat, equal, u8, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { encodeBase58 } from "../../keys/base58.ts"
import { SOLANA } from "../caip.ts"
import { Cursor } from "../cursor.ts"
import { type Context, type Decoder, demandSignature, onlyChain } from "../decoder.ts"
import { attempt, isPrintable, refuse } from "../problem.ts"
import type { Effect, Reading } from "../reading.ts"
import { decodeUtf8 } from "./data.ts"
import { signersOf } from "./signers.ts"

export const solanaOffchain: Decoder = {
  format: "solana/offchain",
  decode: (data, context) => attempt(() => decode(data, context)),
}

const MALFORMED = "E-INT-099"
const DOMAIN = concat(u8(0xff), utf8("solana offchain"))
const RESTRICTED_ASCII = 0
const LONG_UTF8 = 2
const ASCII = /^[\x20-\x7e]*$/
/** Length of the whole message, in the formats that hardware wallets accept. */
const MAX_SHORT = 1232

interface Offchain {
  readonly signers: readonly string[]
  readonly text: string
  /** Base58 of 32 bytes that anybody can write. */
  readonly application: string | undefined
}

function decode(data: Uint8Array, context: Context): Reading {
  demandSignature(context, "ed25519", ["EdDSA"])
  const chain = onlyChain(context, "solana", SOLANA)
  const { signers, text, application } = readOffchain(data)
  const { from, signs } = signersOf(context, signers, data)
  const domain = application === undefined ? {} : { domain: application }
  const effect = (signer: string): Effect =>
    isPrintable(text)
      ? { kind: "message", from: signer, text, ...domain }
      : { kind: "opaque_hash", from: signer, hash: sha256(data), reason: "it is not printable text" }
  return {
    format: "solana/offchain",
    chain,
    from,
    effects: from.map(effect),
    fee: { max: 0n, asset: `${chain}/slip44:501`, unbounded: false },
    signs,
  }
}

function readOffchain(data: Uint8Array): Offchain {
  const cursor = new Cursor(data, MALFORMED)
  if (!equal(cursor.view(DOMAIN.length), DOMAIN))
    refuse(MALFORMED, "byte 0", "it does not begin with the signing domain")
  const version = cursor.u8()
  if (version === 0) return readVersion0(cursor)
  return version === 1 ? readVersion1(cursor) : refuse(MALFORMED, `byte ${DOMAIN.length}`, `version ${version}`)
}

function readVersion0(cursor: Cursor): Offchain {
  const application = encodeBase58(cursor.view(32))
  const at = `byte ${cursor.offset}`
  const format = cursor.u8()
  if (format > LONG_UTF8) refuse(MALFORMED, at, `${format} is no kind of text`)
  const signers = readSigners(cursor)
  const length = cursor.uintLe(2)
  const text = readText(cursor, length)
  cursor.end()
  if (format === RESTRICTED_ASCII && !ASCII.test(text)) refuse(MALFORMED, at, "the text is not ASCII, as it says")
  if (format !== LONG_UTF8 && cursor.bytes.length > MAX_SHORT) refuse(MALFORMED, at, "the text is longer than it says")
  return { application, signers, text }
}

function readVersion1(cursor: Cursor): Offchain {
  const at = `byte ${cursor.offset}`
  const keys = readKeys(cursor)
  if (keys.some((key, i) => i > 0 && compareBytes(keys[i - 1] ?? key, key) >= 0))
    refuse(MALFORMED, at, "the signers are not in order, or one stands there twice")
  return { application: undefined, signers: keys.map(encodeBase58), text: readText(cursor, cursor.left) }
}

function readSigners(cursor: Cursor): readonly string[] {
  const at = `byte ${cursor.offset}`
  const signers = readKeys(cursor).map(encodeBase58)
  if (new Set(signers).size < signers.length) refuse(MALFORMED, at, "a signer stands there twice")
  return signers
}

function readKeys(cursor: Cursor): readonly Bytes[] {
  const at = `byte ${cursor.offset}`
  const keys = Array.from({ length: cursor.u8() }, () => cursor.take(32))
  return keys.length > 0 ? keys : refuse(MALFORMED, at, "nobody is to sign it")
}

function readText(cursor: Cursor, length: number): string {
  const at = `byte ${cursor.offset}`
  if (length === 0) refuse(MALFORMED, at, "the text is empty")
  return decodeUtf8(cursor.view(length)) ?? refuse(MALFORMED, at, "the text is not UTF-8")
}
