/**
 * Output scripts: what they pay to, the spelling of that as an address, and which of them a key of the group can spend alone.
 * Owns the templates of P2PKH, P2SH, witness programs and OP_RETURN (BIP-13, 16, 141, 341); every other script is shown whole.
 */
import { ripemd160 } from "@noble/hashes/legacy.js"
import { type Bytes, concat, copy, equal, toHex } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { segwit, taprootOutputKey } from "../../keys/addresses.ts"
import { encodeBase58Check } from "../../keys/base58.ts"
import type { Network } from "./network.ts"

const OP_RETURN = 0x6a
const OP_PUSHDATA1 = 0x4c
const OP_PUSHDATA2 = 0x4d

/** A script by its template; `hash`, `program`: views of the script. */
type ScriptTemplate =
  | { readonly kind: "p2pkh" | "p2sh"; readonly hash: Uint8Array }
  | { readonly kind: "witness"; readonly version: number; readonly program: Uint8Array }
  | { readonly kind: "op_return" | "other" }

export function templateOf(script: Uint8Array): ScriptTemplate {
  const { length } = script
  if (length === 25 && hasBytes(script, 0, 0x76, 0xa9, 0x14) && hasBytes(script, 23, 0x88, 0xac)) {
    return { kind: "p2pkh", hash: script.subarray(3, 23) }
  }
  if (length === 23 && hasBytes(script, 0, 0xa9, 0x14) && hasBytes(script, 22, 0x87)) {
    return { kind: "p2sh", hash: script.subarray(2, 22) }
  }
  return witnessOf(script) ?? { kind: script[0] === OP_RETURN ? "op_return" : "other" }
}

/** OP_DUP OP_HASH160 <20 bytes> OP_EQUALVERIFY OP_CHECKSIG: the script of P2PKH, and BIP-143's script code of P2WPKH. */
export const p2pkhScript = (keyHash: Uint8Array): Bytes =>
  concat(Uint8Array.of(0x76, 0xa9, 0x14), keyHash, Uint8Array.of(0x88, 0xac))

/** BIP-141: OP_0 or OP_1 to OP_16, then one push of 2 to 40 bytes, and nothing else. */
function witnessOf(script: Uint8Array): ScriptTemplate | undefined {
  const [opcode = 0xff, push = 0] = script
  const version = opcode === 0 ? 0 : opcode - 0x50
  if (version < 0 || version > 16 || push < 2 || push > 40 || script.length !== push + 2) return undefined
  // Nobody can spend version 0 with a program of another length, and it has no address.
  if (version === 0 && push !== 20 && push !== 32) return undefined
  return { kind: "witness", version, program: script.subarray(2) }
}

const hasBytes = (script: Uint8Array, at: number, ...bytes: readonly number[]): boolean =>
  bytes.every((byte, i) => script[at + i] === byte)

/** A destination without an address is named by its script, or by the script's hash if it is longer than this. */
const LONGEST_SHOWN = 256

/** The address of a script on a network; `script:<hex>` or `script-sha256:<hex>` for a script without address. */
export function destinationOf(script: Uint8Array, network: Network): string {
  const template = templateOf(script)
  switch (template.kind) {
    case "p2pkh":
      return encodeBase58Check(concat(Uint8Array.of(network.p2pkh), template.hash))
    case "p2sh":
      return encodeBase58Check(concat(Uint8Array.of(network.p2sh), template.hash))
    case "witness":
      return segwit(network.hrp, template.version, template.program)
    default:
      return script.length > LONGEST_SHOWN ? `script-sha256:${toHex(sha256(script))}` : `script:${toHex(script)}`
  }
}

/** What an OP_RETURN script carries: the data of its one push; if it has another form, everything after OP_RETURN. */
export function carriedData(script: Uint8Array): Bytes {
  const [, push = 0, low = 0, high = 0] = script
  const [header, length] =
    push < OP_PUSHDATA1
      ? [2, push]
      : push === OP_PUSHDATA1
        ? [3, low]
        : push === OP_PUSHDATA2
          ? [4, low + 256 * high]
          : []
  return copy(
    script.length === (header ?? 0) + (length ?? 0) && header !== undefined
      ? script.subarray(header)
      : script.subarray(1),
  )
}

// ---- scripts of one key --------------------------------------------------------------------------------------------

/**
 * How one of our keys owns a script. `p2tr` is BIP-86, with no scripts beside the key; `rawtr` has the key itself as output key;
 * `p2tr-tree` has a tree of scripts, of which we know only the root.
 */
export type OwnType = "p2pkh" | "p2sh-p2wpkh" | "p2wpkh" | "p2tr" | "rawtr" | "p2tr-tree"

export const isTaproot = (type: OwnType): boolean => type === "p2tr" || type === "rawtr" || type === "p2tr-tree"

export const hash160 = (bytes: Uint8Array): Bytes => copy(ripemd160(sha256(bytes)))

export const p2wpkhScript = (keyHash: Uint8Array): Bytes => concat(Uint8Array.of(0x00, 0x14), keyHash)

export const p2trScript = (outputKey: Uint8Array): Bytes => concat(Uint8Array.of(0x51, 0x20), outputKey)

const p2shScript = (scriptHash: Uint8Array): Bytes => concat(Uint8Array.of(0xa9, 0x14), scriptHash, Uint8Array.of(0x87))

/** The merkle root of a Taproot output without scripts (BIP-86). */
export const NO_SCRIPTS = new Uint8Array(0)

interface OwnScript {
  readonly type: OwnType
  readonly script: Bytes
}

/** The scripts of a key (33 bytes) that need only hashes. */
export function hashedScripts(publicKey: Uint8Array): readonly OwnScript[] {
  const keyHash = hash160(publicKey)
  const program = p2wpkhScript(keyHash)
  return [
    { type: "p2pkh", script: p2pkhScript(keyHash) },
    { type: "p2sh-p2wpkh", script: p2shScript(hash160(program)) },
    { type: "p2wpkh", script: program },
    { type: "rawtr", script: p2trScript(publicKey.subarray(1)) },
  ]
}

/** The Taproot script of a key and the root of a tree of scripts, empty for none; one point multiplication. */
export const taprootScript = (publicKey: Uint8Array, merkleRoot: Uint8Array): OwnScript => ({
  type: merkleRoot.length === 0 ? "p2tr" : "p2tr-tree",
  script: p2trScript(taprootOutputKey(publicKey, merkleRoot)),
})

/**
 * How the key `publicKey` (33 bytes) owns `script`, or undefined if it does not. `merkleRoot`: a root to try in addition to the
 * empty one. Costs one point multiplication for a Taproot script, two with a root.
 */
export function ownership(publicKey: Uint8Array, script: Uint8Array, merkleRoot?: Uint8Array): OwnType | undefined {
  const hashed = hashedScripts(publicKey).find((own) => equal(own.script, script))
  if (hashed !== undefined) return hashed.type
  const template = templateOf(script)
  if (template.kind !== "witness" || template.version !== 1 || template.program.length !== 32) return undefined
  const roots = merkleRoot?.length === 32 ? [NO_SCRIPTS, merkleRoot] : [NO_SCRIPTS]
  return roots.map((root) => taprootScript(publicKey, root)).find((own) => equal(own.script, script))?.type
}
