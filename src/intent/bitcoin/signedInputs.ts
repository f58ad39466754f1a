/**
 * The inputs that a task signs, each with the digest that its signature must cover. Owns the agreement of a message with its
 * input: key, Taproot tweak and kind of signature must give exactly the spent script, and the signature must cover
 * the whole transaction.
 */
import { type Bytes, equal } from "../../bytes.ts"
import type { Asked, Context } from "../decoder.ts"
import { refuse } from "../problem.ts"
import type { Psbt, PsbtInput } from "./psbtFields.ts"
import { hash160, hashedScripts, isTaproot, type OwnType, p2wpkhScript, taprootScript, templateOf } from "./scripts.ts"
import { SIGHASH_ALL, SIGHASH_DEFAULT, type Sighashes, type SighashType, sighashesOf } from "./sighash.ts"
import type { SpentOutput } from "./spent.ts"

export interface SignedInput {
  readonly index: number
  /** Undefined in an offline reading. */
  readonly path: readonly number[] | undefined
  readonly type: OwnType
  readonly digest: Bytes
}

/** P2PKH hashes the whole transaction once for each input; this bounds the bytes in all, some 0.2 s. */
const MAX_HASHED = 64 * 1024 * 1024

/** The inputs that the task's messages name, in the messages' order. Refuses with E-INT-069, 070, 072. */
export function claimedInputs(psbt: Psbt, spent: readonly SpentOutput[], context: Context): readonly SignedInput[] {
  const digests = new Digests(psbt, spent)
  const seen = new Set<number>()
  return context.messages.map((message, position) => {
    const { input: index, path } = message
    if (index === undefined) return refuse("E-INT-072", `message ${position}`, "it names no input")
    if (seen.has(index)) refuse("E-INT-072", `message ${position}`, `input ${index} has a message already`)
    seen.add(index)
    const script = spent[index]?.output.script
    const map = psbt.inputs[index]
    if (script === undefined || map === undefined) {
      return refuse("E-INT-072", `message ${position}`, `there are ${spent.length} inputs, and it names input ${index}`)
    }
    const type = typeOf(message, script) ?? mismatch(message, index)
    demandAgreement(message, map, type, index)
    return { index, path, type, digest: digests.of(index, type, hash160(message.publicKey)) }
  })
}

/**
 * Without keys: every input of a kind that we could sign, as if it were ours, with the hash of the key in its script.
 */
export function signableInputs(psbt: Psbt, spent: readonly SpentOutput[]): readonly SignedInput[] {
  const digests = new Digests(psbt, spent)
  const signable = spent.flatMap(({ output }, index) => {
    const found = signableType(output.script, psbt.inputs[index]?.redeemScript)
    if (found === undefined) return []
    return [{ index, path: undefined, type: found.type, digest: digests.of(index, found.type, found.keyHash) }]
  })
  if (signable.length === 0) refuse("E-INT-070", "inputs", "none of them has a script that one key spends")
  return signable
}

/** How message and script agree: ECDSA with the three hashed forms of the key, Schnorr with the output key of this one tweak. */
function typeOf({ signature, publicKey, merkleRoot }: Asked, script: Uint8Array): OwnType | undefined {
  const scripts =
    signature === "Schnorr" && merkleRoot !== undefined
      ? [taprootScript(publicKey, merkleRoot)]
      : hashedScripts(publicKey).filter(({ type }) => isTaproot(type) === (signature === "Schnorr"))
  return scripts.find((own) => equal(own.script, script))?.type
}

function mismatch({ signature, merkleRoot }: Asked, index: number): never {
  const tweak =
    merkleRoot === undefined
      ? "no tweak"
      : merkleRoot.length === 0
        ? "the tweak without scripts"
        : "a tweak with scripts"
  return refuse("E-INT-070", `input ${index}`, `${signature} with the key of the path and ${tweak} cannot spend it`)
}

/** What the map states about one of our inputs must be true. It may be absent, because the node knows it. */
function demandAgreement({ publicKey }: Asked, map: PsbtInput, type: OwnType, index: number): void {
  const at = `input ${index}`
  if (map.redeemScript !== undefined) {
    const expected = type === "p2sh-p2wpkh" ? p2wpkhScript(hash160(publicKey)) : undefined
    if (expected === undefined || !equal(expected, map.redeemScript)) {
      refuse("E-INT-070", at, "its redeem script is not the one of the key")
    }
  }
  if (map.internalKey !== undefined && !(isTaproot(type) && equal(map.internalKey, publicKey.subarray(1)))) {
    refuse("E-INT-070", at, "its internal key is not the key of the path")
  }
}

function signableType(
  script: Uint8Array,
  redeemScript: Uint8Array | undefined,
): { readonly type: OwnType; readonly keyHash: Uint8Array } | undefined {
  const template = templateOf(script)
  if (template.kind === "p2pkh") return { type: "p2pkh", keyHash: template.hash }
  if (template.kind === "p2sh" && redeemScript !== undefined && equal(hash160(redeemScript), template.hash)) {
    const nested = templateOf(redeemScript)
    if (nested.kind === "witness" && nested.version === 0 && nested.program.length === 20) {
      return { type: "p2sh-p2wpkh", keyHash: nested.program }
    }
  }
  if (template.kind !== "witness") return undefined
  const { version, program } = template
  if (version === 0 && program.length === 20) return { type: "p2wpkh", keyHash: program }
  return version === 1 && program.length === 32 ? { type: "p2tr", keyHash: program } : undefined
}

class Digests {
  readonly #sighashes: Sighashes
  #hashed = 0

  constructor(
    readonly psbt: Psbt,
    spent: readonly SpentOutput[],
  ) {
    this.#sighashes = sighashesOf(
      psbt.tx,
      spent.map(({ output }) => output),
    )
  }

  of(index: number, type: OwnType, keyHash: Uint8Array): Bytes {
    const sighash = this.#sighashTypeOf(index, type)
    if (isTaproot(type)) return this.#sighashes.taproot(index, sighash)
    if (type !== "p2pkh") return this.#sighashes.witnessV0(index, keyHash)
    this.#hashed += this.#sighashes.legacyCost
    if (this.#hashed > MAX_HASHED)
      refuse("E-INT-003", `input ${index}`, "too many P2PKH inputs in too large a transaction")
    return this.#sighashes.legacy(index)
  }

  /** What the signature covers. If it does not cover all of the transaction, others can change the transaction after we have read it. */
  #sighashTypeOf(index: number, type: OwnType): SighashType {
    const stated = this.psbt.inputs[index]?.sighashType ?? (isTaproot(type) ? SIGHASH_DEFAULT : SIGHASH_ALL)
    if (stated === SIGHASH_ALL) return SIGHASH_ALL
    if (stated === SIGHASH_DEFAULT && isTaproot(type)) return SIGHASH_DEFAULT
    return refuse("E-INT-069", `input ${index}`, `type 0x${stated.toString(16)}`)
  }
}
