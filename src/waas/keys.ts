/** The work of `cosigner waas init`, `waas info` and `waas key ...`: makes and shows the folder, and manages API keys. */
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
  /** Hex; nodes pin it (`waas_public_key` in `[websocket]`). */
  readonly publicKey: string
  /** Hex; REST clients verify answers with it. */
  readonly responseKey: string
  /** Where records are kept: the path of waas.db, or the URL of the shared database without its password. */
  readonly store: string
}

/**
 * Makes the folder (mode 700) with waas.toml, waas.db and waas.key. The key comes last, so a folder with a key is complete. A folder
 * that has a key is never changed (E-WAA-001).
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

/** Runs `action` and throws E-WAA-006 for any error of the file system. */
function writing(file: string, action: () => void): void {
  try {
    action()
  } catch (cause) {
    throw new CosignerError("E-WAA-006", { file, problem: errorWord(cause) }, { cause })
  }
}

/**
 * What an existing folder holds. Throws E-WAA-002 without a key file, E-WAA-003 for one that cannot be used, E-WAA-075 if a key
 * command does not answer, and E-CFG-001 to -003 for the configuration.
 */
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

/** The properties of a new API key besides the key itself. */
type NewKey = Pick<ApiKey, "name" | "role" | "addresses">

/** Makes a key pair and registers its public key. The caller shows the secret once and disposes it. */
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

/** Registers a public key. Throws E-WAA-008 for a wrong key, E-WAA-009 for a known one, E-WAA-014 for a wrong address. */
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

/** All keys, including revoked ones, oldest first. */
export const waasKeyList = (dir: string, config?: string): Promise<readonly ApiKey[]> =>
  inStore(dir, config, (store) => store.apiKeys())

/** Revokes the key: a running WaaS refuses it from the next request on. Throws E-WAA-008 and, for an unknown key, E-WAA-010. */
export async function waasKeyRevoke(dir: string, publicKey: string, nowMs: number, config?: string): Promise<void> {
  const key = parseApiKey(publicKey)
  return inStore(dir, config, async (store) => {
    if (!(await store.revokeApiKey(key, nowMs))) throw new CosignerError("E-WAA-010", { key })
  })
}

/** Runs `work` on the store that the configuration names, and closes it. */
async function inStore<T>(dir: string, config: string | undefined, work: (store: WaasStore) => Promise<T>): Promise<T> {
  const files = filesIn(dir, config)
  const store = await openStore(readConfig(files), files)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}
