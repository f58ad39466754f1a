/** What `cosigner waas init`, `info` and `cosigner waas key ...` do: the folder, and who may call the REST API. */
import { existsSync } from "node:fs"
import { toHex } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { makeFolder, writeNew } from "../files.ts"
import { type ApiKeyCurve, type ApiKeyPair, newApiKeyPair, parseApiKey } from "./apiKey.ts"
import { readConfig, type WaasConfig } from "./config.ts"
import { waasTemplate } from "./configSchema.ts"
import { createKeyFile, errorWord, filesIn, readKeyFile, type WaasFiles } from "./files.ts"
import { waasKeys } from "./keyCommand.ts"
import { parseNetwork } from "./networks.ts"
import { newOrganisation, openStore } from "./opening.ts"
import type { ApiKey } from "./store/model.ts"
import { shownStore } from "./store/postgresSettings.ts"
import { createSqliteStore } from "./store/sqlite.ts"
import type { WaasStore } from "./store/store.ts"

interface WaasInfo {
  readonly files: WaasFiles
  /** Hex; nodes pin it as `[websocket]` WaaS public key. */
  readonly publicKey: string
  /** Hex; REST clients that verify answers use it. */
  readonly responseKey: string
  /** Where vaults, requests and tasks are: waas.db of the folder, or the shared database, without a password. */
  readonly store: string
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

/** Throws E-WAA-006 for whatever the file system says. */
function writing(file: string, action: () => void): void {
  try {
    action()
  } catch (cause) {
    throw new CosignerError("E-WAA-006", { file, problem: errorWord(cause) }, { cause })
  }
}

/** The same of a folder that is there. Throws E-WAA-002 without a key file, E-WAA-003 for one that cannot be used. */
export async function waasInfo(dir: string, config?: string): Promise<WaasInfo> {
  const files = filesIn(dir, config)
  if (!existsSync(files.config)) return infoOf(files, readKeyFile(files))
  const settings = readConfig(files)
  return infoOf(files, await waasKeys(settings, files), settings)
}

const infoOf = (
  files: WaasFiles,
  { tasks, responses }: Pick<Awaited<ReturnType<typeof waasKeys>>, "tasks" | "responses">,
  { store }: Partial<Pick<WaasConfig, "store">> = {},
): WaasInfo => ({
  files,
  store: store === undefined ? files.database : shownStore(store),
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
  config?: string,
): Promise<ApiKeyPair> {
  const pair = newApiKeyPair(curve)
  await waasKeyAdd(dir, { ...parts, publicKey: pair.publicKey }, nowMs, config)
  return pair
}

/** Registers a public key whose secret never was here. Throws E-WAA-008, and E-WAA-009 for one that is known. */
export async function waasKeyAdd(
  dir: string,
  { publicKey: text, ...parts }: NewKey & { readonly publicKey: string },
  nowMs: number,
  config?: string,
): Promise<ApiKey> {
  const publicKey = parseApiKey(text)
  const odd = parts.addresses.find((address) => parseNetwork(address) === undefined)
  if (odd !== undefined) throw new CosignerError("E-WAA-014", { address: odd })
  const key: ApiKey = { publicKey, ...parts, createdMs: nowMs, revokedMs: undefined }
  return inStore(dir, config, async (store) => {
    if (!(await store.addApiKey(key))) throw new CosignerError("E-WAA-009", { key: publicKey })
    return key
  })
}

/** All keys, revoked ones too, oldest first. */
export const waasKeyList = (dir: string, config?: string): Promise<readonly ApiKey[]> =>
  inStore(dir, config, (store) => store.apiKeys())

/** From the next request on the key is refused, also by a WaaS that runs. Throws E-WAA-010. */
export async function waasKeyRevoke(dir: string, publicKey: string, nowMs: number, config?: string): Promise<void> {
  const key = parseApiKey(publicKey)
  return inStore(dir, config, async (store) => {
    if (!(await store.revokeApiKey(key, nowMs))) throw new CosignerError("E-WAA-010", { key })
  })
}

/** The store that waas.toml names, of the folder or another file. */
async function inStore<T>(dir: string, config: string | undefined, work: (store: WaasStore) => Promise<T>): Promise<T> {
  const files = filesIn(dir, config)
  const store = await openStore(readConfig(files), files)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}
