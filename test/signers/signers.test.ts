/** Keys of people: files as ssh-keygen writes them, an agent that lies, and ssh-keygen itself as the judge of what is signed. */
import { afterAll, describe, expect, test } from "bun:test"
import { verify as verifyWith } from "node:crypto"
import { chmodSync, writeFileSync } from "node:fs"
import { p256 } from "@noble/curves/nist.js"
import { readSshPublicKey } from "../../src/approvals/sshKey.ts"
import { armorSshsig, problemOfSshsig } from "../../src/approvals/sshsig.ts"
import { type Bytes, concat, copy, equal, u8, u32be, utf8 } from "../../src/bytes.ts"
import { ByteReader, block } from "../../src/codec.ts"
import { publicKeyOf } from "../../src/crypto/rawKeys.ts"
import { Secret } from "../../src/secret.ts"
import { agentSigner } from "../../src/signers/agent.ts"
import { newKeyFile, openKeyFile, publicKeyIn } from "../../src/signers/keyFile.ts"
import { openSigner } from "../../src/signers/open.ts"
import { sshsigInput } from "../../src/signers/signer.ts"
import { sshTestKey } from "../support/approvers.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { ED, ED_SIGNATURE, LOCKED, P256 } from "./sshKeys.ts"

const folder = temporaryFolder("signers")
afterAll(() => folder[Symbol.dispose]())

const NAMESPACE = "cosigner-approval"
const HELLO = utf8("hello\n")
let files = 0

