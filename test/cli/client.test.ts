/** What `cosigner client` refuses to believe of WaaS: each lie alone, in answers that are signed as they should be. */
import { describe, expect, test } from "bun:test"
import { createServer } from "node:net"
import { secp256k1 } from "@noble/curves/secp256k1.js"
import { pointCompress } from "tiny-secp256k1"
import { HDKey, publicKeyToAddress } from "viem/accounts"
import { toHex } from "../../src/bytes.ts"
import { checkAddresses } from "../../src/cli/client/address.ts"
import type { Profile } from "../../src/cli/client/profile.ts"
import { checkedVault, checkSignatures } from "../../src/cli/client/verified.ts"
import { CosignerError } from "../../src/errors.ts"
import { Secret } from "../../src/secret.ts"
import { signedHash } from "../../src/waas/api/canonical.ts"
import { ed25519Signer } from "../../src/waas/apiKey.ts"
import { type AddressObject, createClient, type SignRequestObject, type VaultObject } from "../../src/waas/client.ts"
import { freePort } from "../support/freePort.ts"

const HD = HDKey.fromMasterSeed(new Uint8Array(32).fill(7))
const OTHER = HDKey.fromMasterSeed(new Uint8Array(32).fill(8))
const ROOT = HD.publicExtendedKey
const PATH = "m/44/60/0/0/5"
const HASH = `0x${"ab".repeat(32)}`

/** As a node of the vault would sign, by another implementation. */
function signature(hash = HASH, path = PATH, hd = HD): SignRequestObject["signatures"][number] {
  const { privateKey, publicKey } = hd.derive(path)
  const signed = secp256k1.sign(Buffer.from(hash.slice(2), "hex"), privateKey!, { prehash: false, format: "recovered" })
  return {
    bip32_path: path,
    msg_hash: hash,
    tweak: "",
    public_key: toHex(publicKey!),
    signature: toHex(signed.subarray(1)),
    signature_recovery: `0${signed[0]}`,
  }
}

const requestWith = (signatures: SignRequestObject["signatures"]): SignRequestObject => ({
  sign_request_id: "4d0c",
  request_id: "one",
  vault_id: "v",
  key_share_holder_group_id: "g",
  used_tss_node_ids: [],
  curve: "SECP256K1",
  signature_type: 1,
  status: "Completed",
  signatures,
  failed_reason: "",
  description: "",
  created_timestamp: 0,
  updated_timestamp: 0,
})

const codeThrown = (act: () => unknown): string => {
  try {
    act()
    return ""
  } catch (error) {
    return error instanceof CosignerError ? error.code : String(error)
  }
}

describe("signatures", () => {
  const asked = [{ bip32_path: PATH, msg_hash: HASH, tweak: "" }]
  const judged = (...signatures: SignRequestObject["signatures"]): string =>
    codeThrown(() => checkSignatures(ROOT, requestWith(signatures), asked))

  test("what was asked for passes, shown later too", () => {
    expect(judged(signature())).toBe("")
    expect(codeThrown(() => checkSignatures(ROOT, requestWith([signature()])))).toBe("")
  })
  test.each([
    ["none", []],
    ["one more", [signature(), signature()]],
    ["of another digest", [signature(`0x${"cd".repeat(32)}`)]],
    ["of another path", [signature(HASH, "m/44/60/0/0/6")]],
    ["of another root", [signature(HASH, PATH, OTHER)]],
    [
      "under a key that is named and not derived",
      [{ ...signature(), public_key: signature(HASH, PATH, OTHER).public_key }],
    ],
    ["changed", [{ ...signature(), signature: signature(`0x${"cd".repeat(32)}`).signature }]],
    ["with another recovery id", [{ ...signature(), signature_recovery: "03" }]],
  ])("%s", (_, signatures) => {
    expect(judged(...signatures)).toBe("E-CLI-032")
  })
  test("one that is shown later is verified too", () => {
    const forged = { ...signature(), signature: signature(HASH, PATH, OTHER).signature }
    expect(codeThrown(() => checkSignatures(ROOT, requestWith([forged])))).toBe("E-CLI-032")
  })
})

describe("vaults", () => {
  const profile = (...roots: readonly string[]): Profile => ({
    url: "http://127.0.0.1:1",
    response_key: "",
    api_key_file: "",
    api_key_curve: "ed25519",
    ...{ vault: "", nodes: [], attestations: 2 },
    roots: roots.map((text) => ({ curve: "secp256k1" as const, text })),
  })
  const vault = (root: string, curve: "SECP256K1" | "ED25519" = "SECP256K1"): VaultObject => ({
    vault_id: "v",
    name: "",
    type: "Org-Controlled",
    root_pubkeys: [{ root_pubkey: root, curve }],
    created_timestamp: 0,
  })
  const judged = (asked: VaultObject, id = "v", named = profile()): string =>
    codeThrown(() => checkedVault(asked, id, named))

  test("only the vault that was asked for, with roots of its curves, which the profile names if it names any", () => {
    expect(judged(vault(ROOT))).toBe("")
    expect(judged(vault(ROOT), "v", profile(OTHER.publicExtendedKey, ROOT))).toBe("")
    expect(judged(vault(ROOT), "w")).toBe("E-CLI-032")
    expect(judged(vault(ROOT, "ED25519"))).toBe("E-CLI-032")
    expect(judged(vault(HD.derive("m/44").publicExtendedKey))).toBe("E-CLI-032")
    expect(judged(vault(ROOT), "v", profile(OTHER.publicExtendedKey))).toBe("E-CLI-032")
  })
})

