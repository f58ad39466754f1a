/** Whose signature it is: OpenSSH keys against ssh-keygen's own, passkeys against an authenticator written from WebAuthn's text. */
import { describe, expect, test } from "bun:test"
import { decodeSignedStatement, encodeSignedStatement, problemOfSigned } from "../../src/approvals/approver.ts"
import { fingerprintOf, readSshPublicKey, type SshKey } from "../../src/approvals/sshKey.ts"
import { armorSshsig, dearmorSshsig, problemOfSshsig } from "../../src/approvals/sshsig.ts"
import { readCoseKey } from "../../src/approvals/webauthn.ts"
import { type Bytes, copy, utf8 } from "../../src/bytes.ts"
import {
  clientDataOf,
  ORIGIN,
  passkeyApprover,
  passkeyTestKey,
  RP_ID,
  sshApprover,
  sshTestKey,
  sshText,
} from "../support/approvers.ts"
import vectors from "../vectors/sshsig.json"

const MESSAGE = utf8(vectors.message)
const NAMESPACE = "cosigner-approval"

function keyOf(line: string): SshKey {
  const key = readSshPublicKey(line)
  if ("problem" in key) throw new Error(key.problem)
  return key
}
const blobOf = (armored: string): Bytes => copy(Buffer.from(armored.split("\n").slice(1, -2).join(""), "base64"))
const flipped = (bytes: Uint8Array, at: number, bit = 1): Bytes => {
  const out = copy(bytes)
  out[at] = (out[at] ?? 0) ^ bit
  return out
}

describe("signatures of ssh-keygen", () => {
  for (const { key: line, hash, namespace, armored } of vectors.signatures) {
    const name = `${line.split(" ")[0]} ${hash} ${namespace}`
    test(`${name}: its own counts, and no other`, () => {
      const key = keyOf(line)
      const blob = blobOf(armored)
      expect(problemOfSshsig(blob, MESSAGE, key, namespace)).toBeUndefined()
      expect(problemOfSshsig(blob, MESSAGE, key, "cosigner-freeze")).toContain("namespace")
      expect(problemOfSshsig(blob, flipped(MESSAGE, 30), key, namespace)).toBe("it does not verify")
      for (const other of vectors.signatures.filter((vector) => vector.key !== line)) {
        expect(problemOfSshsig(blob, MESSAGE, keyOf(other.key), namespace)).toContain("another key")
      }
      for (let i = 0; i < blob.length; i++) {
        expect(problemOfSshsig(flipped(blob, i, 1 << (i % 8)), MESSAGE, key, namespace)).toBeString()
        expect(problemOfSshsig(blob.subarray(0, i), MESSAGE, key, namespace)).toBeString()
      }
      expect(problemOfSshsig(Uint8Array.of(...blob, 0), MESSAGE, key, namespace)).toBeString()
      expect(armorSshsig(blob)).toBe(armored)
    })
  }

  test("armor is taken in its one form", () => {
    const [{ armored } = { armored: "" }] = vectors.signatures
    expect(dearmorSshsig(armored.trimEnd())).toEqual(blobOf(armored))
    expect(dearmorSshsig(armored.replaceAll("\n", "\r\n"))).toEqual(blobOf(armored))
    const broken = [
      "",
      armored.replace("BEGIN SSH", "BEGIN PGP"),
      armored.replace("-----END SSH SIGNATURE-----\n", ""),
      `x\n${armored}`,
      `${armored}x\n`,
      armored.replace("U1NI", "U1N*"),
      "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
      "-----BEGIN SSH SIGNATURE-----\nAB==\n-----END SSH SIGNATURE-----\n",
      armored.replace("\n", `\n${"A".repeat(5000)}\n`),
    ]
    for (const text of broken) expect(dearmorSshsig(text)).toHaveProperty("problem")
  })
})

