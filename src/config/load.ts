/**
 * The node's configuration: reads its file, applies the flags, checks every key. startup.ts makes the checks that need the disk or the
 * environment beyond the file itself (the files it names, production's rules). Only ABIs are read here, because rules need them.
 */
import { CosignerError } from "../errors.ts"
import { isTaken } from "../files.ts"
import type { BundleDocument, PolicyBundle } from "../policy/bundle.ts"
import { namesIn } from "../policy/names.ts"
import { peopleIn } from "../policy/people.ts"
import { RULES_OFF, withNames } from "../policy/schema.ts"
import { parseDocument, readSource } from "../settings/file.ts"
import type { Overrides } from "../settings/overlay.ts"
import { frozen, readSettings } from "../settings/read.ts"
import type { Tree } from "../settings/tree.ts"
import { readAbis } from "./abiFiles.ts"
import { type Config, configSchema, DEFAULT_FILE, PUBLISHED_FILE } from "./config.ts"
import { bundleOf, filesIn, withPolicy } from "./policyBundle.ts"

/** The global flags. */
interface Selection {
  readonly config: string | undefined
  readonly db: string | undefined
  readonly keyFile: string | undefined
  readonly allowReadableKeyFile: boolean
}

export interface Loaded {
  readonly config: Config
  /** Every key with its value as the file has it, defaults included: for `config show`. */
  readonly tree: Readonly<Tree>
  /** The flag that set a key, by the key. */
  readonly said: ReadonlyMap<string, string>
  /** The bundle that the file names. `config` and `tree` have its policy, or that of another document that was asked for. */
  readonly bundle: PolicyBundle | undefined
}

/** -c, -d, --key-file and --ws-url say where things are, and override the file. */
const WINS = new Set(["db.path", "db.key_file", "db.danger_allow_readable_key_file", "websocket.url"])

export const loadConfig = (selection: Selection, overrides: Overrides = {}): Config =>
  readConfig(selection, overrides).config

/**
 * The file of --config, or the default one, or the published one if only that exists. Without any of them the defaults
 * apply: a first `init` needs no configuration. Throws E-CFG-013 if both exist, because either might be the one meant.
 */
export function readConfig(selection: Selection, overrides: Overrides = {}, policy?: BundleDocument): Loaded {
  const file = selection.config ?? presentFile()
  const source = readSource(file, selection.config !== undefined)
  const named = source === undefined ? undefined : file
  return checkConfig(source ?? "", named, { ...overrides, ...selected(selection) }, policy)
}

function presentFile(): string {
  if (!isTaken(PUBLISHED_FILE)) return DEFAULT_FILE
  if (isTaken(DEFAULT_FILE)) throw new CosignerError("E-CFG-013", { one: DEFAULT_FILE, other: PUBLISHED_FILE })
  return PUBLISHED_FILE
}

function selected({ db, keyFile, allowReadableKeyFile }: Selection): Overrides {
  return {
    ...(db === undefined ? {} : { "db.path": { flag: "--db", value: db } }),
    ...(keyFile === undefined ? {} : { "db.key_file": { flag: "--key-file", value: keyFile } }),
    ...(allowReadableKeyFile
      ? { "db.danger_allow_readable_key_file": { flag: "--danger-allow-readable-key-file", value: true } }
      : {}),
  }
}

/**
 * Checks the text of a configuration; `file` is its name in messages, undefined if there is no file. `policy`: the document of a bundle
 * that supplies the policy instead of the one that the file names.
 */
export function checkConfig(
  source: string,
  file: string | undefined,
  overrides: Overrides = {},
  policy?: BundleDocument,
): Loaded {
  const host = parseDocument(source, file ?? DEFAULT_FILE, configSchema)
  const bundle = bundleOf(host)
  const followed = policy ?? bundle?.document
  const document = followed === undefined ? host : withPolicy(host, followed, Object.keys(overrides))
  const policyFiles = followed && filesIn(followed)
  const { value, tree, said } = readSettings(configSchema, document, { overrides, wins: WINS })
  const people = peopleIn(value.approvers, value.approver_groups)
  const names = namesIn(value.intent, readAbis(value.intent, policyFiles), people)
  const rules = withNames(value.embedded_risk_control_rules ?? RULES_OFF, names)
  const config = frozen({ ...value, embedded_risk_control_rules: rules, source: file, policyFiles })
  return { config, tree, said, bundle }
}
