/** `cosigner config init|check|show|import`. */
import { rmSync } from "node:fs"
import { dirname } from "node:path"
import { configSchema, DEFAULT_FILE, PUBLISHED_FILE } from "../config/config.ts"
import { importYaml } from "../config/importYaml.ts"
import { type Difference, differences, runningOf, shownKeys } from "../config/inForce.ts"
import { readConfig } from "../config/load.ts"
import { checkStart } from "../config/startup.ts"
import { template } from "../config/template.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, describe, errorText } from "../errors.ts"
import { errnoOf, isTaken, makeFolder, nameNew, replaceFile, writeNew } from "../files.ts"
import { readSource } from "../settings/file.ts"
import { lines, redacted } from "../settings/show.ts"
import { command, flag, required, valueOr } from "./command.ts"
import { holderOf } from "./doctor/running.ts"
import { overridesOf, startFlags } from "./startFlags.ts"

export const init = command({
  summary: "Write an annotated configuration",
  details: `Writes every key with what it does and its default to ${DEFAULT_FILE}, or to the file of --config.`,
  options: { force: flag("--force", "replace a file that is there") },
  examples: [["cosigner config init --config configs/prod.toml", "a second configuration"]],
  run: async ({ globals, options, out }) => {
    const path = globals.config ?? DEFAULT_FILE
    // This file would be a second configuration beside it.
    if (globals.config === undefined && isTaken(PUBLISHED_FILE))
      throw new CosignerError("E-CFG-014", { path: PUBLISHED_FILE })
    writeConfig(path, template(), options.force)
    out.result({ written: path }, [
      `Wrote ${path}`,
      "Set [websocket] url and waas_public_key, then: cosigner config check",
    ])
    return EXIT.ok
  },
})

export const check = command({
  summary: "Check the configuration as `start` would",
  details: "Prints every problem and exits 2, or says that a node may start with it. Secrets are not shown.",
  options: startFlags,
  examples: [["cosigner config check --prod", "with the flags that the node will be started with"]],
  run: async ({ globals, options, out }) => {
    const { config } = readConfig(globals, overridesOf(options))
    const { problems, warnings } = checkStart(config)
    out.result(
      {
        file: config.source ?? null,
        ok: problems.length === 0,
        problems: problems.map(told),
        warnings: warnings.map(told),
      },
      [
        ...problems.map(describe),
        ...warnings.map((warning) => `warning: ${describe(warning)}`),
        ...(problems.length === 0 ? [`${config.source ?? "the defaults"}: correct (${config.env})`] : []),
      ],
    )
    return problems.length === 0 ? EXIT.ok : EXIT.config
  },
})

export const importFile = command({
  summary: "Make a configuration of one in the published YAML format",
  details: [
    "Writes the annotated TOML file, whole or not at all: each value with the line it came from, keys that have no counterpart",
    "here, and keys that are new and worth setting. The YAML file is renamed to FILE.imported, so that one configuration is left.",
    "`start` reads the YAML file as it is, too; both files side by side are refused.",
  ].join("\n"),
  args: { file: required("file", "the YAML file") },
  options: { out: valueOr("--out <file>", "where to write", DEFAULT_FILE, (text) => text) },
  examples: [["cosigner config import configs/cobo-tss-node-config.yaml", "write configs/cosigner.toml"]],
  run: async ({ args, options, out }) => {
    const { file } = args
    const imported = `${file}.imported`
    for (const path of [options.out, imported]) if (isTaken(path)) throw new CosignerError("E-CFG-009", { path })
    const { toml, dropped, wanted } = importYaml(readSource(file, true), file)
    writeConfig(options.out, toml, false)
    try {
      nameNew(file, imported)
    } catch (cause) {
      rmSync(options.out, { force: true })
      throw new CosignerError("E-CLI-009", { path: imported, why: errnoOf(cause) ?? errorText(cause) }, { cause })
    }
    out.result({ written: options.out, renamed: imported, dropped, wanted }, [
      `Wrote ${options.out}; ${file} is now ${imported}`,
      ...dropped.map((key) => `no counterpart, left out: ${key}`),
      ...wanted.map((key) => `worth setting: ${key}`),
      "Next: cosigner config check",
    ])
    return EXIT.ok
  },
})

const told = ({ code, message, next }: CosignerError) => ({ code, message, next })

export const show = command({
  summary: "Show the configuration, and where the running node has another",
  details: [
    "Shows the file with the flags applied and every default filled in; secrets are hidden. If a node runs on the database, the",
    "output also lists the keys that the node has in force with another value: it read them at its start, or at the last SIGHUP.",
  ].join("\n"),
  options: startFlags,
  run: async ({ globals, options, out }) => {
    const { config, tree: read } = readConfig(globals, overridesOf(options))
    const tree = redacted(read, configSchema)
    const running = runningOf(config.db.path, holderOf(`${config.db.path}.lock`))
    if (running === undefined) out.result(tree, lines(tree))
    else {
      const { pid, sinceMs } = running
      const differs = differences(running, shownKeys(read))
      out.result({ ...tree, running: { pid, since_ms: sinceMs, differs } }, [
        ...lines(tree),
        "",
        ...differenceLines(pid, new Date(sinceMs), differs),
      ])
    }
    return EXIT.ok
  },
})

function differenceLines(pid: number, since: Date, differs: readonly Difference[]): readonly string[] {
  const node = `the running node (process ${pid}, started ${since.toISOString()})`
  if (differs.length === 0) return [`# ${node} has all of this in force`]
  return [
    `# ${node} has other values in force:`,
    ...differs.map(({ key, running = "none", file = "none", flag }) => {
      const by = flag === undefined ? "" : ` (by ${flag})`
      return `# ${key}: running ${running}${by}, file ${file}`
    }),
  ]
}

function writeConfig(path: string, text: string, force: boolean): void {
  try {
    makeFolder(dirname(path))
    // With --force the old file stays whole until the new one is complete.
    if (force) replaceFile(path, text)
    else writeNew(path, text)
  } catch (cause) {
    const code = errnoOf(cause) ?? errorText(cause)
    if (code === "EEXIST") throw new CosignerError("E-CFG-009", { path })
    throw new CosignerError("E-CLI-009", { path, why: code }, { cause })
  }
}
