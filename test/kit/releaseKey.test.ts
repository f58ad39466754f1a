/** Signed releases: files of minisign are read, ours are read by it where it is installed, and nothing that was changed passes. */
import { afterAll, expect, test } from "bun:test"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { utf8 } from "../../src/bytes.ts"
import {
  fileHash,
  keyIdText,
  NotMinisign,
  newReleaseKey,
  openSecretKey,
  parsePublicKey,
  publicKeyFile,
  secretKeyFile,
  signatureFile,
  verifySignature,
} from "../../src/kit/release/minisign.ts"
import { parseSums } from "../../src/kit/release/sums.ts"
import { Secret } from "../../src/secret.ts"
import { cli } from "../cli/world.ts"
import { seededRng } from "../mpc/network.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

// made by minisign 0.11 over "hello\n"
const THEIR_KEY = "RWQreCWd/T7C4Lw1VNma6OMlRvJEYR7FUyRK6o7xhGo+bA2gCIJ2LoSm"
const THEIR_SIGNATURE = `untrusted comment: signature from minisign secret key
RUQreCWd/T7C4Fx+J2veNsVq2odhS5xvRXLjMklcwrFzsk2vckDBdqwac4OUIXkQZOwJM5ZacWDTh8uWikz7TaCWhMjHM7JtmAs=
trusted comment: a trusted comment
cdSAkq2kJnrYznOP58DknRQr1bWNy1YzfARmpW73P4Near29kYJChOvQGejyXxeHPCu20bRYyvkFLFASv5JIAA==
`
const THEIR_LEGACY = `untrusted comment: signature from minisign secret key
RWQreCWd/T7C4PNBYJBT6tyGXMP1hFCHEE4SkJv2dUd9s4rkO5I5WGjBAGL7gQIQUQJyShx06/umVJY+tghMi2NcPSRyOxdOPAE=
trusted comment: legacy
zTjVjeeM62zySv/6FGWnuCl7aS7mirruPVJkw7fj4Knf32IvjfJTliN2omYKuCG7Pe0UEJt/iotGnrk8N0S+DA==
`
const PASSWORD = "a password of releases"

const hashOf = (text: string) => fileHash().update(utf8(text)).digest()
const rng = seededRng("release")
const folder = temporaryFolder("release-key")
afterAll(() => folder[Symbol.dispose]())

test("what minisign signed is verified, and its older form is not taken", () => {
  const key = parsePublicKey(THEIR_KEY)
  expect(keyIdText(key.id)).toBe("E0C23EFD9D25782B")
  expect(verifySignature(key, hashOf("hello\n"), THEIR_SIGNATURE)).toBe("a trusted comment")
  expect(verifySignature(key, hashOf("hello\n"), THEIR_SIGNATURE.replaceAll("\n", "\r\n"))).toBe("a trusted comment")
  expect(() => verifySignature(key, hashOf("hello"), THEIR_SIGNATURE)).toThrow("not of this file")
  expect(() => verifySignature(key, hashOf("hello\n"), THEIR_LEGACY)).toThrow("prehashed")
})

test("a signature with any character changed is refused, and so is another key's", () => {
  using key = newReleaseKey(rng)
  const hash = hashOf("sums")
  const text = signatureFile(key, hash, "cosigner v1.2.3")
  expect(verifySignature(parsePublicKey(publicKeyFile(key)), hash, text)).toBe("cosigner v1.2.3")
  // the first line is for people, and signed by nobody
  const start = text.indexOf("\n") + 1
  for (let at = start; at < text.length - 1; at++) {
    const changed = `${text.slice(0, at)}${text[at] === "A" ? "B" : "A"}${text.slice(at + 1)}`
    expect(() => verifySignature(key, hash, changed)).toThrow(NotMinisign)
  }
  for (let length = 0; length < text.length - 1; length++)
    expect(() => verifySignature(key, hash, text.slice(0, length))).toThrow(NotMinisign)
  using other = newReleaseKey(rng)
  expect(() => verifySignature(other, hash, text)).toThrow("not of")
  // the same id, claimed by another key
  expect(() => verifySignature({ id: key.id, publicKey: other.publicKey }, hash, text)).toThrow("not of this file")
  expect(() => signatureFile(key, hash, "two\nlines")).toThrow("one line")
})

test("a list of sums names files below its folder, as sha256sum writes it", () => {
  const sum = "0".repeat(64)
  expect(parseSums(`${sum}  a.tar.gz\n${sum} *docs/b\n`)).toEqual([
    { name: "a.tar.gz", sha256: sum },
    { name: "docs/b", sha256: sum },
  ])
  for (const bad of [
    "",
    "x",
    `${sum}  `,
    `${sum}  ../a`,
    `${sum}  a/../../b`,
    `${sum}  /etc/passwd`,
    `${sum}  a/..`,
    `${sum}  a\n\n${sum}  b`,
    `${sum}  a\u0000`,
  ])
    expect([bad, parseSums(bad)]).toEqual([bad, undefined])
})

