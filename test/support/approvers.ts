/**
 * Approvers for tests: keys of all four OpenSSH kinds and of both passkey algorithms, and what they sign, written from the formats
 * alone (PROTOCOL.sshsig, PROTOCOL.u2f, WebAuthn 5.8.1 and 6.1) with node:crypto, not by the code under test.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto"
import type { Approver, ApproverSignature, SignedStatement } from "../../src/approvals/approver.ts"
import { readSshPublicKey } from "../../src/approvals/sshKey.ts"
import { type ApprovalStatement, writeStatement } from "../../src/approvals/statement.ts"
import { readCoseKey } from "../../src/approvals/webauthn.ts"
import { type Bytes, copy } from "../../src/bytes.ts"

type SshKind =
  | "ssh-ed25519"
  | "sk-ssh-ed25519@openssh.com"
  | "ecdsa-sha2-nistp256"
  | "sk-ecdsa-sha2-nistp256@openssh.com"

const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(value)
  return out
}
export const sshText = (value: string | Uint8Array): Buffer =>
  Buffer.concat([u32(Buffer.from(value).length), Buffer.from(value)])
const hashed = (bytes: Uint8Array, name: "sha256" | "sha512" = "sha256"): Buffer =>
  createHash(name).update(bytes).digest()

/** Raw public key: 32 bytes, or the uncompressed point. */
function rawKey(key: KeyObject): Buffer {
  const der = createPublicKey(key).export({ format: "der", type: "spki" })
  return Buffer.from(der.subarray(key.asymmetricKeyType === "ed25519" ? -32 : -65))
}

const newKey = (isEcdsa: boolean): KeyObject =>
  isEcdsa
    ? generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey
    : createPrivateKey(generateKeyPairSync("ed25519").privateKey.export({ format: "pem", type: "pkcs8" }))

const mpint = (value: Uint8Array): Buffer => {
  const digits = Buffer.from(value.subarray(value.findIndex((byte) => byte !== 0)))
  return sshText((digits[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), digits]) : digits)
}

export interface SshTestKey {
  /** As in a .pub file. */
  readonly line: string
  sign(
    message: Uint8Array,
    namespace?: string,
    options?: {
      readonly hash?: "sha256" | "sha512"
      readonly flags?: number
      readonly counter?: number
      /** How the two numbers of an ECDSA signature are written, other than OpenSSH does. */
      readonly number?: (value: Uint8Array) => Buffer
    },
  ): Bytes
}

export function sshTestKey(type: SshKind, comment = "test"): SshTestKey {
  const isEcdsa = type.includes("ecdsa")
  const isDevice = type.startsWith("sk-")
  const key = newKey(isEcdsa)
  const blob = Buffer.concat([
    sshText(type),
    ...(isEcdsa ? [sshText("nistp256")] : []),
    sshText(rawKey(key)),
    ...(isDevice ? [sshText("ssh:")] : []),
  ])
  return {
    line: `${type} ${blob.toString("base64")} ${comment}`,
    sign(message, namespace = "cosigner-approval", { hash = "sha512", flags = 1, counter = 7, number = mpint } = {}) {
      const head = [sshText(namespace), sshText(""), sshText(hash)]
      const signed = Buffer.concat([Buffer.from("SSHSIG"), ...head, sshText(hashed(message, hash))])
      const device = Buffer.concat([Buffer.from([flags]), u32(counter)])
      const covered = isDevice ? Buffer.concat([hashed(Buffer.from("ssh:")), device, hashed(signed)]) : signed
      const signature = isEcdsa ? ecdsaPair(covered, key, number) : sign(null, covered, key)
      const value = Buffer.concat([sshText(type), sshText(signature), ...(isDevice ? [device] : [])])
      return copy(Buffer.concat([Buffer.from("SSHSIG"), u32(1), sshText(blob), ...head, sshText(value)]))
    },
  }
}

function ecdsaPair(message: Uint8Array, key: KeyObject, number: (value: Uint8Array) => Buffer): Buffer {
  const pair = sign("sha256", message, { key, dsaEncoding: "ieee-p1363" })
  return Buffer.concat([number(pair.subarray(0, 32)), number(pair.subarray(32))])
}

export const RP_ID = "approvals.example.com"
export const ORIGIN = `https://${RP_ID}`

interface AssertionOptions {
  readonly flags?: number
  readonly rpId?: string
  readonly clientData?: string
  readonly extra?: Uint8Array
}

export interface PasskeyTestKey {
  readonly credentialId: Bytes
  readonly cose: Bytes
  sign(message: Uint8Array, options?: AssertionOptions): Extract<ApproverSignature, { readonly kind: "passkey" }>
}

export const clientDataOf = (message: Uint8Array, rest = ',"crossOrigin":false'): string =>
  `{"type":"webauthn.get","challenge":"${hashed(message).toString("base64url")}","origin":"${ORIGIN}"${rest}}`

export function passkeyTestKey(algorithm: "ES256" | "EdDSA", id = "credential of a test"): PasskeyTestKey {
  const key = newKey(algorithm === "ES256")
  const raw = rawKey(key)
  const credentialId = copy(Buffer.from(id))
  const cose = copy(
    algorithm === "ES256"
      ? Buffer.concat([
          Buffer.from("a5010203262001215820", "hex"),
          raw.subarray(1, 33),
          Buffer.from("225820", "hex"),
          raw.subarray(33),
        ])
      : Buffer.concat([Buffer.from("a4010103272006215820", "hex"), raw]),
  )
  return {
    credentialId,
    cose,
    sign(message, { flags = 0x05, rpId = RP_ID, clientData = clientDataOf(message), extra = Buffer.alloc(0) } = {}) {
      const data = Buffer.concat([hashed(Buffer.from(rpId)), Buffer.from([flags]), u32(9), extra])
      const signed = Buffer.concat([data, hashed(Buffer.from(clientData))])
      const signature = algorithm === "ES256" ? sign("sha256", signed, key) : sign(null, signed, key)
      return {
        kind: "passkey",
        assertion: {
          credentialId,
          authenticatorData: copy(data),
          clientDataJson: copy(Buffer.from(clientData)),
          signature: copy(signature),
        },
      }
    },
  }
}

/** A person with a key: what a node's file says of them, and what they sign. */
export interface TestApprover {
  readonly approver: Approver
  sign(statement: ApprovalStatement): SignedStatement
}

export function sshApprover(name: string, type: SshKind = "ssh-ed25519"): TestApprover & { readonly line: string } {
  const key = sshTestKey(type, name)
  const ssh = readSshPublicKey(key.line)
  if ("problem" in ssh) throw new Error(ssh.problem)
  return {
    line: key.line,
    approver: { name, keys: [{ kind: "ssh", ssh }] },
    sign(statement) {
      const bytes = writeStatement(statement)
      return { statement: bytes, signature: { kind: "ssh", blob: key.sign(bytes) } }
    },
  }
}

export function passkeyApprover(name: string, algorithm: "ES256" | "EdDSA" = "ES256"): TestApprover {
  const key = passkeyTestKey(algorithm, name)
  const publicKey = readCoseKey(key.cose)
  if ("problem" in publicKey) throw new Error(publicKey.problem)
  const passkey = { credentialId: key.credentialId, publicKey, rpId: RP_ID, origin: ORIGIN }
  return {
    approver: { name, keys: [{ kind: "passkey", passkey }] },
    sign(statement) {
      const bytes = writeStatement(statement)
      return { statement: bytes, signature: key.sign(bytes) }
    },
  }
}
