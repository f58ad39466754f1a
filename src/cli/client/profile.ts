/**
 * A client's profile: the address of its WaaS, the key that verifies that WaaS's answers, and the file of the API key that signs
 * requests. It is read through the same entry point as every configuration; the secret is in a file of its own.
 */
import { existsSync } from "node:fs"
import { dirname, isAbsolute, join } from "node:path"
import type { StaticDecode } from "@sinclair/typebox"
import { fromHex, toHex } from "../../bytes.ts"
import type { CurveName } from "../../crypto/curve.ts"
import { CosignerError } from "../../errors.ts"
import { readPrivate, UnusableFile, writeNew } from "../../files.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { Secret } from "../../secret.ts"
import { parseDocument, readSource } from "../../settings/file.ts"
import { type DeepReadonly, readSettings } from "../../settings/read.ts"
import { hex32, integer, listOf, oneOf, parsed, path, tableOf, textOr, url } from "../../settings/schema.ts"
import { templateOf } from "../../settings/template.ts"
import type { Tree } from "../../settings/tree.ts"
import { apiPublicKey, newApiKeyPair } from "../../waas/apiKey.ts"
import { type Client, createClient } from "../../waas/client.ts"
import { parseNodeId } from "../../wire/nodeId.ts"
import { valueOr } from "../command.ts"

const CURVES = ["ed25519", "secp256k1"] as const
/** The largest age of an answer: the difference that WaaS allows between its clock and a caller's. */
const MAX_AGE_MS = 300_000

/** A root extended public key and its curve. */
interface PinnedRoot {
  readonly curve: CurveName
  readonly text: string
}

function parseRoot(text: string): PinnedRoot | undefined {
  try {
    const { curve, depth } = decodeExtendedPublicKey(text)
    return depth === 0 ? { curve, text } : undefined
  } catch (error) {
    if (error instanceof CosignerError) return undefined
    throw error
  }
}

const client = tableOf("A client of WaaS.", {
  url: url(
    { schemes: ["http", "https"], credentials: false },
    "https://waas.example:11050",
    "The address of WaaS, without /v2.",
  ),
  response_key: hex32("The key that signs the answers of WaaS, as `cosigner waas info` shows it."),
  api_key_file: path("client.key", "The secret API key, mode 600; relative paths are relative to this file."),
  api_key_curve: oneOf(CURVES, "ed25519", "The curve of that key."),
  vault: textOr("", "The vault of commands without --vault."),
  nodes: listOf(
    parsed((text) => (parseNodeId(text) === undefined ? undefined : text), {
      example: "cos3EidQSgrh...",
      expected: "a node id",
      description: "A node.",
    }),
    {
      expected: "a list of node ids",
      uniqueItems: true,
      description: "The nodes whose attestations of addresses count.",
    },
  ),
  attestations: integer(1, 32, 2, "How many of these nodes must attest an address: the threshold of the group."),
  roots: listOf(
    parsed(parseRoot, {
      example: "xpub661My...",
      expected: "a root extended public key, xpub or cpub",
      description: "A root key.",
    }),
    {
      expected: "a list of root extended public keys",
      description:
        "Root keys that this client accepts. If the list has a root key for a curve, the client refuses every other root key on that curve, even if WaaS reports it. A curve without an entry is not restricted.",
    },
  ),
})

export const clientSchema = tableOf("The profile of a client.", { client })

export type Profile = DeepReadonly<StaticDecode<typeof client>>

export const profileOption = valueOr("--profile <file>", "the profile of this client", "client.toml", (text) => text)

/** Throws E-CFG-001 to E-CFG-003 for a file that is missing or invalid. */
export const readProfile = (file: string): Profile =>
  readSettings(clientSchema, parseDocument(readSource(file, true), file, clientSchema)).value.client

/** Holds the API key until it is disposed. */
export interface WaasConnection extends Disposable {
  readonly client: Client
  readonly profile: Profile
}

/** The client that a profile describes. Throws E-CLI-033 for a key that cannot be used. */
export function connect(file: string): WaasConnection {
  const profile = readProfile(file)
  const secret = readApiSecret(besides(file, profile.api_key_file))
  return {
    profile,
    client: createClient({
      baseUrl: profile.url.replace(/\/+$/, ""),
      apiKeyCurve: profile.api_key_curve,
      apiKeySecret: secret,
      responseKey: profile.response_key,
      maxAgeMs: MAX_AGE_MS,
    }),
    [Symbol.dispose]: () => secret[Symbol.dispose](),
  }
}

const besides = (file: string, name: string): string => (isAbsolute(name) ? name : join(dirname(file), name))

const SECRET = /^([0-9a-f]{64})\n?$/

function readApiSecret(file: string): Secret {
  try {
    using text = readPrivate(file, 65)
    const hex = SECRET.exec(Buffer.from(text.expose()).toString("latin1"))?.[1]
    const bytes = hex === undefined ? undefined : fromHex(hex)
    if (bytes === undefined) throw new CosignerError("E-CLI-033", { file, problem: "it does not hold 64 hex digits" })
    return Secret.take(bytes)
  } catch (error) {
    if (!(error instanceof UnusableFile)) throw error
    throw new CosignerError("E-CLI-033", { file, problem: error.message }, { cause: error })
  }
}

/** The annotated file with these keys set. */
export const clientTemplate = (set: Readonly<Tree>): string =>
  templateOf(clientSchema, {
    head: ["The profile of a client of WaaS: cosigner client ... --profile <this file>"],
    set,
  })

/** The inputs of `client init`. */
interface NewProfile {
  readonly file: string
  readonly url: string
  readonly responseKey: string
  readonly keyFile: string
  readonly curve: (typeof CURVES)[number]
}

/** Writes a profile and, unless it exists, an API key; returns the key's public half. */
export function writeProfile({ file, url: address, responseKey, keyFile, curve }: NewProfile): string {
  const keyPath = besides(file, keyFile)
  if (!existsSync(keyPath)) {
    const pair = newApiKeyPair(curve)
    using secret = pair.secret
    writeNew(keyPath, `${toHex(secret.expose())}\n`)
  }
  using secret = readApiSecret(keyPath)
  const text = clientTemplate({
    client: { url: address, response_key: responseKey, api_key_file: keyFile, api_key_curve: curve },
  })
  // The written file must read back to the same settings.
  readSettings(clientSchema, parseDocument(text, file, clientSchema))
  writeNew(file, text)
  return apiPublicKey(curve, secret)
}
