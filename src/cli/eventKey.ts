/** `cosigner event key create|info`: the RSA key that signs events, separate from the callback key. */
import { generateKeyPairSync } from "node:crypto"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { publicKeyPem } from "../ops/inventory/nodeKeys.ts"
import { Secret } from "../secret.ts"
import { openStore } from "../store/store.ts"
import { type CommandBase, command } from "./command.ts"

const RSA_BITS = 2048

export const create = command({
  summary: "Make this node's event key",
  details:
    "The node must not be running: it takes the key at its start. Give the printed public key to the event servers. An existing key is kept.",
  run: async (base) => {
    using store = await open(base, false)
    using existing = store.eventKey()
    if (existing !== undefined) throw new CosignerError("E-RSK-202", {})
    using key = newKey()
    store.setEventKey(key)
    return print(base, key)
  },
})

export const info = command({
  summary: "Show the public half of the event key",
  run: async (base) => {
    using store = await open(base, true)
    using key = store.eventKey()
    if (key === undefined) throw new CosignerError("E-RSK-204", {})
    return print(base, key)
  },
})

function print({ out }: CommandBase, key: Secret) {
  const pem = publicKeyPem(key)
  out.result({ event_public_key: pem }, ["Event public key:", pem.trimEnd()])
  return EXIT.ok
}

async function open({ config, passwords }: CommandBase, readOnly: boolean) {
  const { db } = await config()
  using password = await passwords.existing(db)
  return openStore(db.path, password, { readOnly })
}

function newKey(): Secret {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: RSA_BITS })
  const der = privateKey.export({ format: "der", type: "pkcs8" })
  const key = Secret.from(der)
  der.fill(0)
  return key
}
