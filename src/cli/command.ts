/**
 * Defines a command: a value that names its arguments and options, and a function that runs. Everything that help, shell
 * completion and the reference need is data here; `options` and `args` arrive at `run` parsed and typed.
 *
 *     export const group = command({
 *       summary: "Show the groups",
 *       args: { group: optional("group-id", "only this one") },
 *       options: { limit: value("--limit <n>", "at most so many", integer(1, 1000)) },
 *       examples: [["cosigner info group --limit 5", "the first five"]],
 *       run: async ({ args, options, out }) => { ...; return EXIT.ok },
 *     })
 *
 * A command never ends the process and never writes to the console: it returns an exit code, prints through `out`, logs
 * through `log`, and throws CosignerError. table.ts has its name and place.
 */
import type { Config } from "../config/config.ts"
import type { ExitCode } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Output } from "../output.ts"
import type { Overrides } from "../settings/overlay.ts"
import type { Passwords } from "./password.ts"

// ---- what a command declares ---------------------------------------------------------------------------------------

/** Parses text of the command line; throws E-CLI-002 through `refuse` if it is invalid. */
type ParseText<T> = (text: string) => T

export interface Option<T> {
  /** As commander writes them: `-l, --limit <n>`, `--force`. */
  readonly flags: string
  readonly help: string
  readonly kind: "flag" | "switch" | "value" | "list"
  readonly choices: readonly string[]
  /** Reads the raw texts that were given, in order; there are none if the option is absent. */
  readonly read: (texts: readonly string[]) => T
}

export interface Argument<T> {
  /** Without brackets: `group-id`. */
  readonly name: string
  readonly help: string
  readonly kind: "required" | "optional" | "rest"
  readonly read: (texts: readonly string[]) => T
}

export type CommandOptions = Readonly<Record<string, Option<unknown>>>
type Arguments = Readonly<Record<string, Argument<unknown>>>
export type ValuesOf<S> = {
  readonly [K in keyof S]: S[K] extends { read: (texts: readonly string[]) => infer T } ? T : never
}

/** The options of every command, before or after its name. */
export interface Globals {
  /** Undefined unless given: the default differs between the node and other programs. */
  readonly config: string | undefined
  readonly db: string | undefined
  readonly keyFile: string | undefined
  readonly allowReadableKeyFile: boolean
  readonly passwordSegment: boolean
  readonly json: boolean
  readonly verbose: boolean
}

/** What every command may use. */
export interface CommandBase {
  readonly globals: Globals
  /** The configuration with the global flags applied on top; read, checked and frozen at the call. */
  readonly config: (overrides?: Overrides) => Promise<Config>
  readonly out: Output
  readonly passwords: Passwords
  /** Writes errors and warnings to stderr, and more with --verbose. `start` builds its own log from [log]. */
  readonly log: Log
  readonly env: Readonly<Record<string, string | undefined>>
}

interface CommandContext<O, A> extends CommandBase {
  readonly options: O
  readonly args: A
}

export interface Command {
  readonly summary: string
  /** Paragraphs below the summary in --help. */
  readonly details: string
  readonly args: Arguments
  readonly options: CommandOptions
  readonly examples: readonly (readonly [command: string, meaning: string])[]
  readonly start: (base: CommandBase, given: GivenTexts) => Promise<ExitCode>
}

/** The raw texts of each option and argument, by its key. */
export interface GivenTexts {
  readonly options: Readonly<Record<string, readonly string[]>>
  readonly args: Readonly<Record<string, readonly string[]>>
}

interface CommandDeclaration<O extends CommandOptions, A extends Arguments> {
  readonly summary: string
  readonly details?: string
  readonly args?: A
  readonly options?: O
  readonly examples?: Command["examples"]
  readonly run: (context: CommandContext<ValuesOf<O>, ValuesOf<A>>) => Promise<ExitCode>
}

// The empty default keeps `options` and `args` of a command that declares none from accepting every name.
type None = Readonly<Record<never, never>>

export function command<O extends CommandOptions = None, A extends Arguments = None>(
  declaration: CommandDeclaration<O, A>,
): Command {
  return {
    summary: declaration.summary,
    details: declaration.details ?? "",
    args: declaration.args ?? {},
    options: declaration.options ?? {},
    examples: declaration.examples ?? [],
    start: (base, given) =>
      declaration.run({
        ...base,
        options: readAll(declaration.options, given.options),
        args: readAll(declaration.args, given.args),
      }),
  }
}

