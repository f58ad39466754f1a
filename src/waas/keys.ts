/** What `cosigner waas init`, `info` and `cosigner waas key ...` do: the folder, and who may call the REST API. */
import { randomInt } from "node:crypto"
import { existsSync } from "node:fs"
import { toHex } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { makeFolder, writeNew } from "../files.ts"
import { type ApiKeyCurve, type ApiKeyPair, newApiKeyPair, parseApiKey } from "./apiKey.ts"
import { waasTemplate } from "./config.ts"
import { createKeyFile, errorWord, filesIn, readKeyFile, type WaasFiles, type WaasKeys } from "./files.ts"
import { newUuid } from "./ids.ts"
import { parseNetwork } from "./networks.ts"
import type { ApiKey, Organisation } from "./store/model.ts"
import { createSqliteStore, openSqliteStore } from "./store/sqlite.ts"
import type { WaasStore } from "./store/store.ts"

interface WaasInfo {
  readonly files: WaasFiles
  /** Hex; nodes pin it as `[websocket]` WaaS public key. */
  readonly publicKey: string
  /** Hex; REST clients that verify answers use it. */
  readonly responseKey: string
}

/**
 * Makes the folder (mode 700) with waas.toml, waas.db and waas.key. The key comes last: it says that the folder is whole,
 * and a folder that has one is never touched (E-WAA-001).
 */
export async function waasInit(dir: string, nowMs: number): Promise<WaasInfo> {
  const files = filesIn(dir)
  if (existsSync(files.key)) throw new CosignerError("E-WAA-001", { dir, file: files.key })
  writing(dir, () => makeFolder(dir))
  const store = createSqliteStore(files.database, newOrganisation(nowMs))
  await store.close()
  if (!existsSync(files.config)) writing(files.config, () => writeNew(files.config, waasTemplate()))
  return infoOf(files, createKeyFile(files))
}

/** Ids of its own: of an organisation whose database was lost, callers meet another one. */
export const newOrganisation = (nowMs: number): Organisation => ({
  orgId: newUuid(),
  bizOrgId: randomInt(100_000_000, 1_000_000_000),
  createdMs: nowMs,
})

/** Throws E-WAA-006 for whatever the file system says. */
function writing(file: string, action: () => void): void {
  try {
    action()
  } catch (cause) {
    throw new CosignerError("E-WAA-006", { file, problem: errorWord(cause) }, { cause })
  }
}

/** The same of a folder that is there. Throws E-WAA-002 without a key file, E-WAA-003 for one that cannot be used. */
export function waasInfo(dir: string): WaasInfo {
  const files = filesIn(dir)
  return infoOf(files, readKeyFile(files))
}

const infoOf = (files: WaasFiles, { tasks, responses }: WaasKeys): WaasInfo => ({
  files,
  publicKey: toHex(tasks.publicKey),
  responseKey: toHex(responses.publicKey),
})

/** What a new key is, besides its key. */
type NewKey = Pick<ApiKey, "name" | "role" | "addresses">

/** Makes a key pair and registers its public half. The secret is the caller's to show once and to dispose. */
export async function waasKeyCreate(
  dir: string,
  { curve, ...parts }: NewKey & { readonly curve: ApiKeyCurve },
  nowMs: number,
): Promise<ApiKeyPair> {
  const pair = newApiKeyPair(curve)
  await waasKeyAdd(dir, { ...parts, publicKey: pair.publicKey }, nowMs)
  return pair
}

/** Registers a public key whose secret never was here. Throws E-WAA-008, and E-WAA-009 for one that is known. */
export async function waasKeyAdd(
  dir: string,
  { publicKey: text, ...parts }: NewKey & { readonly publicKey: string },
  nowMs: number,
): Promise<ApiKey> {
  const publicKey = parseApiKey(text)
  const odd = parts.addresses.find((address) => parseNetwork(address) === undefined)
  if (odd !== undefined) throw new CosignerError("E-WAA-014", { address: odd })
  const key: ApiKey = { publicKey, ...parts, createdMs: nowMs, revokedMs: undefined }
  return inStore(dir, async (store) => {
    if (!(await store.addApiKey(key))) throw new CosignerError("E-WAA-009", { key: publicKey })
    return key
  })
}

/** All keys, revoked ones too, oldest first. */
export const waasKeyList = (dir: string): Promise<readonly ApiKey[]> => inStore(dir, (store) => store.apiKeys())

/** From the next request on the key is refused, also by a WaaS that runs. Throws E-WAA-010. */
export async function waasKeyRevoke(dir: string, publicKey: string, nowMs: number): Promise<void> {
  const key = parseApiKey(publicKey)
  return inStore(dir, async (store) => {
    if (!(await store.revokeApiKey(key, nowMs))) throw new CosignerError("E-WAA-010", { key })
  })
}

async function inStore<T>(dir: string, work: (store: WaasStore) => Promise<T>): Promise<T> {
  const { database } = filesIn(dir)
  if (!existsSync(database)) throw new CosignerError("E-WAA-002", { dir, file: database })
  const store = openSqliteStore(database)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}