// One key for all: making, signing and opening cost a password hash each.
const at = (name: string) => join(folder.path, name)
const passwordFile = at("password")
writeFileSync(passwordFile, `${PASSWORD}\n`)
chmodSync(passwordFile, 0o600)
const sums = at("SHA256SUMS")
const sha256 = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex")
writeFileSync(at("one"), "one")
writeFileSync(sums, `${sha256("one")}  one\n${sha256("two")}  two\n`)

test("the commands make a key, sign with it, and verify; what was changed ends with exit code 5", async () => {
  const made = await cli(["release-key", "--out", at("r.key"), "--key-file", passwordFile, "--json"])
  const { public_key: publicKey } = JSON.parse(made.stdout)
  const again = await cli(["release-key", "--out", at("r.key"), "--key-file", passwordFile])
  expect([made.exit, again.exit, again.stderr]).toEqual([0, 3, expect.stringContaining("E-CLI-040")])
  const signed = await cli([
    "release-sign",
    sums,
    "--key",
    at("r.key"),
    "--key-file",
    passwordFile,
    "--comment",
    "cosigner v1",
  ])
  expect([signed.exit, signed.stderr]).toEqual([0, ""])
  const absent = await cli(["release-sign", at("absent"), "--key", at("r.key"), "--key-file", passwordFile])
  expect([absent.exit, absent.stderr]).toEqual([1, expect.stringContaining("E-CLI-002 file must be a file")])
  const verify = (key = publicKey) => cli(["release-verify", sums, "--key", key, "--json"])
  expect(JSON.parse((await verify()).stdout)).toMatchObject({
    trusted_comment: "cosigner v1",
    as_signed: ["one"],
    absent: ["two"],
  })
  expect((await verify(at("r.pub"))).exit).toBe(0)
  expect((await verify(THEIR_KEY)).exit).toBe(5)
  expect((await verify("no key")).exit).toBe(3)

  writeFileSync(at("two"), "three")
  const changed = await verify()
  expect([changed.exit, changed.stderr]).toEqual([
    5,
    expect.stringMatching(/E-CLI-041.*not the ones that were signed: two/),
  ])
  writeFileSync(at("two"), "two")
  expect(JSON.parse((await verify()).stdout).as_signed).toEqual(["one", "two"])
  const list = readFileSync(sums, "utf8")
  writeFileSync(sums, list.replace("  two", "  six"))
  expect((await verify()).exit).toBe(5)
  writeFileSync(sums, list)
})

test("the secret key opens with its password alone, and not once it was changed", () => {
  using password = Secret.from(utf8(PASSWORD))
  using wrong = Secret.from(utf8(`${PASSWORD}.`))
  const text = readFileSync(at("r.key"), "utf8")
  using opened = openSecretKey(text, password)
  expect(publicKeyFile(opened)).toBe(readFileSync(at("r.pub"), "utf8"))
  expect(() => openSecretKey(text, wrong)).toThrow("password is wrong")
  const [comment = "", line = ""] = text.split("\n")
  const altered = (place: number, byte: number) => {
    const bytes = Uint8Array.fromBase64(line)
    bytes[place] = byte
    return `${comment}\n${bytes.toBase64()}\n`
  }
  // 2^56 times the memory; no password
  expect(() => openSecretKey(altered(53, 0x01), password)).toThrow("costs more")
  expect(() => openSecretKey(altered(2, 0x00), password)).toThrow("under a password")
  using other = newReleaseKey(rng)
  const halves = secretKeyFile({ ...opened, publicKey: other.publicKey }, password, rng)
  expect(() => openSecretKey(halves, password)).toThrow("do not belong together")
})

const minisign = Bun.which("minisign")
if (minisign === null) console.log("skipped: minisign is not installed, our files are not shown to it")
test.skipIf(minisign === null)("minisign verifies our signature, and signs with our key", () => {
  const run = (args: readonly string[], stdin = "") =>
    Bun.spawnSync(["minisign", ...args], { stdin: Buffer.from(stdin) }).exitCode
  expect(run(["-V", "-p", at("r.pub"), "-m", sums])).toBe(0)
  expect(run(["-V", "-p", at("r.pub"), "-m", at("one"), "-x", `${sums}.minisig`])).not.toBe(0)
  expect(run(["-S", "-s", at("r.key"), "-m", at("one")], `${PASSWORD}\n`)).toBe(0)
  const theirs = readFileSync(at("one.minisig"), "utf8")
  expect(verifySignature(parsePublicKey(readFileSync(at("r.pub"), "utf8")), hashOf("one"), theirs)).toContain(
    "file:one",
  )
})