// The one place that turns the declared record into the record of its values: a codec, key by key.
function readAll<S extends CommandOptions | Arguments>(
  specs: S | undefined,
  given: Readonly<Record<string, readonly string[]>>,
): ValuesOf<S> {
  const out: Record<string, unknown> = {}
  for (const [key, spec] of Object.entries(specs ?? {})) out[key] = spec.read(given[key] ?? [])
  return out as ValuesOf<S>
}

// ---- options and arguments -----------------------------------------------------------------------------------------

/** `--force`: true if given. */
export const flag = (flags: string, help: string): Option<boolean> => ({
  flags,
  help,
  kind: "flag",
  choices: [],
  read: (texts) => texts.length > 0,
})

/** `--prod`, `--prod=true`, `--prod=false`: undefined unless given. Scripts of the published tool write all three. */
export const onOff = (flags: string, help: string): Option<boolean | undefined> => ({
  flags,
  help,
  kind: "switch",
  choices: [],
  read: (texts) => {
    const text = texts.at(-1)
    if (text === undefined) return undefined
    return text === "true"
      ? true
      : text === "false"
        ? false
        : refuse(flags, "given alone, or with =true or =false", text)
  },
})

/** `--limit <n>`: the last one given, or undefined. */
export function value(flags: string, help: string): Option<string | undefined>
export function value<T>(flags: string, help: string, read: ParseText<T>): Option<T | undefined>
export function value(flags: string, help: string, read: ParseText<unknown> = (text) => text): Option<unknown> {
  return { flags, help, kind: "value", choices: [], read: (texts) => optionally(texts.at(-1), read) }
}

/** Like `value`; `fallback` is read as if it had been given, and shown as it is. */
export function valueOr<T>(flags: string, help: string, fallback: string, read: ParseText<T>): Option<T> {
  return {
    flags,
    help: `${help} (default ${fallback})`,
    kind: "value",
    choices: [],
    read: (texts) => read(texts.at(-1) ?? fallback),
  }
}

/** One of the given words, or undefined. */
export function choice<const W extends string>(
  flags: string,
  help: string,
  words: readonly W[],
): Option<W | undefined> {
  return { flags, help, kind: "value", choices: words, read: (texts) => optionally(texts.at(-1), oneOf(words, flags)) }
}

/** `--group-ids a,b`, may be repeated: every non-empty word, in order. */
export const list = (flags: string, help: string): Option<readonly string[]> => ({
  flags,
  help,
  kind: "list",
  choices: [],
  read: (texts) =>
    texts.flatMap((text) => text.split(",")).map((word) => word || refuse(flags, "words between commas", "")),
})

export const required = (name: string, help: string): Argument<string> => ({
  name,
  help,
  kind: "required",
  // commander refuses a missing argument before this runs
  read: (texts) => texts[0] ?? refuse(`argument ${name}`, "a value", ""),
})
export const optional = (name: string, help: string): Argument<string | undefined> => ({
  name,
  help,
  kind: "optional",
  read: (texts) => texts[0],
})
export const rest = (name: string, help: string): Argument<readonly string[]> => ({
  name,
  help,
  kind: "rest",
  read: (texts) => texts,
})

// ---- readers -------------------------------------------------------------------------------------------------------

export const integer =
  (min: number, max: number): ParseText<number> =>
  (text) => {
    const number = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (!(number >= min && number <= max)) refuse("a number", `an integer from ${min} to ${max}`, text)
    return number
  }

export const url =
  (...schemes: readonly string[]): ParseText<string> =>
  (text) => {
    const parsed = URL.canParse(text) ? new URL(text) : undefined
    if (parsed === undefined || !schemes.includes(parsed.protocol.slice(0, -1))) {
      // A URL may contain a password, so only its scheme is repeated.
      refuse(
        "a URL",
        `a URL beginning with ${schemes.map((scheme) => `${scheme}://`).join(" or ")}`,
        text.split("/", 1)[0] ?? "",
      )
    }
    return text
  }

/** Refuses what was typed: E-CLI-002, exit 1. */
export function refuse(what: string, expected: string, got: string): never {
  throw new CosignerError("E-CLI-002", { what, expected, got })
}

const oneOf =
  <W extends string>(words: readonly W[], flags: string): ParseText<W> =>
  (text) =>
    words.find((word) => word === text) ?? refuse(flags, `one of ${words.join(", ")}`, text)

const optionally = <T>(text: string | undefined, read: ParseText<T>): T | undefined =>
  text === undefined ? undefined : read(text)
