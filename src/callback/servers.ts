/**
 * The configured callback servers, checked at the start of the node: their addresses, and the public keys that verify their
 * answers. A server whose key cannot be used stops the start, so no node ever runs with fewer servers than configured.
 */

import { createPublicKey, type KeyObject } from "node:crypto"
import { readFileSync } from "node:fs"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { checkServerUrl } from "../wire/serverUrl.ts"
import { rsaProblem } from "../wire/tssJwt.ts"
import type { CallbackVersion } from "./body.ts"

export interface CallbackServer {
  readonly address: string
  readonly version: CallbackVersion
  readonly publicKey: KeyObject
}

interface Configured {
  readonly service_address: string
  readonly pubkey_path: string
}

/** One server of [callback] with its key. The key comes only from `files`, if these are given. Throws E-RSK-130 and E-RSK-131. */
export const callbackServer = (
  { service_address, pubkey_path }: Configured,
  version: CallbackVersion,
  files?: ReadonlyMap<string, string>,
): CallbackServer => ({
  address: checkServerUrl(service_address),
  version,
  publicKey: files === undefined ? readServerKey(pubkey_path) : keyIn(files, pubkey_path),
})

/** A key that a policy bundle holds. */
function keyIn(files: ReadonlyMap<string, string>, file: string): KeyObject {
  const pem = files.get(file)
  if (pem === undefined) {
    throw new CosignerError("E-RSK-131", { file, problem: "the policy bundle does not have it in [files]" })
  }
  return publicKeyOf(pem, file, "E-RSK-131")
}

/** The servers of [callback], in order: cb_server, then cb_server_v2. Throws E-RSK-130 and E-RSK-131. */
export const callbackServers = (config: {
  readonly cb_server: readonly Configured[]
  readonly cb_server_v2: readonly Configured[]
}): readonly CallbackServer[] => [
  ...config.cb_server.map((server) => callbackServer(server, 1)),
  ...config.cb_server_v2.map((server) => callbackServer(server, 2)),
]

const MAX_PEM = 64 * 1024
const SPKI_PEM = /^-----BEGIN PUBLIC KEY-----\r?\n[A-Za-z0-9+/=\r\n]+-----END PUBLIC KEY-----\s*$/

/** The key that verifies a callback server's answers. Throws E-RSK-131. */
export const readServerKey = (file: string): KeyObject => readPublicKey(file, "E-RSK-131")

/** The key that verifies a node's requests or events, as their receiver has it. Throws E-RSK-133. */
export const readNodeKey = (file: string): KeyObject => readPublicKey(file, "E-RSK-133")

/** An RSA public key from an SPKI PEM file. Private keys and certificates are refused. */
function readPublicKey(file: string, code: "E-RSK-131" | "E-RSK-133"): KeyObject {
  const bad = (problem: string, cause?: unknown) => new CosignerError(code, { file, problem }, { cause })
  let pem: string
  try {
    pem = readFileSync(file, "utf8")
  } catch (error) {
    throw bad(`it cannot be read (${errnoOf(error) ?? "unknown error"})`, error)
  }
  return publicKeyOf(pem, file, code)
}

function publicKeyOf(pem: string, file: string, code: "E-RSK-131" | "E-RSK-133"): KeyObject {
  const bad = (problem: string, cause?: unknown) => new CosignerError(code, { file, problem }, { cause })
  if (pem.length > MAX_PEM || !SPKI_PEM.test(pem.trimStart())) throw bad("it is not one `BEGIN PUBLIC KEY` block")
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch (error) {
    throw bad("its block does not hold a public key", error)
  }
  const problem = rsaProblem(key)
  if (problem !== undefined) throw bad(problem)
  return key
}
