/** Writes what a reference server needs: its RSA key pair and an annotated configuration. Never overwrites. */
import { generateKeyPairSync } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { CosignerError, errorText } from "../../errors.ts"
import { errnoOf, makeFolder, writeNew } from "../../files.ts"

export const CONFIG_FILE = "callback-server.toml"
const PRIVATE_FILE = "callback-server.key"
const PUBLIC_FILE = "callback-server-pub.key"

export interface Initialised {
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
  write(files.config, annotated(nodeKeyFile), 0o600)
  return files
}

/** Exclusive: another process that was quicker is not overwritten either. */
function write(file: string, text: string, mode: number): void {
  try {
    writeNew(file, text, mode)
  } catch (cause) {
    const why = errnoOf(cause) ?? errorText(cause)
    if (why === "EEXIST") throw new CosignerError("E-RSK-302", { file })
    throw new CosignerError("E-CLI-009", { path: file, why }, { cause })
  }
}

const annotated = (
  nodeKeyFile: string,
): string => `# A callback server for a co-signer node: cosigner callback-server -c ${CONFIG_FILE}
# What is not allowed here is rejected. Relative files are relative to this one.

# Addresses: 127.0.0.1, localhost, 0.0.0.0, [::1] or [::]. The node asks /v2/check (or /v1/check); /ping tells that it lives.
listen = "127.0.0.1:11020"

# Signs the answers. The node's pubkey_path is the public half, ${PUBLIC_FILE}.
private_key = "${PRIVATE_FILE}"

# The callback public keys of the nodes that may ask: what \`cosigner info\` prints, saved to a file.
node_public_keys = [${JSON.stringify(nodeKeyFile)}]

# How long an answer is valid, in minutes.
token_expire_minutes = 2

[key_gen]
allow = false

[key_reshare]
allow = false

[key_share_sign]
allow = false

# A signature is approved only for one EVM transaction whose hash is what will be signed.
[key_sign]

# One table for each chain. An empty list of destinations allows none.
[[key_sign.evm]]
name = "ETH"
chain_id = 1
destinations = []
# With its unit: ether, gwei or wei.
max_amount = "0.1 ether"
# The most that the gas of one transaction may cost.
max_fee = "0.01 ether"

# A token whose transfers to the same destinations are allowed.
# [[key_sign.evm.tokens]]
# contract = "0xdAC17F958D2ee523a2206206994597C13D831ec7"
# decimals = 6
# max_amount = "1000"
`
