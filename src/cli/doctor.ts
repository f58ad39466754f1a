/** `cosigner doctor`: checks everything that a node depends on, changes nothing, and gives a next step for each problem. */
import { existsSync } from "node:fs"
import type { Config } from "../config/config.ts"
import { type Loaded, readConfig } from "../config/load.ts"
import { CosignerError } from "../errors.ts"
import { openStore, type Store } from "../store/store.ts"
import { type CommandBase, command, flag } from "./command.ts"
import { checkBackup, checkFiles, checkSpace } from "./doctor/files.ts"
import { type DoctorSection, exitOf, type Finding, failure, linesOf, ok, skipped, worst } from "./doctor/finding.ts"
import { checkGroups } from "./doctor/groups.ts"
import { checkMachine, checkProgram } from "./doctor/machine.ts"
import { checkNetwork } from "./doctor/network.ts"
import { checkInForce, checkRunning } from "./doctor/running.ts"
import { checkServers } from "./doctor/servers.ts"
import { checkSettings } from "./doctor/settings.ts"

export const doctor = command({
  summary: "Look at everything a node depends on, and say what to do about it",
  details: [
    "Changes nothing, also beside a running node. Each line is a check with its result. A problem has an error code and",
    "a next step. Exits 0 if all is well, 1 on warnings, 2 on failures. A check that cannot be made is skipped, and counts",
    "for neither. The command opens the database with its password, like `cosigner info`; without a password those checks are skipped.",
  ].join("\n"),
  options: {
    offline: flag("--offline", "dial nobody: skip WaaS, callback and event servers"),
    closed: flag("--closed", "leave the database closed and ask for no password"),
  },
  examples: [
    ["cosigner doctor --key-file .password", "before the first start, and whenever something is odd"],
    ["cosigner doctor --json --offline --closed", "for a monitoring system: needs no secret"],
  ],
  run: async (base) => {
    const { options, out, env } = base
    const sections: DoctorSection[] = [
      { name: "program", findings: checkProgram(env) },
      { name: "machine", findings: checkMachine() },
    ]
    const loaded = readConfiguration(base, sections)
    if (loaded !== undefined) {
      const { config } = loaded
      using opened = options.closed ? withoutStore("--closed was given") : await openDatabase(base, config)
      sections.push(
        { name: "configuration", findings: checkSettings(config) },
        { name: "files", findings: checkFiles(config) },
        { name: "database", findings: [...opened.findings, checkSpace(config), checkBackup(config, Date.now())] },
        { name: "running node", findings: [...checkRunning(config.db.path), checkInForce(loaded)] },
      )
      if (!options.offline) {
        sections.push(
          { name: "WaaS", findings: await checkNetwork(config, opened.store) },
          { name: "servers", findings: await checkServers(config, opened.store) },
        )
      }
    }
    const result = worst(sections)
    const exit = exitOf(result)
    out.result({ result, exit, sections }, linesOf(sections))
    return exit
  },
})

/** Undefined if the configuration cannot be read; that is then a finding. */
function readConfiguration({ globals }: CommandBase, sections: DoctorSection[]): Loaded | undefined {
  try {
    return readConfig(globals)
  } catch (error) {
    if (!(error instanceof CosignerError)) throw error
    sections.push({ name: "configuration", findings: [failure("config.read", error)] })
    return undefined
  }
}

interface OpenedDatabase extends Disposable {
  readonly store: Store | undefined
  readonly findings: readonly Finding[]
}

const CHECK = "store.integrity"

const withoutStore = (why: string): OpenedDatabase => ({
  store: undefined,
  findings: [skipped(CHECK, why)],
  [Symbol.dispose]() {},
})

/** Opens the database as a reader and checks every record. */
async function openDatabase({ passwords }: CommandBase, { db }: Config): Promise<OpenedDatabase> {
  if (!existsSync(db.path)) return withoutStore(`${db.path} is not there: cosigner init makes it`)
  try {
    using password = await passwords.existing(db)
    const store = openStore(db.path, password, { readOnly: true })
    const records = store.verify()
    const findings = [ok(CHECK, `${records} records, all whole`), ...checkGroups(store)]
    return { store, findings, [Symbol.dispose]: () => store.close() }
  } catch (error) {
    if (!(error instanceof CosignerError)) throw error
    // There is nobody to ask: monitoring runs like this.
    if (error.code === "E-CLI-004") return withoutStore("no password: give --key-file FILE")
    return { ...withoutStore(""), findings: [failure(CHECK, error)] }
  }
}
