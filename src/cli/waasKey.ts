/** `cosigner waas key create|list|revoke`: who may call the REST API. */
import { toHex } from "../bytes.ts"
import { EXIT } from "../errors/entry.ts"
import { waasKeyAdd, waasKeyCreate, waasKeyList, waasKeyRevoke } from "../waas/keys.ts"
import { choice, command, list as listOption, required, value, valueOr } from "./command.ts"
import { dirOption } from "./waas.ts"

export const create = command({
  summary: "Register an API key",
  details:
    "Makes a key pair and prints its secret once; WaaS keeps the public half alone. With --public-key it registers a key whose secret never comes here, which is the better way. A key with role read reads; operate asks for signatures and addresses too; admin also changes vaults, groups, wallets and webhooks.",
  options: {
    dir: dirOption,
    name: valueOr("--name <name>", "whose key it is, for people", "unnamed", (text) => text),
    role: choice("--role <role>", "what it may do (default admin)", ["read", "approve", "operate", "admin"]),
    addresses: listOption("--from <addresses>", "IP addresses or networks that it is used from (default: anywhere)"),
    curve: choice("--curve <curve>", "of a new key pair (default ed25519)", ["ed25519", "secp256k1"]),
    publicKey: value("--public-key <hex>", "register this key instead of making a pair"),
  },
  examples: [
    ["cosigner waas key create --name ops", "a new Ed25519 pair"],
    ["cosigner waas key create --name ops --public-key 5f3e...", "a key that was made elsewhere"],
    ["cosigner waas key create --name payouts --role operate --from 10.1.0.0/16", "it signs, and changes no vault"],
  ],
  run: async ({ options, globals, out }) => {
    const { dir, name, publicKey, role = "admin", addresses } = options
    if (publicKey !== undefined) {
      const key = await waasKeyAdd(dir, { name, role, addresses, publicKey }, Date.now(), globals.config)
      out.result({ name, role, from: addresses, public_key: key.publicKey }, [
        `API key registered: ${key.publicKey} (${role})`,
      ])
      return EXIT.ok
    }
    const parts = { name, role, addresses, curve: options.curve ?? "ed25519" } as const
    const pair = await waasKeyCreate(dir, parts, Date.now(), globals.config)
    using secret = pair.secret
    const shown = toHex(secret.expose())
    out.result({ name, role, from: addresses, curve: pair.curve, public_key: pair.publicKey, secret: shown }, [
      `API key:    ${pair.publicKey}`,
      `Role:       ${role}`,
      `API secret: ${shown}`,
      "The secret is not stored and is not shown again.",
    ])
    return EXIT.ok
  },
})

export const list = command({
  summary: "List the API keys",
  options: { dir: dirOption },
  run: async ({ options, globals, out }) => {
    const keys = await waasKeyList(options.dir, globals.config)
    const rows = keys.map(({ publicKey, name, role, addresses, createdMs, revokedMs }) => ({
      public_key: publicKey,
      name,
      role,
      from: addresses,
      created_timestamp: createdMs,
      revoked_timestamp: revokedMs ?? null,
    }))
    const time = (ms: number) => new Date(ms).toISOString()
    const lines = keys.map(({ publicKey, name, role, addresses, createdMs, revokedMs }) => {
      const state = revokedMs === undefined ? "valid" : `revoked ${time(revokedMs)}`
      const from = addresses.length === 0 ? "" : `  from ${addresses.join(", ")}`
      return `${publicKey}  ${name}  ${role}${from}  created ${time(createdMs)}  ${state}`
    })
    out.result(rows, lines.length === 0 ? ["No API keys; make one with: cosigner waas key create"] : lines)
    return EXIT.ok
  },
})

export const revoke = command({
  summary: "Revoke an API key, at once and for good",
  args: { key: required("public-key", "as `waas key list` shows it") },
  options: { dir: dirOption },
  run: async ({ options, globals, args, out }) => {
    await waasKeyRevoke(options.dir, args.key, Date.now(), globals.config)
    out.result({ revoked: args.key }, [`API key revoked: ${args.key}`])
    return EXIT.ok
  },
})
