/** The demo's signatures: requests one real transaction of each kind, verifies the signature here, and reports it. */

import { randomBytes, verify as verifyNative } from "node:crypto"
import { schnorr, secp256k1 } from "@noble/curves/secp256k1.js"
import { ripemd160 } from "@noble/hashes/legacy.js"
import { type Bytes, concat, copy, equal, toHex, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { publicKeyOf } from "../../crypto/rawKeys.ts"
import { CosignerError } from "../../errors.ts"
import { ethereumAddress, solanaAddress } from "../../keys/addresses.ts"
import type { DeployedNode, Deployment } from "./deployment.ts"
import { type AskedPayload, bytesOf, childKey, type DemoVault, sign } from "./keys.ts"
import type { DemoReport } from "./report.ts"
import {
  eip1559Transfer,
  p2trScript,
  p2wpkhScript,
  p2wpkhSighash,
  solanaTransfer,
  taprootSighash,
} from "./transactions.ts"

const hash160 = (bytes: Bytes): Bytes => copy(ripemd160(sha256(bytes)))
const random = (length: number): Bytes => copy(randomBytes(length))

export interface WantedSignature {
  readonly what: string
  readonly curve: "ed25519" | "secp256k1"
  readonly scheme: "eddsa" | "ecdsa" | "bip340"
  readonly path: string
  readonly message: Bytes
  readonly tweak: string
  /** The key that must verify, computed here from the root key. */
  readonly publicKey: Bytes
  readonly payload?: AskedPayload
}

export function solana(vault: DemoVault, index: number): WantedSignature {
  const path = `m/44/501/${index}`
  const from = childKey(rootOf(vault, "ed25519"), path)
  const message = solanaTransfer(from, random(32), 1_000_000_000n + BigInt(index), random(32))
  return {
    what: `Solana transfer from ${solanaAddress(from)}`,
    curve: "ed25519",
    scheme: "eddsa",
    path,
    message,
    tweak: "",
    publicKey: from,
  }
}

export interface EthereumWanted extends WantedSignature {
  readonly raw: Bytes
  readonly to: Bytes
}

export function ethereum(vault: DemoVault, index: number): EthereumWanted {
  const path = `m/44/60/0/0/${index}`
  const publicKey = childKey(rootOf(vault, "secp256k1"), path)
  const to = random(20)
  const { raw, digest } = eip1559Transfer({
    chainId: 1n,
    nonce: BigInt(index),
    maxPriorityFeePerGas: 1_000_000_000n,
    maxFeePerGas: 30_000_000_000n,
    gasLimit: 21_000n,
    to,
    value: 10n ** 16n,
  })
  return {
    what: `Ethereum EIP-1559 transfer from ${ethereumAddress(publicKey)}`,
    curve: "secp256k1",
    scheme: "ecdsa",
    path,
    message: digest,
    tweak: "",
    publicKey,
    raw,
    to,
  }
}

export function bitcoin(vault: DemoVault, index: number): WantedSignature {
  const path = `m/84/0/0/0/${index}`
  const publicKey = childKey(rootOf(vault, "secp256k1"), path)
  const message = p2wpkhSighash({ ...spend(), scriptPubKey: p2wpkhScript(hash160(publicKey)) })
  return { what: "Bitcoin P2WPKH input", curve: "secp256k1", scheme: "ecdsa", path, message, tweak: "", publicKey }
}

export function taproot(vault: DemoVault, index: number): WantedSignature {
  const path = `m/86/0/0/0/${index}`
  const publicKey = outputKey(childKey(rootOf(vault, "secp256k1"), path))
  const message = taprootSighash({ ...spend(), scriptPubKey: p2trScript(publicKey) })
  return {
    what: "Bitcoin Taproot key-path input",
    curve: "secp256k1",
    scheme: "bip340",
    path,
    message,
    tweak: "0x",
    publicKey,
  }
}

const spend = () => ({
  txid: random(32),
  vout: 1,
  value: 5_000_000n,
  outValue: 4_990_000n,
  outScript: p2wpkhScript(random(20)),
})

/** BIP-341 output key (x-only) of a key without scripts, by noble and independent of the node's own code. */
function outputKey(internal: Bytes): Bytes {
  const x = internal.slice(1)
  const tag = sha256(utf8("TapTweak"))
  const t = BigInt(`0x${toHex(sha256(concat(tag, tag, x)))}`)
  const point = schnorr.utils.lift_x(BigInt(`0x${toHex(x)}`)).add(secp256k1.Point.BASE.multiply(t))
  return copy(schnorr.utils.pointToBytes(point))
}

/** Asks these nodes for the signature, verifies it, and reports it as the step `sign`. */
export async function signed(
  deployment: Deployment,
  vault: DemoVault,
  report: DemoReport,
  nodes: readonly DeployedNode[],
  wanted: WantedSignature,
  extraInfo: Readonly<Record<string, unknown>> = {},
  meanwhile?: (requestId: string) => Promise<void>,
): Promise<void> {
  const { curve, scheme, path, message, tweak, publicKey } = wanted
  const signatureType = scheme === "ecdsa" ? 1 : scheme === "eddsa" ? 2 : 3
  const asked = { curve, signatureType, path, message, tweak, nodes, extraInfo } as const
  const payload = wanted.payload === undefined ? {} : { payload: wanted.payload }
  const answer = await sign(deployment, vault, { ...asked, ...payload }, meanwhile)
  if (answer.kind !== "signed") {
    throw new CosignerError("E-CLI-022", { what: `${wanted.what} was ${answer.status}: ${answer.reason}` })
  }
  const signature = bytesOf(answer.signature.signature)
  const recid = answer.signature.signature_recovery === "" ? undefined : Number(answer.signature.signature_recovery)
  if (!verifies(wanted, signature, recid))
    throw new CosignerError("E-CLI-022", { what: `the signature of a ${wanted.what}` })
  const names = nodes.map(({ name }) => name)
  report.step(
    {
      step: "sign",
      curve,
      scheme,
      root: rootOf(vault, curve),
      path,
      public_key: toHex(publicKey),
      message: toHex(message),
      signature: toHex(signature),
      ...(recid === undefined ? {} : { recid }),
      nodes: nodes.map(({ nodeId }) => nodeId),
      ms: answer.ms,
    },
    `${wanted.what}: signed by ${names.join(" and ")}, verified (${answer.ms} ms)`,
  )
}

/** Verifies with code that the nodes do not use: node:crypto for Ed25519, noble for secp256k1. */
export function verifies(
  { scheme, message, publicKey }: WantedSignature,
  signature: Bytes,
  recid: number | undefined,
): boolean {
  switch (scheme) {
    case "eddsa":
      return verifyNative(null, message, publicKeyOf("ed25519", publicKey), signature)
    case "ecdsa": {
      if (recid === undefined || !secp256k1.verify(signature, message, publicKey, { prehash: false })) return false
      const recoverable = concat(Uint8Array.of(recid), signature)
      return equal(secp256k1.recoverPublicKey(recoverable, message, { prehash: false }), publicKey)
    }
    case "bip340":
      return schnorr.verify(signature, message, publicKey)
  }
}

export function rootOf(vault: DemoVault, curve: "ed25519" | "secp256k1"): string {
  const root = vault.roots[curve]
  if (root === undefined) throw new CosignerError("E-CLI-022", { what: `the vault has no key on ${curve}` })
  return root
}
