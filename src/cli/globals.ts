/** The options of every command, before or after its name. A command's own option with the same flag takes precedence. */
import { type CommandOptions, flag, type GivenTexts, type Globals, value } from "./command.ts"

export const globalOptions = {
  config: value("-c, --config <file>", "configuration file, TOML or YAML (default configs/cosigner.toml)"),
  db: value("-d, --db <file>", "the encrypted database (default db/secrets.db)"),
  keyFile: value("--key-file <file>", "read the password from this file, mode 600, instead of asking"),
  allowReadableKeyFile: flag("--danger-allow-readable-key-file", "accept a key file that group or others may read"),
  passwordSegment: flag("--password-segment", "type the password in parts, one line each; an empty line ends it"),
  json: flag("--json", "print JSON, one value per line, and nothing else to stdout"),
  verbose: flag("-v, --verbose", "say more on stderr"),
} satisfies CommandOptions

export function readGlobals(given: GivenTexts["options"]): Globals {
  const givenFor = (key: keyof Globals) => given[key] ?? []
  return {
    config: globalOptions.config.read(givenFor("config")),
    db: globalOptions.db.read(givenFor("db")),
    keyFile: globalOptions.keyFile.read(givenFor("keyFile")),
    allowReadableKeyFile: globalOptions.allowReadableKeyFile.read(givenFor("allowReadableKeyFile")),
    passwordSegment: globalOptions.passwordSegment.read(givenFor("passwordSegment")),
    json: globalOptions.json.read(givenFor("json")),
    verbose: globalOptions.verbose.read(givenFor("verbose")),
  }
}
