/** Writes the files of a reference server: its RSA key pair and an annotated configuration. Never overwrites. */
import { generateKeyPairSync } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { CosignerError, errorText } from "../../errors.ts"
import { errnoOf, makeFolder, writeNew } from "../../files.ts"
import { callbackServerTemplate } from "./config.ts"

export const CONFIG_FILE = "callback-server.toml"
const PRIVATE_FILE = "callback-server.key"
const PUBLIC_FILE = "callback-server-pub.key"

interface Initialised {
  readonly config: string
  readonly privateKey: string
  readonly publicKey: string
}

/** `nodeKeyFile` is written into the configuration as it is given. Throws E-RSK-302 if a file exists, E-CLI-009 if one cannot be written. */
export function initReferenceServer(dir: string, nodeKeyFile: string): Initialised {
  const files = {
    config: join(dir, CONFIG_FILE),
    privateKey: join(dir, PRIVATE_FILE),
    publicKey: join(dir, PUBLIC_FILE),
  }
  for (const file of Object.values(files)) if (existsSync(file)) throw new CosignerError("E-RSK-302", { file })
  try {
    makeFolder(dir)
  } catch (cause) {
    throw new CosignerError("E-CLI-009", { path: dir, why: errnoOf(cause) ?? errorText(cause) }, { cause })
  }
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
  write(files.privateKey, privateKey.export({ type: "pkcs8", format: "pem" }).toString(), 0o600)
  write(files.publicKey, publicKey.export({ type: "spki", format: "pem" }).toString(), 0o644)
  write(files.config, callbackServerTemplate({ private_key: PRIVATE_FILE, node_public_keys: [nodeKeyFile] }), 0o600)
  return files
}

/** Exclusive: does not overwrite the file of another process that was quicker either. */
function write(file: string, text: string, mode: number): void {
  try {
    writeNew(file, text, mode)
  } catch (cause) {
    const why = errnoOf(cause) ?? errorText(cause)
    if (why === "EEXIST") throw new CosignerError("E-RSK-302", { file })
    throw new CosignerError("E-CLI-009", { path: file, why }, { cause })
  }
}
