/** `cosigner backup create | verify | restore`. The first two change nothing in the node; the last makes a new database. */
import { createHash } from "node:crypto"
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { aboutBackup, type Order } from "../approvals/order.ts"
import type { ConfigFile } from "../backup/configFile.ts"
import type { Manifest } from "../backup/manifest.ts"
import type { Config } from "../config/config.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, errorText } from "../errors.ts"
import { NODE_BACKUPS } from "../jobs/backupNames.ts"
import { collecting, nameProven, proveBackup, restoreBackup, type Written, writeBackup } from "../jobs/backupWork.ts"
import { readConfigFiles, returnConfigFiles } from "../jobs/configFiles.ts"
import { scratchBeside, unprovenOf } from "../jobs/scratch.ts"
import { demandedOrders, demandsOf, isDemanded, type Operation, spendOrders } from "../ops/operationOrders.ts"
import type { Secret } from "../secret.ts"
import { openStore, snapshotOf } from "../store/store.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { permittedBeside } from "./besideNode.ts"
import { command, flag, list, refuse, required, value } from "./command.ts"
import { existingPassword, newPassword } from "./newPassword.ts"
import { lastingFor, operationOptions, readOrders, writeOut } from "./orders.ts"
import { keyFileOf } from "./password.ts"

const passwordFile = value("--password-file <file>", "file with the password of the backup, mode 600")

export const create = command({
  summary: "Write a proven backup of this node; it may be running",
  details: [
    "Makes one encrypted file with identity, keys, shares and journal, under a password of its own. As soon as it is written, it is",
    "restored in a scratch place and every share is proven against its public share; a backup that is not proven is removed.",
    "One-time material of ECDSA stays out (it must never be used from a copy): after a restore ECDSA waits for a refresh. The",
    "configuration and the keys of callback servers are not in it, unless --with-config puts them in; passwords never are.",
  ].join("\n"),
  options: {
    withConfig: flag("--with-config", "put in the configuration, and the keys, certificates and ABIs that it names"),
    out: value("--out <file>", "where to; default: a name with the time in [backup] directory"),
    groups: list("--group-ids <ids>", "only these groups, beside the node's own keys and journal"),
    passwordFile,
  },
  examples: [
    ["cosigner backup create", "asks for the database's password and a new one for the file"],
    ["cosigner backup create --key-file .password --password-file backup.key", "as schedules do"],
  ],
  run: async (base) => {
    const { options, out, passwords } = base
    const config = await base.config()
    const { db, backup } = config
    const nowMs = Date.now()
    const files = options.withConfig ? readConfigFiles(config) : []
    const path = options.out ?? join(backup.directory, NODE_BACKUPS.at(nowMs))
    if (existsSync(path)) throw new CosignerError("E-BAK-001", { path })
    using password = await passwords.existing(db)
    const file = options.passwordFile ?? backup.password_file
    using sealing = await newPassword(base, { what: `the backup ${path}`, file, db })
    const groups = options.groups
    const { bytes, manifest } = await permittedBeside(db.path, { command: "backup", group_ids: groups }, password, () =>
      written({ db: db.path, path, groups, nowMs, files }, password, sealing),
    )
    out.result({ file: path, bytes, proven: true, config_files: pathsOf(files), ...manifest }, [
      `Backup: ${path} (${bytes} bytes)`,
      ...described(manifest),
      `Proven: restored in a scratch place, every share belongs to its public share`,
      files.length === 0
        ? "Not in it: the configuration and the keys of callback servers (--with-config puts them in)"
        : `Configuration in it: ${pathsOf(files).join(" ")}`,
    ])
    return EXIT.ok
  },
})

interface BackupOrder {
  readonly db: string
  readonly path: string
  readonly groups: readonly string[]
  readonly nowMs: number
  readonly files: readonly ConfigFile[]
}

const pathsOf = (files: readonly ConfigFile[]): readonly string[] => files.map(({ path }) => path)

async function written(
  { db, path, groups, nowMs, files }: BackupOrder,
  password: Secret,
  sealing: Secret,
): Promise<Written> {
  using scratch = scratchBeside(path, nowMs)
  using snapshot = snapshotOf(db, password, join(scratch.path, "snapshot.db"))
  const chosen = groups.length === 0 ? undefined : new Set(groups)
  const made = await writeBackup(unprovenOf(path), snapshot, {
    password: sealing,
    chosen,
    nowMs,
    pause: collecting(),
    files,
  })
  // The password hash of the proof needs memory of its own, so first free what writing left behind.
  Bun.gc(true)
  proveOrRemove(path, sealing, nowMs)
  return made
}

/** A backup that was not proven gets no name. */
function proveOrRemove(path: string, password: Secret, nowMs: number): void {
  const unproven = unprovenOf(path)
  try {
    proveBackup(unproven, password, nowMs)
    nameProven(path)
  } catch (error) {
    rmSync(unproven, { force: true })
    const said = errorText(error)
    throw new CosignerError("E-BAK-018", { path, said }, { cause: error })
  }
}