describe("keys of OpenSSH", () => {
  test("of other kinds are refused by name", () => {
    for (const line of vectors.refusedKeys) {
      expect(readSshPublicKey(line)).toMatchObject({ problem: expect.stringContaining(line.split(" ")[0] ?? "") })
    }
  })
  test("have one form", () => {
    const { line } = sshTestKey("ecdsa-sha2-nistp256")
    const [type = "", base64 = ""] = line.split(" ")
    expect(readSshPublicKey(`${type} ${base64}`)).toEqual(readSshPublicKey(`${line}\n`))
    expect(fingerprintOf(keyOf(line))).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/)
    // The two last bits of the last letter are in no byte.
    const last = base64.replace(/(.)=$/, (_, letter: string) => `${String.fromCharCode(letter.charCodeAt(0) + 1)}=`)
    expect(Buffer.from(last, "base64")).toEqual(Buffer.from(base64, "base64"))
    expect(readSshPublicKey(`${type} ${last}`)).toEqual({ problem: "its base64 is not in the one form" })
    const off = flipped(Buffer.from(base64, "base64"), 60)
    const compressed = Buffer.concat([sshText(type), sshText("nistp256"), sshText(Buffer.alloc(33, 2))])
    const smallOrder = Buffer.concat([sshText("ssh-ed25519"), sshText(Buffer.from([1, ...Array(31).fill(0)]))])
    const broken = [
      "",
      base64,
      `ssh-ed25519 ${base64}`,
      ` ${line}`,
      `${line}\n${line}`,
      `${type} ${base64.slice(0, -4)}`,
      `${type}  ${base64}`,
      `command="x" ${line}`,
      `${type} ${Buffer.from(off).toString("base64")}`,
      `${type} ${compressed.toString("base64")}`,
      `ssh-ed25519 ${smallOrder.toString("base64")}`,
      `${type} ${Buffer.concat([Buffer.from(base64, "base64"), Buffer.from([0])]).toString("base64")}`,
      `${type} ${"A".repeat(4000)}`,
    ]
    for (const text of broken) expect(readSshPublicKey(text)).toHaveProperty("problem")
  })
})

describe("ECDSA signatures", () => {
  test("hold their two numbers in the one form: no zero too many, none too few, no sign", () => {
    const made = sshTestKey("ecdsa-sha2-nistp256")
    const key = keyOf(made.line)
    const problems = (number: (value: Uint8Array) => Buffer) =>
      Array.from({ length: 16 }, () =>
        problemOfSshsig(made.sign(MESSAGE, NAMESPACE, { number }), MESSAGE, key, NAMESPACE),
      )
    expect(problems((value) => sshText(Buffer.concat([Buffer.from([0]), value])))).toContainEqual(
      expect.stringContaining("another form"),
    )
    expect(problems((value) => sshText(value))).toContainEqual(expect.stringContaining("negative"))
    for (const extra of [2, 40]) {
      for (const problem of problems((value) => sshText(Buffer.concat([Buffer.alloc(extra), value])))) {
        expect(problem).toBeString()
      }
    }
    expect(problems(() => sshText(Buffer.alloc(0)))).not.toContain(undefined)
    expect(problems(() => sshText(Buffer.from([0])))).not.toContain(undefined)
  })
})

describe("security keys", () => {
  for (const type of ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"] as const) {
    test(`${type}: somebody must have touched it; the counter may be anything`, () => {
      const made = sshTestKey(type)
      const key = keyOf(made.line)
      for (const [flags, counter] of [
        [1, 0],
        [5, 0xffffffff],
      ] as const) {
        expect(
          problemOfSshsig(made.sign(MESSAGE, NAMESPACE, { flags, counter }), MESSAGE, key, NAMESPACE),
        ).toBeUndefined()
      }
      for (const flags of [0, 4]) {
        expect(problemOfSshsig(made.sign(MESSAGE, NAMESPACE, { flags }), MESSAGE, key, NAMESPACE)).toContain("touched")
      }
      const blob = made.sign(MESSAGE)
      // The last five bytes are flags and counter, which the signature covers.
      for (let i = 1; i <= 5; i++) {
        expect(problemOfSshsig(flipped(blob, blob.length - i, 2), MESSAGE, key, NAMESPACE)).toBe("it does not verify")
      }
      for (let i = 0; i < blob.length; i++) {
        expect(problemOfSshsig(flipped(blob, i), MESSAGE, key, NAMESPACE)).toBeString()
      }
    })
  }
})

