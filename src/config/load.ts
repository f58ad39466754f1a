/**
 * TOML to Config: read, lay the flags on top, check every key, decode, freeze. What needs the disk or the environment
 * beyond the file itself (the files it names, production's rules) is startup.ts's.
 */
import { Value } from "@sinclair/typebox/value"
import type { KeyProblem } from "../errors/config.ts"
import { CosignerError } from "../errors.ts"
import { readPathRules, readRules, schemaProblems, type Where } from "./check.ts"
import { type Config, configSchema, DEFAULT_FILE, RULES_TABLE } from "./config.ts"
import { withDefaults } from "./defaults.ts"
import { linesOf } from "./lines.ts"
import { lay, type Overrides } from "./overlay.ts"
import { isTree, parseToml, readSource, type Tree } from "./source.ts"

/** The global flags. */
export interface Selection {
  readonly config: string | undefined
  readonly db: string | undefined
  readonly keyFile: string | undefined
  readonly allowReadableKeyFile: boolean
}

export interface Loaded {
  readonly config: Config
  /** Every key with its value as TOML has it, defaults included: for `config show`. */
  readonly tree: Readonly<Tree>
}

export const loadConfig = (selection: Selection, overrides: Overrides = {}): Config =>
  readConfig(selection, overrides).config

/** Without --config and without the default file the defaults stand: a first `init` needs no configuration. */
export function readConfig(selection: Selection, overrides: Overrides = {}): Loaded {
  const file = selection.config ?? DEFAULT_FILE
  const source = readSource(file, selection.config !== undefined)
  return checkConfig(source ?? "", source === undefined ? undefined : file, { ...overrides, ...selected(selection) })
}

function selected({ db, keyFile, allowReadableKeyFile }: Selection): Overrides {
  return {
    ...(db === undefined ? {} : { "db.path": { flag: "--db", value: db } }),
    ...(keyFile === undefined ? {} : { "db.key_file": { flag: "--key-file", value: keyFile } }),
    ...(allowReadableKeyFile
      ? { "db.allow_readable_key_file": { flag: "--allow-readable-key-file", value: true } }
      : {}),
  }
}

/** Checks the text of a configuration; `file` is its name in messages, undefined where there is none. */
export function checkConfig(source: string, file: string | undefined, overrides: Overrides = {}): Loaded {
  const name = file ?? DEFAULT_FILE
  const written = parseToml(source, name)
  const flags = lay(written, overrides, name)
  const lineOf = linesOf(source)
  const where: Where = (path) => flags.get(path.join(".")) ?? `${name}:${lineOf(path)}`
  const tree = treeOf(withDefaults(configSchema, written))
  const problems: KeyProblem[] = [...schemaProblems(tree, where)]
  const rules = readRules(tree[RULES_TABLE], where, problems)
  const paths = readPathRules(Reflect.get(Object(tree["signing"]), "path_algorithms"), where, problems)
  if (problems.length > 0 || rules === undefined || paths === undefined) {
    throw new CosignerError("E-CFG-003", { problems })
  }
  const decoded = Value.Decode(configSchema, tree)
  const config: Config = {
    ...decoded,
    signing: { path_algorithms: paths },
    embedded_risk_control_rules: rules,
    source: file,
  }
  return { config: freeze(config), tree }
}

const treeOf = (value: unknown): Tree => (isTree(value) ? value : {})

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) freeze(inner)
  }
  return value
}
