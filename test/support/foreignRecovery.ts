/**
 * Recovery files as another program writes them: made from formats.md 5 with BigInts, noble's points and the runtime's ciphers, and none of our
 * code for shares, keys, files or boxes.
 */
import { createCipheriv, createHash, pbkdf2Sync, randomBytes } from "node:crypto"
import { ed25519 } from "@noble/curves/ed25519.js"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { base58check } from "@scure/base"

export interface ForeignGroup {
  readonly curve: "secp256k1" | "ed25519"
  readonly root: bigint
  readonly rootKey: Uint8Array
  readonly extendedKey: string
  readonly chainCode: Uint8Array
  readonly shareIds: readonly bigint[]
  readonly nodeIds: readonly string[]
  readonly shares: readonly bigint[]
  /** The text of participant n's file. */
  readonly file: (participant: number, password: string) => string
}

export interface ForeignChoice {
  readonly curve: "secp256k1" | "ed25519"
  readonly threshold: number
  readonly size: number
  readonly groupId?: string
  readonly shareIds?: readonly bigint[]
  readonly version?: 1 | 2 | 3
  readonly iterations?: number
}

const hash = (data: Uint8Array) => new Uint8Array(createHash("sha256").update(data).digest())
const big = (bytes: Uint8Array) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`)
const bytes32 = (value: bigint) => new Uint8Array(Buffer.from(value.toString(16).padStart(64, "0"), "hex"))
const hex = (bytes: Uint8Array) => `0x${Buffer.from(bytes).toString("hex")}`

export function foreignGroup(choice: ForeignChoice): ForeignGroup {
  const { curve, threshold, size } = choice
  const Point = curve === "secp256k1" ? secp256k1.Point : ed25519.Point
  const q = Point.Fn.ORDER
  const random = () => (big(randomBytes(48)) % (q - 1n)) + 1n
  const polynomial = Array.from({ length: threshold }, random)
  const shareIds = choice.shareIds ?? Array.from({ length: size }, () => big(randomBytes(16)) + 1n)
  const at = (x: bigint) => polynomial.reduceRight((sum, coefficient) => (sum * x + coefficient) % q, 0n)
  const shares = shareIds.map((id) => at(id % q))
  const encode = (scalar: bigint) => Point.BASE.multiply(scalar).toBytes()
  const root = polynomial[0] ?? 0n
  const rootKey = encode(root)
  const chainCode = new Uint8Array(randomBytes(32))
  const keyField = curve === "secp256k1" ? rootKey : Buffer.concat([new Uint8Array(1), rootKey])
  const version = curve === "secp256k1" ? "0488b21e" : "02e8de90"
  const extendedKey = base58check(hash).encode(
    new Uint8Array(Buffer.concat([Buffer.from(version, "hex"), new Uint8Array(9), chainCode, keyField])),
  )
  const nodeIds = shareIds.map((_, i) => `cobo${base58check(hash).encode(hash(Uint8Array.of(i, size, threshold)))}`)
  const participants = shareIds.map((id, i) => ({
    node_id: nodeIds[i],
    share_id: id.toString(),
    share_public_key: hex(encode(shares[i] ?? 1n)),
  }))
  const file = (participant: number, password: string): string => {
    const kdf = {
      length: 32,
      iterations: choice.iterations ?? 2000,
      salt: hex(randomBytes(32)),
      hash_type: 5,
      hash_name: "SHA-256",
    }
    const key = pbkdf2Sync(password, Buffer.from(kdf.salt.slice(2), "hex"), kdf.iterations, kdf.length, "sha256")
    const nonce = randomBytes(12)
    const cipher = createCipheriv("aes-256-gcm", key, nonce)
    const share = bytes32(shares[participant] ?? 0n)
    const raw =
      choice.version === 1
        ? share
        : Buffer.from(JSON.stringify({ encrypted_share: Buffer.from(share).toString("base64") }))
    const box = Buffer.concat([nonce, cipher.update(raw), cipher.final(), cipher.getAuthTag()])
    return JSON.stringify({
      recovery_groups: [
        {
          version: choice.version ?? 3,
          group_info: {
            id: choice.groupId ?? (curve === "secp256k1" ? "OoQGkknsPdPjLCmSuuSf" : "EdQGkknsPdPjLCmSuuSf"),
            created_time: "2023-01-09 09:42:21.391 +0000 UTC",
            type: curve === "secp256k1" ? 1 : 2,
            root_extended_public_key: extendedKey,
            chaincode: hex(chainCode),
            curve,
            threshold,
            participants,
          },
          share_info: { ...participants[participant], encrypted_share: box.toString("base64"), kdf },
        },
      ],
    })
  }
  return { curve, root, rootKey, extendedKey, chainCode, shareIds, nodeIds, shares, file }
}