describe("addresses", () => {
  const vaultOf = (root: string): VaultObject => ({
    ...{ vault_id: "v", name: "", type: "Org-Controlled", created_timestamp: 0 },
    root_pubkeys: [{ root_pubkey: root, curve: "SECP256K1" }],
  })
  const wallet = { wallet_id: "w", wallet_type: "MPC", wallet_subtype: "Org-Controlled", name: "", vault_id: "v" }
  const addressOf = (hd: HDKey, path = PATH): string =>
    publicKeyToAddress(`0x${toHex(pointCompress(hd.derive(path).publicKey!, false))}`)
  const told = (address: string, more: Partial<AddressObject> = {}): AddressObject => ({
    ...{ address, chain_id: "ETH", path: PATH, encoding: "ENCODING_DEFAULT", pubkey: "", root_pubkey: ROOT },
    ...more,
  })
  const judged = async (address: AddressObject, caip2 = "eip155:1"): Promise<string> => {
    const client = {
      wallet: async () => wallet,
      vault: async () => vaultOf(ROOT),
      chain: async (chain_id: string) => ({ chain_id, caip2_chain_id: caip2 }),
    }
    const profile: Profile = {
      ...{
        url: "",
        response_key: "",
        api_key_file: "",
        api_key_curve: "ed25519",
        vault: "",
        nodes: [],
        attestations: 2,
      },
      roots: [],
    }
    return checkAddresses(client, profile, "w", [address]).then(
      () => "",
      (error: CosignerError) => error.code,
    )
  }

  test("one of the vault's root passes, on chains of WaaS's own naming too", async () => {
    expect(await judged(told(addressOf(HD)))).toBe("")
    expect(await judged(told(addressOf(HD), { chain_id: "OUR_CHAIN" }), "eip155:4242")).toBe("")
  })
  test("a stranger's, a vault's at another path, one of another root that comes along, or on a chain that is none: refused", async () => {
    expect(await judged(told("0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"))).toBe("E-CLI-032")
    expect(await judged(told(addressOf(HD, "m/44/60/0/0/6")))).toBe("E-CLI-032")
    expect(await judged(told(addressOf(OTHER), { root_pubkey: OTHER.publicExtendedKey }))).toBe("E-CLI-032")
    expect(await judged(told(addressOf(HD), { chain_id: "OUR_CHAIN" }), "cosmos:hub")).toBe("E-CLI-032")
    // The name is published: what WaaS calls the chain does not matter.
    expect(await judged(told(addressOf(HD), { chain_id: "BTC" }), "eip155:1")).toBe("E-CLI-032")
    expect(await judged(told(addressOf(HD), { encoding: "ENCODING_P2TR" }))).toBe("E-CLI-032")
    expect(await judged(told(addressOf(HD), { encoding: "ENCODING_OF_NOBODY" }))).toBe("E-CLI-032")
  })
})

test("a WaaS that is not there is said to be that", async () => {
  using secret = Secret.from(new Uint8Array(32).fill(1))
  const baseUrl = `http://127.0.0.1:${freePort()}`
  const client = createClient({ baseUrl, apiKeyCurve: "ed25519", apiKeySecret: secret, responseKey: undefined })
  await expect(client.organisation()).rejects.toThrow(/nothing listens there \(ECONNREFUSED\)/)
})

test("an answer that has no end, that breaks off, or that is packed though nobody asked for that, is none", async () => {
  using secret = Secret.from(new Uint8Array(32).fill(1))
  const packed = Bun.gzipSync("{}")
  const endless = Array.from({ length: 66 }, () => new Uint8Array(1024 * 1024).fill(0x20))
  const answers: readonly (readonly [head: string, chunks: readonly Uint8Array[], why: string])[] = [
    ["content-length: 80000000", endless, "longer than 67108864 bytes"],
    ["content-length: 100", [new Uint8Array(10)], ""],
    [`content-encoding: gzip\r\ncontent-length: ${packed.length}`, [packed], "not JSON"],
  ]
  for (const [head, chunks, why] of answers) {
    const server = createServer((socket) => {
      // whoever does not want the rest goes away
      socket.on("error", () => undefined)
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n\r\n`)
        for (const chunk of chunks) socket.write(chunk)
        socket.end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const baseUrl = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`
    const client = createClient({ baseUrl, apiKeyCurve: "ed25519", apiKeySecret: secret, responseKey: undefined })
    const failed = { code: "E-WAA-013", message: expect.stringContaining(why) }
    await expect(client.organisation()).rejects.toMatchObject(failed)
    server.close()
  }
})

test("an answer that was kept is not taken again, however well it is signed", async () => {
  using secret = Secret.from(new Uint8Array(32).fill(1))
  using seed = Secret.from(new Uint8Array(32).fill(2))
  const signer = ed25519Signer(seed)
  let awayMs = 0
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch() {
      const [body, timestamp] = ["{}", String(Date.now() + awayMs)]
      const proof = toHex(signer.sign(signedHash(`${body}|${timestamp}`)))
      return new Response(body, { headers: { "BIZ-TIMESTAMP": timestamp, "BIZ-RESP-SIGNATURE": proof } })
    },
  })
  const client = createClient({
    baseUrl: `http://127.0.0.1:${server.port}`,
    apiKeyCurve: "ed25519",
    apiKeySecret: secret,
    responseKey: toHex(signer.publicKey),
    maxAgeMs: 300_000,
  })
  const ask = () =>
    client.organisation().then(
      () => "",
      (error: CosignerError) => `${error.code} ${error.message}`,
    )
  expect(await ask()).toBe("")
  for (const away of [-310_000, 310_000]) {
    awayMs = away
    expect(await ask()).toMatch(/^E-WAA-013 .*not of this time$/)
  }
})
