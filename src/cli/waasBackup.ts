/** `cosigner waas backup create | key | verify | restore`: sealed backup files of a WaaS, proven when they are written. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { sealedKindOf } from "../backup/file.ts"
import { toHex } from "../bytes.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { WAAS_BACKUPS } from "../jobs/backupNames.ts"
import {
  backUpKey,
  backUpWaas,
  proveKeyBackup,
  proveWaasBackup,
  restoreKey,
  restoreWaas,
  type WaasManifest,
} from "../jobs/waasBackup.ts"
import { readConfig } from "../waas/config.ts"
import { createKeyFile, filesIn, type WaasFiles } from "../waas/files.ts"
import { type CommandBase, command, flag, refuse, required, value } from "./command.ts"
import { existingPassword, newPassword } from "./newPassword.ts"
import { keyFileOf } from "./password.ts"
import { dirOption } from "./waas.ts"

const passwordFile = value("--password-file <file>", "file with the password of the backup, mode 600")
const configured = ({ globals }: CommandBase, dir: string): WaasFiles => filesIn(dir, globals.config)
/** Progress goes to stderr: with --json stdout is one document. */
const telling =
  ({ out }: CommandBase) =>
  (line: string): void =>
    out.note(line)

export const create = command({
  summary: "Write a proven backup of a WaaS; it may be running",
  details: [
    "Makes one encrypted file with the database (vaults, groups, requests, tasks, wallets, API keys' public halves) and waas.toml, under a",
    "password of its own. The database is copied in one moment while WaaS goes on. The file is restored in a scratch place and checked as a start",
    "would check it, and only then gets its name. The signing key is not in it, on purpose: see cosigner waas backup key.",
  ].join("\n"),
  options: {
    dir: dirOption,
    out: value("--out <file>", "where to; default: a name with the time in [waas.backup] directory"),
    passwordFile,
  },
  examples: [
    ["cosigner waas backup create --dir waas", "asks for a new password for the file"],
    ["cosigner waas backup create --dir waas --password-file backup.key --json", "as schedules do"],
  ],
  run: async (base) => {
    const { options, out, globals } = base
    const files = configured(base, options.dir)
    const { backup } = readConfig(files)
    const nowMs = Date.now()
    const path = options.out ?? join(backup.directory, WAAS_BACKUPS.at(nowMs))
    if (existsSync(path)) throw new CosignerError("E-BAK-001", { path })
    const file = options.passwordFile ?? backup.passwordFile
    using password = await newPassword(base, { what: `the backup ${path}`, file, db: keyFileOf(globals) })
    const { manifest, bytes } = backUpWaas(files, path, { password, nowMs, tell: telling(base) })
    out.result({ file: path, bytes, proven: true, ...manifest }, [
      `Backup: ${path} (${bytes} bytes)`,
      ...described(manifest),
      "Proven: restored in a scratch place, every record is what was written",
      "Not in it: the signing key (cosigner waas backup key)",
    ])
    return EXIT.ok
  },
})

export const key = command({
  summary: "Write a proven backup of a WaaS's signing key, once",
  details: [
    "Makes a small encrypted file, under a password of its own. Keep it apart from the backups of the database: anybody who has the key can ask",
    "nodes for signatures; their rules and callback servers still decide about them. The key never changes, so one backup is enough.",
  ].join("\n"),
  args: { file: required("file", "where to") },
  options: { dir: dirOption, passwordFile },
  examples: [
    ["cosigner waas backup key --dir waas /media/safe/waas-key.cosigner", "asks for a new password for the file"],
  ],
  run: async (base) => {
    const { args, options, out, globals } = base
    if (existsSync(args.file)) throw new CosignerError("E-BAK-001", { path: args.file })
    const wanted = { what: `the backup ${args.file}`, file: options.passwordFile, db: keyFileOf(globals) }
    using password = await newPassword(base, wanted)
    const manifest = backUpKey(filesIn(options.dir), args.file, { password, nowMs: Date.now(), tell: telling(base) })
    out.result({ file: args.file, proven: true, ...manifest }, [
      `Backup: ${args.file}`,
      `WaaS public key: ${manifest.public_key}`,
      "Proven: the key in it is that one",
    ])
    return EXIT.ok
  },
})