describe("passkeys", () => {
  const signed = { flags: 0x05 }
  for (const algorithm of ["ES256", "EdDSA"] as const) {
    const key = passkeyTestKey(algorithm)
    const publicKey = readCoseKey(key.cose)
    if ("problem" in publicKey) throw new Error(publicKey.problem)
    const approver = {
      name: "alice",
      keys: [{ kind: "passkey", passkey: { credentialId: key.credentialId, publicKey, rpId: RP_ID, origin: ORIGIN } }],
    } as const
    const problemOf = (options: Parameters<typeof key.sign>[1], message = MESSAGE) =>
      problemOfSigned(MESSAGE, key.sign(message, options), approver, NAMESPACE)

    test(`${algorithm}: an assertion over the statement counts`, () => {
      expect(problemOf(signed)).toBeUndefined()
      expect(problemOf({ flags: 0x1d })).toBeUndefined()
      expect(problemOf({ clientData: clientDataOf(MESSAGE, "") })).toBeUndefined()
      expect(problemOf({ clientData: clientDataOf(MESSAGE, ',"crossOrigin":false,"other":"x"') })).toBeUndefined()
      expect(problemOf({ flags: 0x85, extra: utf8("extension") })).toBeUndefined()
    })

    test(`${algorithm}: nothing else does`, () => {
      expect(problemOf(signed, flipped(MESSAGE, 5))).toContain("another statement")
      expect(problemOf({ flags: 0x04 })).toContain("present")
      expect(problemOf({ flags: 0x01 })).toContain("verified")
      expect(problemOf({ flags: 0x45 })).toContain("new credential")
      expect(problemOf({ flags: 0x05, extra: utf8("x") })).toContain("longer than it says")
      expect(problemOf({ rpId: "evil.example.com" })).toContain("relying party")
      const data = clientDataOf(MESSAGE)
      const wrong: readonly (readonly [string, string])[] = [
        [data.replace("webauthn.get", "webauthn.create"), "no assertion"],
        [data.replace(ORIGIN, "https://evil.example.com"), "another origin"],
        [data.replace(ORIGIN, `${ORIGIN}.evil.com`), "another origin"],
        [data.replace("false", "true"), "frame"],
        [clientDataOf(MESSAGE, ',"crossOrigin":false,"topOrigin":"https://evil.com"'), "frame"],
        [clientDataOf(MESSAGE, ',"crossOrigin":false,"challenge":"x"'), "twice"],
        [`${data}x`, "no JSON"],
        [` ${data}`, "not written"],
        [data.replace('"type":"webauthn.get",', "").replace("}", ',"type":"webauthn.get"}'), "not written"],
        [data.replace("https:", "https\\u003a"), "not written"],
      ]
      for (const [clientData, why] of wrong) expect(problemOf({ clientData })).toContain(why)
      const { signature } = { signature: key.sign(MESSAGE) }
      for (const field of ["credentialId", "authenticatorData", "clientDataJson", "signature"] as const) {
        const bytes = signature.assertion[field]
        for (let i = 0; i < bytes.length; i++) {
          const assertion = { ...signature.assertion, [field]: flipped(bytes, i) }
          expect(problemOfSigned(MESSAGE, { kind: "passkey", assertion }, approver, NAMESPACE)).toBeString()
        }
      }
      const other = passkeyTestKey(algorithm).sign(MESSAGE)
      expect(problemOfSigned(MESSAGE, other, approver, NAMESPACE)).toBe("it does not verify")
    })

    test(`${algorithm}: a COSE key has one form`, () => {
      for (let i = 0; i < 10; i++) expect(readCoseKey(flipped(key.cose, i))).toHaveProperty("problem")
      expect(readCoseKey(key.cose.subarray(0, -1))).toHaveProperty("problem")
      expect(readCoseKey(Uint8Array.of(...key.cose, 0))).toHaveProperty("problem")
    })
  }
})

describe("a signed statement", () => {
  const approvers = [sshApprover("alice"), passkeyApprover("bob")]
  const statement = {
    decision: "approve",
    task: "1",
    document: "11".repeat(32),
    intent: undefined,
    group: undefined,
    epoch: undefined,
    approver: "alice",
    notAfter: 1,
    nonce: "44".repeat(16),
    reading: ["x"],
  } as const

  test("travels as bytes in one form", () => {
    for (const { sign } of approvers) {
      const signed = sign(statement)
      const bytes = encodeSignedStatement(signed)
      expect(decodeSignedStatement(bytes)).toEqual(signed)
      for (let i = 0; i < bytes.length; i++)
        expect(decodeSignedStatement(bytes.subarray(0, i))).toHaveProperty("problem")
      expect(decodeSignedStatement(Uint8Array.of(...bytes, 0))).toHaveProperty("problem")
    }
  })

  test("is of the kind of its approver's key", () => {
    const [alice, bob] = approvers
    if (alice === undefined || bob === undefined) throw new Error("there are two")
    for (const [signer, owner] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      const { statement: bytes, signature } = signer.sign(statement)
      expect(problemOfSigned(bytes, signature, signer.approver, NAMESPACE)).toBeUndefined()
      expect(problemOfSigned(bytes, signature, owner.approver, NAMESPACE)).toContain("is configured")
    }
  })
})
