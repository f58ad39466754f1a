/**
 * What a running node has in force, which may differ from its file. SIGHUP reloads rules and log levels. Every
 * other key waits for a restart, and so do the contents of each key and certificate file.
 * While the node runs, a record of this is beside the database, mode 600, secrets hidden; `config show` reads it.
 */
import { createHash } from "node:crypto"
import { readFileSync, rmSync } from "node:fs"
import { errnoOf, readPrivate, replaceFile, UnusableFile } from "../files.ts"
import { lines, redacted } from "../settings/show.ts"
import { isTree, type Tree } from "../settings/tree.ts"
import { anchorFiles } from "./anchors.ts"
import { configSchema, RULES_TABLE } from "./config.ts"
import type { Loaded } from "./load.ts"

/** Each key, and each trusted file, with its value as text. Must not be shown: some values are secrets. */
export type InForce = ReadonlyMap<string, string>

export function inForce({ config, tree }: Loaded): InForce {
  const files = anchorFiles(config).map(([key, path]) => [`${key} (the content of its file)`, digestOf(path)] as const)
  return new Map([...pairs(tree), ...files])
}

/** The keys that differ and wait for a restart. Callback servers of a bundle do not wait. If a list changed in length, its entries are named. */
export function waitingKeys(running: InForce, file: InForce, isOfBundle = false): readonly string[] {
  const names = new Set([...running.keys(), ...file.keys()])
  const isLive = (key: string): boolean =>
    isReloaded(key) || (isOfBundle && /^callback\.(?:cb_server|ask_key_share_sign)/.test(key))
  return [...names].filter((key) => running.get(key) !== file.get(key) && !isLive(key)).sort()
}

/** The tree in force in a node that was started with one tree and has reloaded another. */
export function withReloaded(started: Readonly<Tree>, newest: Readonly<Tree>): Readonly<Tree> {
  const table = (tree: unknown, key: string): Readonly<Tree> => {
    const value: unknown = isTree(tree) ? tree[key] : undefined
    return isTree(value) ? value : {}
  }
  const level = (name: "std" | "file") => ({
    ...table(started["log"], name),
    level: table(newest["log"], name)["level"],
  })
  const others = Object.entries(started).filter(([key]) => !RELOADED_TABLES.some((reloaded) => reloaded === key))
  const reloaded = RELOADED_TABLES.flatMap((key) => (newest[key] === undefined ? [] : [[key, newest[key]] as const]))
  return {
    ...Object.fromEntries([...others, ...reloaded]),
    log: { ...table(started, "log"), std: level("std"), file: level("file") },
  }
}

/** The rules, and the tables whose names they use. */
const RELOADED_TABLES = [RULES_TABLE, "intent", "approvers", "approver_groups", "operation_approvals"] as const

const isReloaded = (key: string): boolean =>
  key === "log.std.level" ||
  key === "log.file.level" ||
  RELOADED_TABLES.some((table) => key === table || key.startsWith(`${table}.`) || key.startsWith(`${table}[`))

const pairs = (tree: Readonly<Tree>): readonly (readonly [key: string, value: string])[] =>
  lines(tree).map((line) => {
    const at = line.indexOf(" = ")
    return [line.slice(0, at), line.slice(at + 3)]
  })

function digestOf(path: string): string {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex")
  } catch (error) {
    return errnoOf(error) ?? "unreadable"
  }
}

// ---- the record ------------------------------------------------------------------------------------------------------

interface RunningConfig {
  readonly pid: number
  /** ms since 1970. */
  readonly sinceMs: number
  /** Keys and values as `config show` prints them. */
  readonly keys: Readonly<Record<string, string>>
  /** Keys that a flag of the start set, by the key. */
  readonly flags: Readonly<Record<string, string>>
}

const fileOf = (dbPath: string): string => `${dbPath}.in-force.json`
const MAX_BYTES = 16 * 1024 * 1024

/** Keys as `config show` may print them. */
export const shownKeys = (tree: Readonly<Tree>): Readonly<Record<string, string>> =>
  Object.fromEntries(pairs(redacted(tree, configSchema)))

/** Writes the record, durably. Throws the system's error. */
export const writeRunning = (dbPath: string, running: RunningConfig): void =>
  replaceFile(fileOf(dbPath), `${JSON.stringify(running)}\n`)

export const removeRunning = (dbPath: string): void => rmSync(fileOf(dbPath), { force: true })

/** Undefined if there is no record, or none that can be read. The caller must know whether that process still runs. */
export function readRunning(dbPath: string): RunningConfig | undefined {
  try {
    using text = readPrivate(fileOf(dbPath), MAX_BYTES)
    const value: unknown = JSON.parse(Buffer.from(text.expose()).toString("utf8"))
    return isRunning(value) ? value : undefined
  } catch (error) {
    if (error instanceof UnusableFile || error instanceof SyntaxError) return undefined
    throw error
  }
}

const isRunning = (value: unknown): value is RunningConfig =>
  isTree(value) &&
  typeof value["pid"] === "number" &&
  typeof value["sinceMs"] === "number" &&
  isTexts(value["keys"]) &&
  isTexts(value["flags"])

const isTexts = (value: unknown): boolean =>
  isTree(value) && Object.values(value).every((text) => typeof text === "string")

export interface Difference {
  readonly key: string
  /** Undefined: the key is not set. */
  readonly running: string | undefined
  readonly file: string | undefined
  /** The flag with which the running node was started for this key, if there was one. */
  readonly flag: string | undefined
}

/** The differences between the running node and the file. */
export function differences(
  { keys, flags }: Pick<RunningConfig, "keys" | "flags">,
  file: RunningConfig["keys"],
): readonly Difference[] {
  const names = [...new Set([...Object.keys(keys), ...Object.keys(file)])].sort()
  return names
    .filter((key) => keys[key] !== file[key])
    .map((key) => ({ key, running: keys[key], file: file[key], flag: flags[flagKeyOf(key)] }))
}

/** A flag sets a whole list: `callback.cb_server_v2[0].pubkey_path` belongs to `callback.cb_server_v2`. */
const flagKeyOf = (key: string): string => key.replace(/\[.*$/, "")

/** What the process that holds a database has in force; `holder` is its id. */
export function runningOf(dbPath: string, holder: number | undefined): RunningConfig | undefined {
  const running = holder === undefined ? undefined : readRunning(dbPath)
  return running?.pid === holder ? running : undefined
}
