/** What stops the start: keys that are missing, of another kind or too small; addresses that are none. */

import { afterAll, expect, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { callbackServers, readNodeKey, readServerKey } from "../../src/callback/servers.ts"
import { CosignerError, isCode } from "../../src/errors.ts"
import { tokenSigner } from "../../src/wire/tssJwt.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { nodeKey, publicPem, serverKey } from "./kit.ts"

const dir = temporaryFolder("callback").path
afterAll(() => rmSync(dir, { recursive: true }))

const file = (name: string, text: string) => {
  const path = join(dir, name)
  writeFileSync(path, text)
  return path
}
const codeOf = (action: () => unknown) => {
  try {
    action()
    return "none"
  } catch (error) {
    return error instanceof CosignerError ? error.code : String(error)
  }
}
const good = file("good.pem", publicPem(serverKey.publicKey))
const small = generateKeyPairSync("rsa", { modulusLength: 1024 })
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" })
const ed = generateKeyPairSync("ed25519")

test("a good key and good addresses, cb_server first", () => {
  const servers = callbackServers({
    cb_server: [{ service_address: "http://10.0.0.5:11020/v1/check", pubkey_path: good }],
    cb_server_v2: [{ service_address: "https://risk.example/v2/check", pubkey_path: good }],
  })
  expect(servers.map((s) => [s.address, s.version])).toEqual([
    ["http://10.0.0.5:11020/v1/check", 1],
    ["https://risk.example/v2/check", 2],
  ])
  expect(servers[0]?.publicKey.equals(serverKey.publicKey)).toBe(true)
})

test.each<[string, string]>([
  ["missing", join(dir, "nowhere.pem")],
  ["a folder", dir],
  ["empty", file("empty.pem", "")],
  ["not PEM", file("text.pem", "hello")],
  ["a private key", file("private.pem", serverKey.privateKey.export({ type: "pkcs8", format: "pem" }).toString())],
  ["PKCS#1", file("pkcs1.pem", serverKey.publicKey.export({ type: "pkcs1", format: "pem" }).toString())],
  ["damaged", file("bad.pem", publicPem(serverKey.publicKey).replace(/\n.{20}/, "\nAAAAAAAAAAAAAAAAAAAA"))],
  ["two keys", file("two.pem", publicPem(serverKey.publicKey).repeat(2))],
  ["1024 bits", file("small.pem", publicPem(small.publicKey))],
  ["an elliptic curve key", file("ec.pem", publicPem(ec.publicKey))],
  ["an Ed25519 key", file("ed.pem", publicPem(ed.publicKey))],
])("a key file that is %s refuses the start", (_, path) => {
  expect(codeOf(() => readServerKey(path))).toBe("E-RSK-131")
})

test.each([
  "ftp://risk.example/",
  "ws://risk.example/",
  "risk.example:11020",
  "/v2/check",
  "",
  "http://user:secret@risk.example/",
  "http://user@risk.example/",
  "http://:secret@risk.example/",
  "https://risk.example/#x",
  "file:///etc/passwd",
])("the address %p refuses the start", (service_address) => {
  expect(codeOf(() => callbackServers({ cb_server: [], cb_server_v2: [{ service_address, pubkey_path: good }] }))).toBe(
    "E-RSK-130",
  )
})

test("an address with a password is not repeated", () => {
  try {
    callbackServers({
      cb_server: [{ service_address: "http://user:secret@risk.example/", pubkey_path: good }],
      cb_server_v2: [],
    })
    expect.unreachable()
  } catch (error) {
    expect(String(error)).not.toContain("secret")
  }
})

test("a key of another kind is named", () => {
  try {
    readServerKey(join(dir, "ec.pem"))
    expect.unreachable()
  } catch (error) {
    expect(isCode(error, "E-RSK-131") ? error.data.problem : String(error)).toContain("type ec")
  }
})

test("the node's own key must be a private RSA key of 2048 bits", () => {
  expect(codeOf(() => tokenSigner(nodeKey.privateKey, "callback key"))).toBe("none")
  expect(codeOf(() => tokenSigner(nodeKey.publicKey, "callback key"))).toBe("E-RSK-132")
  expect(codeOf(() => tokenSigner(small.privateKey, "callback key"))).toBe("E-RSK-132")
  expect(codeOf(() => tokenSigner(ec.privateKey, "callback key"))).toBe("E-RSK-132")
})

test("a bad key of a node is told as a node's, with the command that prints it", () => {
  expect(() => readNodeKey(file("node.pem", "hello"))).toThrow(
    expect.objectContaining({ code: "E-RSK-133", next: expect.stringContaining("`cosigner info`") }),
  )
})
