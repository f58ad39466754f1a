/** `cosigner config init|check|show`. */
import { dirname } from "node:path"
import { configSchema, DEFAULT_FILE } from "../config/config.ts"
import { readConfig } from "../config/load.ts"
import { startProblems } from "../config/startup.ts"
import { template } from "../config/template.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, describe, errorText } from "../errors.ts"
import { errnoOf, makeFolder, replaceFile, writeNew } from "../files.ts"
import { lines, redacted } from "../settings/show.ts"
import { command, flag } from "./command.ts"
import { overridesOf, startFlags } from "./startFlags.ts"

export const init = command({
  summary: "Write an annotated configuration",
  details: `Writes every key with what it does and its default to ${DEFAULT_FILE}, or to the file of --config.`,
  options: { force: flag("--force", "replace a file that is there") },
  examples: [["cosigner config init --config configs/prod.toml", "a second configuration"]],
  run: async ({ globals, options, out }) => {
    const path = globals.config ?? DEFAULT_FILE
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
    const problems = startProblems(config)
    out.result(
      {
        file: config.source ?? null,
        ok: problems.length === 0,
        problems: problems.map(({ code, message, next }) => ({ code, message, next })),
      },
      problems.length === 0 ? [`${config.source ?? "the defaults"}: correct (${config.env})`] : problems.map(describe),
    )
    return problems.length === 0 ? EXIT.ok : EXIT.config
  },
})

export const show = command({
  summary: "Show the configuration in force",
  details: "The file with the flags on top and every default filled in; secrets are hidden.",
  options: startFlags,
  run: async ({ globals, options, out }) => {
    const tree = redacted(readConfig(globals, overridesOf(options)).tree, configSchema)
    out.result(tree, lines(tree))
    return EXIT.ok
  },
})

function writeConfig(path: string, text: string, force: boolean): void {
  try {
    makeFolder(dirname(path))
    // with --force the old file stays whole until the new one is
    if (force) replaceFile(path, text)
    else writeNew(path, text)
  } catch (cause) {
    const code = errnoOf(cause) ?? errorText(cause)
    if (code === "EEXIST") throw new CosignerError("E-CFG-009", { path })
    throw new CosignerError("E-CLI-009", { path, why: code }, { cause })
  }
}
