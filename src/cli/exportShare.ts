/** `cosigner export-share`: recovery files in case this software is gone (formats.md 5), proven as soon as they are written. */
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { aboutShares } from "../approvals/order.ts"
import { writing } from "../backup/faults.ts"
import type { Config } from "../config/config.ts"
import { readConfig } from "../config/load.ts"
import { configsInForce } from "../config/policyInForce.ts"
import { systemRng } from "../crypto/random.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, errorText } from "../errors.ts"
import { makeFolder, writeNew } from "../files.ts"
import { requireNewest } from "../jobs/rollbackGuard.ts"
import type { GroupPublic } from "../keys/group.ts"
import { checkShare, wipeGroupSecret } from "../keys/group.ts"
import { OpeningKeys } from "../keys/recoveryBox.ts"
import { encodeRecoveryFile, parseRecoveryFile, type ShareToExport } from "../keys/recoveryFile.ts"
import { checkPublicShares, proveShare } from "../keys/recoverySet.ts"
import { selfOf } from "../ops/inventory/nodeKeys.ts"
import { demandedOrders, demandsOf, isDemanded, spendOrders } from "../ops/operationOrders.ts"
import type { Secret } from "../secret.ts"
import { openStore, type Store } from "../store/store.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { permittedBeside, recordAlone } from "./besideNode.ts"
import { type CommandBase, command, list, value, valueOr } from "./command.ts"
import { newPassword } from "./newPassword.ts"
import { lastingFor, operationOptions, readOrders, writeOut } from "./orders.ts"

export const exportShare = command({
  summary: "Write encrypted recovery files of this node's key shares",
  details: [
    "Writes one file with the shares of the named groups, in the format that the public recovery tools read. Asks for a new password;",
    "without a terminal it uses the key file's password, and says so. A running node compares the password first",
    "and logs the export. Anybody who has the files and",
    "passwords of enough nodes has the key: keep them apart, offline.",
    "If [[operation_approvals]] says so, people must order it first: --as prints the order for exactly these groups, --key signs it, and",
    "--signed names the signed orders. This binds only this command and the running node: another program with the password can still read the database.",
  ].join("\n"),
  options: {
    groups: list("--group-ids <ids>", "the groups, between commas; all active ones if absent"),
    dir: valueOr("--export-dir <dir>", "where the file goes", "recovery", (text) => text),
    passwordFile: value("--password-file <file>", "file with the password of the recovery file, mode 600"),
    ...operationOptions,
  },
  examples: [["cosigner export-share --group-ids OoQGkknsPdPjLCmSuuSf --export-dir recovery", "asks for passwords"]],
  run: async (base) => {
    const { options, out, passwords } = base
    const about = aboutShares(options.groups)
    if (options.as !== undefined) {
      const order = { kind: "export-share", about, until: undefined, notAfter: lastingFor(options) } as const
      return writeOut(base, options, order)
    }
    const orders = readOrders(options.signed)
    const config = await base.config()
    const { db } = config
    using password = await passwords.existing(db)
    const exported = await permittedBeside(
      db.path,
      { command: "export-share", group_ids: options.groups, ...(orders.length === 0 ? {} : { orders }) },
      password,
      () => written(base, db, options, password),
      () => permitAlone(base, config, { about, orders }, password),
    )
    const { file, node_id, group_ids } = exported
    out.result({ file, node_id, group_ids, proven: true }, [
      `Exported: ${file}`,
      `Groups: ${group_ids.join(" ")}`,
      "Proven: read back, every share belongs to its public share",
    ])
    return EXIT.ok
  },
})

/**
 * Permits an export without a node: by the policy that the database follows and the one that waits, or by the file. Orders of people are
 * spent before anything is written; if they cannot be spent, nothing is exported. Throws E-APR-005 and E-APR-006.
 */