export const verify = command({
  summary: "Prove a backup, with nothing but its password",
  details:
    "Restores it in a scratch place and proves every share against its public share. Needs no database and no network.",
  args: { file: required("file", "the backup") },
  options: { passwordFile },
  examples: [["cosigner backup verify backups/backup-20261122T121314Z.cosigner", "asks for its password"]],
  run: async (base) => {
    const { args, options, out } = base
    // A named password file is enough: a backup can be proven anywhere, without the node's configuration.
    const file = options.passwordFile ?? (await base.config()).backup.password_file
    using password = await existingPassword(base, { what: args.file, file, db: keyFileOf(base.globals) })
    const { manifest, imported, files } = proveBackup(args.file, password, Date.now())
    const result = { file: args.file, proven: true, shares: imported.proven, config_files: pathsOf(files), ...manifest }
    out.result(result, [
      `Backup: ${args.file}`,
      ...described(manifest),
      `Configuration in it: ${files.length === 0 ? "none" : pathsOf(files).join(" ")}`,
      `Proven: ${imported.proven} share(s) belong to their public shares`,
    ])
    return EXIT.ok
  },
})

export const restore = command({
  summary: "Make a new database from a backup, on any host",
  details: [
    "Writes to --db, which must not exist; asks for a new password for it. Stop and wipe the old node first: WaaS lets only",
    "one of two copies in. ECDSA waits in every restored group until a refresh (a KeyReshare to the same nodes) made new",
    "one-time material; EdDSA and Schnorr sign at once. A group that was reshared since the backup stays refused by its peers.",
    "With --with-config the configuration in the backup comes back too: to its place, or to NAME.restored where another one is.",
    "If [[operation_approvals]] of the configuration given here says so, people must order it first: --as prints the order for this file and",
    "--node, --key signs it, and --signed names the signed orders. This binds only this command: another program with the password can still read the backup.",
  ].join("\n"),
  args: { file: required("file", "the backup") },
  options: {
    passwordFile,
    withConfig: flag("--with-config", "write the configuration in it too; nothing is overwritten"),
    ...operationOptions,
  },
  examples: [
    ["cosigner backup restore backups/backup-20261122T121314Z.cosigner --db db/secrets.db", "asks for both passwords"],
  ],
  run: async (base) => {
    const { args, options, out, passwords } = base
    if (options.as !== undefined) {
      const about = aboutBackup(await sha256Of(args.file))
      return writeOut(base, options, { kind: "restore", about, until: undefined, notAfter: lastingFor(options) })
    }
    const orders = readOrders(options.signed)
    const config = await base.config()
    const { db, backup } = config
    if (existsSync(db.path)) throw new CosignerError("E-STO-001", { path: db.path })
    const file = options.passwordFile ?? backup.password_file
    using password = await existingPassword(base, { what: args.file, file, db })
    const ordered = await orderedRestore(config, args.file, password, orders)
    using next = await passwords.fresh(db)
    const { manifest, imported, files } = restoreBackup(args.file, password, {
      db: db.path,
      password: next,
      nowMs: Date.now(),
    })
    if (ordered !== undefined) {
      using store = openStore(db.path, next, { readOnly: false })
      spendOrders(store, ordered.operation, ordered.orders)
    }
    const waiting = new Set<string>()
    for (const { group_id, curve, status } of manifest.groups) {
      if (curve === "secp256k1" && status !== "ERASED") waiting.add(group_id)
    }
    const ids = [...waiting]
    const returned = options.withConfig ? returnConfigFiles(files) : []
    const result = {
      db: db.path,
      restored: true,
      shares: imported.proven,
      node_id: nodeIdOf(imported.party),
      ecdsa_waits_for_refresh: ids,
      created_ms: manifest.created_ms,
      config_files: options.withConfig ? returned : pathsOf(files),
    }
    out.result(result, [
      `Restored: ${db.path}`,
      ...described(manifest),
      `Proven: ${imported.proven} share(s) belong to their public shares`,
      ...(ids.length === 0 ? [] : [`ECDSA waits for a refresh of: ${ids.join(" ")}`]),
      ...(options.withConfig || files.length === 0
        ? []
        : [`Configuration in it, not written (--with-config): ${pathsOf(files).join(" ")}`]),
      ...returned.map(({ path, written_to }) =>
        written_to === path
          ? `Configuration: ${path}`
          : `Configuration: ${path} is another one and stays; the backup's is ${written_to}`,
      ),
    ])
    return EXIT.ok
  },
})

/**
 * The orders of people, if this configuration demands them. The node that the backup belongs to is known once the backup is open, so it
 * is proven first. Throws E-APR-005 and E-APR-006, before a database is made.
 */
async function orderedRestore(
  config: Config,
  file: string,
  password: Secret,
  orders: readonly string[],
): Promise<{ readonly operation: Operation; readonly orders: readonly Order[] } | undefined> {
  const demands = [demandsOf(config)]
  if (!isDemanded("restore", demands)) return undefined
  const nowMs = Date.now()
  const { manifest } = proveBackup(file, password, nowMs)
  const about = aboutBackup(await sha256Of(file))
  const operation = { kind: "restore", about, nodeId: manifest.node_id, nowMs } as const
  return { operation, orders: demandedOrders(operation, demands, orders) }
}

async function sha256Of(file: string): Promise<string> {
  if (!existsSync(file)) return refuse("argument file", "a backup", `no ${file}`)
  const hash = createHash("sha256")
  for await (const piece of Bun.file(file).stream()) hash.update(piece)
  return hash.digest("hex")
}

const described = ({ node_id, created_ms, groups, generation }: Manifest): readonly string[] => [
  `Node ID: ${node_id}`,
  `Created: ${new Date(created_ms).toISOString()}, generation ${generation}`,
  `Groups: ${groups.size}`,
]
