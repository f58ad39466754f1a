/** `cosigner init`: makes a node: its identity, its callback key and the encrypted database that holds them. */
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { existsSync } from "node:fs"
import { copy } from "../bytes.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, errorText } from "../errors.ts"
import { makeFolder } from "../files.ts"
import { publicKeyPem, selfOf } from "../ops/inventory/nodeKeys.ts"
import { keepSummary } from "../ops/inventory/summary.ts"
import type { Output } from "../output.ts"
import { Secret } from "../secret.ts"
import { createStore } from "../store/store.ts"
import { command } from "./command.ts"

const RSA_BITS = 2048
/** Folders that a node and its services write to. A service unit with a read-only system fails to start if one is missing. */
const FOLDERS = ["configs", "db", "logs", "recovery", "backups"]

export const init = command({
  summary: "Create this node: its identity, its keys, its database",
  details: [
    "Asks for a password of at least 16 characters, or takes it from --key-file. Without the password nothing can be",
    "recovered: keep it apart from the database. Never overwrites a database.",
  ].join("\n"),
  examples: [
    ["cosigner init", "asks for the password"],
    ["cosigner init --key-file .password --db db/secrets.db", "as scripts do"],
  ],
  run: async ({ config, passwords, out }) => {
    const { db } = await config()
    // Checked before the password is asked for, so that nobody chooses one in vain.
    if (existsSync(db.path)) throw new CosignerError("E-STO-001", { path: db.path })
    using password = await passwords.fresh(db)
    makeFolders(out)
    out.line(`Initialize database: ${db.path}`)
    using identitySeed = Secret.take(copy(randomBytes(32)))
    const { nodeId } = selfOf(identitySeed)
    out.line(`Initialize Node ID: ${nodeId}`)
    using callbackKey = newRsaKey()
    const pem = publicKeyPem(callbackKey)
    out.line("Generate callback public key:")
    out.line(pem.trimEnd())
    out.line("Start to initialize TSS parameters; the process may take several minutes")
    using store = createStore(db.path, password, { identitySeed, callbackKey })
    keepSummary(store, (why) => out.note(why))
    out.line("Complete initialization of TSS parameters")
    out.line("Complete initialization of TSS Node keys and data")
    if (out.json) out.value({ node_id: nodeId, callback_public_key: pem, db: store.path })
    return EXIT.ok
  },
})

function newRsaKey(): Secret {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: RSA_BITS })
  const der = privateKey.export({ format: "der", type: "pkcs8" })
  const key = Secret.from(der)
  der.fill(0)
  return key
}

/** In a container the working directory may not be ours, and the folders that matter are mounted, so a remark is enough. */
function makeFolders(out: Output): void {
  for (const folder of FOLDERS) {
    try {
      makeFolder(folder)
    } catch (error) {
      out.note(`the folder ${folder} could not be made: ${errorText(error)}`)
    }
  }
}