function permitAlone(
  { globals }: Pick<CommandBase, "globals">,
  config: Config,
  { about, orders }: { readonly about: string; readonly orders: readonly string[] },
  password: Secret,
): void {
  const { db } = config
  const { nodeId, inForce, waiting } = lookedAt(config, globals, password)
  const demands = [inForce, ...(waiting === undefined ? [] : [waiting])].map(demandsOf)
  if (!isDemanded("export-share", demands)) return recordAlone(db.path, { command: "export-share" }, password)
  const operation = { kind: "export-share", about, nodeId, nowMs: Date.now() } as const
  const demanded = demandedOrders(operation, demands, orders)
  using store = openStore(db.path, password, { readOnly: false })
  requireNewest(store)
  spendOrders(store, operation, demanded)
}

function lookedAt(config: Config, globals: CommandBase["globals"], password: Secret) {
  using store = openStore(config.db.path, password, { readOnly: true })
  using seed = store.identity()
  const configs = configsInForce(store.policies, config, (document) => readConfig(globals, {}, document))
  return { nodeId: selfOf(seed).nodeId, ...configs }
}

interface ExportOptions {
  readonly groups: readonly string[]
  readonly dir: string
  readonly passwordFile: string | undefined
}

interface ExportedShares {
  readonly file: string
  readonly node_id: string
  readonly group_ids: readonly string[]
}

async function written(
  base: Pick<CommandBase, "passwords" | "out">,
  db: Config["db"],
  options: ExportOptions,
  password: Secret,
): Promise<ExportedShares> {
  using store = openStore(db.path, password, { readOnly: true })
  const groups = wanted(store, options.groups)
  using seed = store.identity()
  const { party, nodeId } = selfOf(seed)
  const path = join(options.dir, `recovery-secrets-${nodeId}-${timeText(Date.now())}`)
  if (existsSync(path)) throw new CosignerError("E-BAK-001", { path })
  using sealing = await newPassword(base, { what: `the recovery file ${path}`, file: options.passwordFile, db })
  const shares = groups.map((group): ShareToExport => {
    const secret = store.groups.open(group.groupId, group.epochId)
    checkShare(group, secret, party)
    return { group, self: party, share: secret.share }
  })
  try {
    writing(path, () => {
      makeFolder(options.dir)
      writeNew(path, encodeRecoveryFile(shares, sealing, systemRng, nodeIdOf))
    })
  } finally {
    for (const { share } of shares) wipeGroupSecret({ share, pairs: [] })
  }
  provenOrRemoved(path, sealing)
  return { file: path, node_id: nodeId, group_ids: groups.map(({ groupId }) => groupId) }
}

/** The active epoch of each group. Throws E-BAK-012 for an unknown group, E-BAK-014 if it has no active epoch. */
function wanted(store: Store, ids: readonly string[]): readonly GroupPublic[] {
  const known = store.groups.list()
  const unknown = ids.filter((id) => !known.some(({ groupId }) => groupId === id))
  if (unknown.length > 0) throw new CosignerError("E-BAK-012", { unknown })
  const active =
    ids.length === 0
      ? known.filter(({ status }) => status === "ACTIVE")
      : [...new Set(ids)].map((id) => {
          const found = store.groups.active(id)
          if (found !== undefined) return found
          const status = known.find(({ groupId }) => groupId === id)?.status ?? "unknown"
          throw new CosignerError("E-BAK-014", { group: id, status })
        })
  if (active.length === 0) throw new CosignerError("E-BAK-020", {})
  return active
}

const timeText = (ms: number): string =>
  new Date(ms)
    .toISOString()
    .replace("T", "-")
    .replace(/:|\.\d+Z/g, "")
    .replace(/-(?=\d\d-)/g, "")

/** Reads the file as a recovery would. A file that cannot be proven is removed: E-BAK-019. */
function provenOrRemoved(path: string, password: Secret): void {
  try {
    using keys = new OpeningKeys(password)
    for (const group of parseRecoveryFile(readFileSync(path, "utf8"), path)) {
      checkPublicShares(group)
      proveShare(group, keys).share
    }
  } catch (error) {
    rmSync(path, { force: true })
    throw new CosignerError("E-BAK-019", { path, why: errorText(error) }, { cause: error })
  }
}