export const verify = command({
  summary: "Prove a backup of a WaaS or of its key, with nothing but its password",
  details:
    "A database is restored in a scratch place and looked at as a start would; a key is opened in memory alone. Needs no WaaS and no network.",
  args: { file: required("file", "the backup") },
  options: { passwordFile },
  examples: [["cosigner waas backup verify backups/waas-20261122T121314Z.cosigner", "asks for its password"]],
  run: async (base) => {
    const { args, options, out, globals } = base
    const wanted = { what: args.file, file: options.passwordFile, db: keyFileOf(globals) }
    const isKey = sealedKindOf(args.file) === "waasKey"
    using password = await existingPassword(base, wanted)
    if (isKey) {
      const manifest = proveKeyBackup(args.file, password)
      out.result({ file: args.file, what: "key", proven: true, ...manifest }, [
        `Backup of a signing key: ${args.file}`,
        `WaaS public key: ${manifest.public_key}`,
        "Proven: the key in it is that one",
      ])
    } else {
      const manifest = proveWaasBackup(args.file, password, Date.now())
      out.result({ file: args.file, what: "waas", proven: true, ...manifest }, [
        `Backup: ${args.file}`,
        ...described(manifest),
        "Proven: every record is what was written",
      ])
    }
    return EXIT.ok
  },
})

export const restore = command({
  summary: "Make the folder of a WaaS again from a backup, on any host",
  details: [
    "Writes waas.db (and waas.toml, if there is none) into --dir and overwrites nothing. Stop every other copy of this WaaS first: the restored",
    "one becomes the newest, and nodes follow no other from then on. waas.key must exist, or comes from its own backup (--key-backup), or is made",
    "anew (--new-key) if it is lost; then each node's operator runs `cosigner trust-waas` with the new public key.",
    "Vaults and groups that are younger than the backup come back from the nodes: cosigner waas adopt. Requests since then are lost.",
  ].join("\n"),
  args: { file: required("file", "the backup") },
  options: {
    dir: dirOption,
    passwordFile,
    keyBackup: value("--key-backup <file>", "backup of the signing key"),
    keyPasswordFile: value("--key-password-file <file>", "file with the password of that one, mode 600"),
    newKey: flag("--new-key", "make another signing key: the old one is lost"),
  },
  examples: [
    [
      "cosigner waas backup restore waas-20261122T121314Z.cosigner --dir waas",
      "waas/waas.key is there, or comes later",
    ],
    [
      "cosigner waas backup restore waas-20261122T121314Z.cosigner --dir waas --key-backup waas-key.cosigner",
      "both backups",
    ],
  ],
  run: async (base) => {
    const { args, options, out, globals } = base
    if (options.keyBackup !== undefined && options.newKey) refuse("a restore", "--key-backup or --new-key", "both")
    const files = filesIn(options.dir)
    const db = keyFileOf(globals)
    using password = await existingPassword(base, { what: args.file, file: options.passwordFile, db })
    const nowMs = Date.now()
    const hasKey = existsSync(files.key)
    if (hasKey && (options.keyBackup !== undefined || options.newKey)) {
      throw new CosignerError("E-WAA-062", { file: files.key })
    }
    const key = options.keyBackup
    if (key !== undefined) {
      // This comes first, so that a wrong password or another WaaS's key leaves nothing behind.
      const { public_key } = proveWaasBackup(args.file, password, nowMs)
      using own = await existingPassword(base, { what: key, file: options.keyPasswordFile, db })
      restoreKey(files, { path: key, password: own }, public_key)
    }
    const { manifest, incarnation, config } = restoreWaas(files, { path: args.file, password, nowMs })
    const made = options.newKey ? toHex(createKeyFile(files).tasks.publicKey) : undefined
    const result = {
      dir: files.dir,
      restored: true,
      incarnation,
      config_file: config,
      new_public_key: made,
      ...manifest,
    }
    out.result(result, [
      `Restored: ${files.database} (incarnation ${incarnation}: nodes follow no other copy from now on)`,
      ...described(manifest),
      config === undefined ? `Configuration: ${files.config} stays as it is` : `Configuration: ${config}`,
      ...nextSteps(files, hasKey || key !== undefined, made),
    ])
    return EXIT.ok
  },
})

function nextSteps({ dir, key }: WaasFiles, hasKey: boolean, made: string | undefined): readonly string[] {
  const go = `Next: cosigner waas adopt --dir ${dir} --node <the nodes>, then: cosigner waas start --dir ${dir}`
  if (made !== undefined) return [`New WaaS public key: ${made}`, `On each node: cosigner trust-waas ${made}`, go]
  return hasKey ? [go] : [`Next: put the signing key at ${key}, mode 600`, go]
}

const described = ({ public_key, created_ms, counts, token }: WaasManifest): readonly string[] => [
  ...(public_key === undefined ? [] : [`Public key of waas.key: ${public_key}`]),
  `Created: ${new Date(created_ms).toISOString()}, incarnation ${token.incarnation}, mark ${token.mark}`,
  `Holds: ${counts.vaults} vaults, ${counts.groups} groups, ${counts.requests} requests, ${counts.tasks} tasks`,
]