/** A file of mode 600 with that text. */
function fileOf(text: string, mode = 0o600): string {
  const path = folder.at(`key-${files++}`)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

const blobOf = (line: string): Bytes => copy(Buffer.from(line.split(" ")[1] ?? "", "base64"))

/** The key's own signature in an SSHSIG. */
function signatureIn(sshsig: Bytes): Bytes {
  const from = new ByteReader(sshsig)
  expect(Buffer.from(from.take(6)).toString()).toBe("SSHSIG")
  expect(from.u32()).toBe(1)
  from.block(1, 200)
  expect([from.text(4, 100), from.text(4, 100), from.text(4, 100)]).toEqual([NAMESPACE, "", "sha512"])
  const signature = new ByteReader(from.block(1, 200))
  from.end()
  signature.text(4, 100)
  const bytes = signature.block(1, 100)
  signature.end()
  return bytes
}

describe("a key file", () => {
  test("signs with Ed25519 exactly as ssh-keygen does", async () => {
    using signer = openKeyFile(fileOf(ED.secret))
    expect(signer.publicKey).toEqual(blobOf(ED.pub))
    expect(armorSshsig(await signer.sign(NAMESPACE, HELLO))).toBe(ED_SIGNATURE)
    expect(armorSshsig(await signer.sign("another", HELLO))).not.toBe(ED_SIGNATURE)
  })
  test("signs with P-256, and numbers with a first bit keep their sign", async () => {
    using signer = openKeyFile(fileOf(P256.secret))
    expect(signer.publicKey).toEqual(blobOf(P256.pub))
    const lengths = new Set<number>()
    for (let i = 0; i < 40; i++) {
      const message = utf8(`message ${i}`)
      const numbers = new ByteReader(signatureIn(await signer.sign(NAMESPACE, message)))
      const pair = [numbers.block(1, 33), numbers.block(1, 33)]
      numbers.end()
      for (const number of pair) lengths.add(number.length)
      const compact = concat(...pair.map((one) => concat(new Uint8Array(32), one).slice(-32)))
      const point = signer.publicKey.slice(-65)
      expect(p256.verify(compact, sshsigInput(NAMESPACE, message), point, { lowS: false })).toBe(true)
    }
    expect(lengths.has(33) && lengths.has(32)).toBe(true)
  })
  test("that is made here is one that ssh-keygen's form has, and signs", async () => {
    using seed = Secret.take(new Uint8Array(32).fill(7))
    const { secret, publicText } = newKeyFile(seed, Uint8Array.of(1, 2, 3, 4), "ada")
    using text = secret
    const file = fileOf(Buffer.from(text.expose()).toString())
    using signer = openKeyFile(file)
    expect(signer.publicKey).toEqual(blobOf(publicText))
    expect(publicKeyIn(file)).toEqual(signer.publicKey)
    const signature = signatureIn(await signer.sign(NAMESPACE, HELLO))
    const key = publicKeyOf("ed25519", signer.publicKey.slice(-32))
    expect(verifyWith(null, sshsigInput(NAMESPACE, HELLO), key, signature)).toBe(true)
  })
  test("says why it cannot be used", () => {
    const refusal = (text: string, mode?: number) => {
      try {
        openKeyFile(fileOf(text, mode))[Symbol.dispose]()
        return "opened"
      } catch (error) {
        return error instanceof Error ? error.message : ""
      }
    }
    expect(refusal(LOCKED.secret)).toContain("a passphrase protects it")
    expect(refusal(ED.secret, 0o644)).toContain("its mode is 644")
    expect(refusal(ED.pub)).toContain("no private key in the form of OpenSSH")
    expect(refusal(`${"A".repeat(20_000)}`)).toContain("longer than 16384 bytes")
    expect(() => openKeyFile(folder.at("none"))).toThrow("no such file")
    expect(() => publicKeyIn(folder.at("none"))).toThrow("ENOENT")
  })
  test("with any byte changed is refused, or signs with the same key", () => {
    for (const { secret } of [ED, P256]) {
      const lines = secret.trim().split("\n")
      const bytes = Buffer.from(lines.slice(1, -1).join(""), "base64")
      const key = openKeyFile(fileOf(secret)).publicKey
      let refused = 0
      for (let i = 0; i < bytes.length; i++) {
        const changed = copy(bytes)
        changed[i] = (changed[i] ?? 0) ^ 1
        const text = [lines[0], Buffer.from(changed).toString("base64"), lines.at(-1), ""].join("\n")
        try {
          expect(openKeyFile(fileOf(text)).publicKey).toEqual(key)
        } catch (error) {
          expect(error).toMatchObject({ code: "E-CLI-045" })
          refused++
        }
      }
      // what may change is its comment alone
      expect(refused).toBe(bytes.length - "ada".length)
    }
  })
  test("of either half tells its public key, a locked one too", () => {
    expect(publicKeyIn(fileOf(LOCKED.secret))).toEqual(blobOf(LOCKED.pub))
    expect(publicKeyIn(fileOf(LOCKED.pub, 0o644))).toEqual(blobOf(LOCKED.pub))
    expect(() => publicKeyIn(fileOf(ED.pub.replace("ssh-ed25519", "ssh-rsa")))).toThrow("not as it says")
  })
})

/** An agent that answers each connection with these frames, whatever it is asked. */
function agentOf(answers: readonly Uint8Array[]) {
  const path = folder.at(`agent-${files++}`)
  let asked = 0
  const listener = Bun.listen<undefined>({
    unix: path,
    socket: {
      data(socket) {
        const answer = answers[asked++]
        if (answer === undefined) socket.end()
        else socket.write(answer)
      },
    },
  })
  return { path, [Symbol.dispose]: () => listener.stop(true) }
}

const identities = (...keys: readonly Uint8Array[]): Bytes =>
  block(concat(u8(12), u32be(keys.length), ...keys.map((key) => concat(block(key), block(utf8("comment"))))))

/** The signature inside an SSHSIG, as its key made it. */
function tailOf(sshsig: Bytes): Bytes {
  const from = new ByteReader(sshsig)
  from.take(6 + 4)
  for (let i = 0; i < 4; i++) from.block(0, 1000)
  return from.block(1, 1000)
}

describe("an agent", () => {
  const key = blobOf(ED.pub)
  test("signs with a key that it holds", async () => {
    using real = openKeyFile(fileOf(ED.secret))
    const own = signatureIn(await real.sign(NAMESPACE, HELLO))
    const wire = concat(block(utf8("ssh-ed25519")), block(own))
    using agent = agentOf([identities(blobOf(P256.pub), key), block(concat(u8(14), block(wire)))])
    const signer = await openSigner({ file: fileOf(ED.pub, 0o644), way: undefined, agent: agent.path })
    expect(equal(signer.publicKey, key)).toBe(true)
    expect(armorSshsig(await signer.sign(NAMESPACE, HELLO))).toBe(ED_SIGNATURE)
  })
  test("signs with a security key that it holds: flags and counter are part of the signature", async () => {
    for (const type of ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"] as const) {
      const device = sshTestKey(type)
      const ssh = readSshPublicKey(device.line)
      if ("problem" in ssh) throw new Error(ssh.problem)
      const made = device.sign(HELLO)
      using agent = agentOf([identities(ssh.blob), block(concat(u8(14), block(tailOf(made))))])
      const signer = await openSigner({ file: fileOf(device.line, 0o644), way: "agent", agent: agent.path })
      expect(problemOfSshsig(await signer.sign(NAMESPACE, HELLO), HELLO, ssh, NAMESPACE)).toBeUndefined()
    }
  })
  const wrong: readonly (readonly [what: string, answers: readonly Uint8Array[], why: string])[] = [
    ["without the key", [identities(blobOf(P256.pub))], "holds 1 keys, and not this one"],
    ["that refuses", [identities(key), block(u8(5))], "it refused"],
    ["that goes away", [], "ended the connection"],
    ["with an answer without bounds", [u32be(0xffff_ffff)], "no bounds"],
    ["with an answer of nothing", [u32be(0)], "no bounds"],
    ["with more keys than there are", [block(concat(u8(12), u32be(2_000_000)))], "more than 2048 keys"],
    ["with fewer keys than it says", [block(concat(u8(12), u32be(2), block(key), block(utf8(""))))], "cut short"],
    ["with a signature that is cut", [identities(key), block(concat(u8(14), u32be(80), u8(1)))], "cut short"],
  ]
  for (const [what, answers, why] of wrong) {
    test(what, async () => {
      using agent = agentOf(answers)
      const signed = agentSigner(agent.path, key).then((signer) => signer.sign(NAMESPACE, HELLO))
      await expect(signed).rejects.toMatchObject({ code: "E-CLI-046", message: expect.stringContaining(why) })
    })
  }
  test("that is not there", async () => {
    await expect(agentSigner(folder.at("nobody"), key)).rejects.toMatchObject({ code: "E-CLI-046" })
    const named = openSigner({ file: fileOf(ED.pub, 0o644), way: undefined, agent: undefined })
    await expect(named).rejects.toThrow("SSH_AUTH_SOCK names none")
  })
})

const isLong = process.env["COSIGNER_LONG"] === "1"
if (isLong && Bun.which("ssh-keygen") === null) console.log("skipped: ssh-keygen, because it is not installed")

describe.skipIf(!isLong || Bun.which("ssh-keygen") === null)("with ssh-keygen and ssh-agent", () => {
  const allowed = fileOf([ED, P256, LOCKED].map(({ pub }, i) => `person${i} ${pub}`).join(""))

  function verifies(sshsig: Bytes, person: number, namespace = NAMESPACE): boolean {
    const signature = fileOf(armorSshsig(sshsig))
    const { exitCode } = Bun.spawnSync(
      ["ssh-keygen", "-Y", "verify", "-n", namespace, "-f", allowed, "-I", `person${person}`, "-s", signature],
      { stdin: HELLO },
    )
    return exitCode === 0
  }

  test("it verifies what is signed here, and no other namespace, person or key", async () => {
    for (const [person, { secret }] of [ED, P256].entries()) {
      using signer = openKeyFile(fileOf(secret))
      const sshsig = await signer.sign(NAMESPACE, HELLO)
      expect(verifies(sshsig, person)).toBe(true)
      expect(verifies(sshsig, person, "git")).toBe(false)
      expect(verifies(sshsig, 1 - person)).toBe(false)
    }
  })
  test("it signs itself where it is told to", async () => {
    const key = { file: fileOf(P256.secret), way: "ssh-keygen", agent: undefined } as const
    using signer = await openSigner(key)
    expect(verifies(await signer.sign(NAMESPACE, HELLO), 1)).toBe(true)
    using none = await openSigner({ ...key, file: fileOf(ED.pub) })
    await expect(none.sign(NAMESPACE, HELLO)).rejects.toMatchObject({ code: "E-CLI-047" })
  })
  test("the agent signs with both kinds of key", async () => {
    const socket = folder.at("real-agent")
    const agent = Bun.spawn(["ssh-agent", "-D", "-a", socket], { stdout: "pipe", stderr: "ignore" })
    await agent.stdout.getReader().read()
    try {
      for (const [person, { secret, pub }] of [ED, P256].entries()) {
        const env = { ...process.env, SSH_AUTH_SOCK: socket }
        expect(Bun.spawnSync(["ssh-add", "-q", fileOf(secret)], { env }).exitCode).toBe(0)
        using signer = await openSigner({ file: fileOf(pub), way: "agent", agent: socket })
        expect(verifies(await signer.sign(NAMESPACE, HELLO), person)).toBe(true)
      }
    } finally {
      agent.kill()
      await agent.exited
    }
  })
})
