/** Man pages in roff, one for each command, from the table that help and the reference are made from. */
import type { Option } from "../../src/cli/command.ts"
import { globalOptions } from "../../src/cli/globals.ts"
import { EXIT } from "../../src/errors/entry.ts"
import { argumentText, type CommandPage, globalsFor, helpOf, synopsis } from "../docs/commands.ts"

export interface Edition {
  /** `v0.1.0` */
  readonly version: string
  /** `2026-01-12` */
  readonly date: string
}

/** File names of man1 and their texts: cosigner.1, cosigner-info-group.1, ... */
export function manPages(all: readonly CommandPage[], edition: Edition): ReadonlyMap<string, string> {
  const pages = new Map([["cosigner.1", overview(all, edition)]])
  for (const of of all) pages.set(`${fileOf(of.name)}.1`, commandPage(of, edition))
  return pages
}

const fileOf = (name: string): string => name.replaceAll(" ", "-")

function overview(all: readonly CommandPage[], edition: Edition): string {
  return [
    ...head("cosigner", "server co-signer: holds one share of every key, signs what its rules approve", edition),
    ".SH SYNOPSIS",
    ".B cosigner",
    escaped("<command> [options]"),
    ".SH COMMANDS",
    ...all.flatMap(({ name, summary }) => term(name.replace(/^cosigner /, ""), summary)),
    ".SH OPTIONS",
    "Options stand before or after the command.",
    ...options(Object.values<Option<unknown>>(globalOptions)),
    ...exitStatus(),
    ...files(),
    ...seeAlso(all.map(({ name }) => name)),
    "",
  ].join("\n")
}

function commandPage(of: CommandPage, edition: Edition): string {
  const { name, summary, command, below } = of
  const [, ...parts] = synopsis(of).slice(name.length).split(" ")
  return [
    ...head(fileOf(name), summary, edition),
    ".SH SYNOPSIS",
    `.B ${escaped(name)}`,
    command === undefined ? escaped("<command>") : escaped(parts.join(" ")),
    ".SH DESCRIPTION",
    escaped(`${summary}.`),
    ...(command === undefined || command.details === "" ? [] : [".PP", ...command.details.split("\n").map(escaped)]),
    ...(command === undefined ? [] : commandSections(command)),
    ...exitStatus(),
    ...seeAlso(["cosigner", ...below]),
    "",
  ].join("\n")
}

function commandSections(command: NonNullable<CommandPage["command"]>): readonly string[] {
  const args = Object.values(command.args)
  const own = Object.values(command.options)
  return [
    ...(args.length === 0
      ? []
      : [".SH ARGUMENTS", ...args.flatMap((argument) => term(argumentText(argument), argument.help))]),
    ...(own.length === 0 ? [] : [".SH OPTIONS", ...options(own)]),
    ".SH GLOBAL OPTIONS",
    ...options(globalsFor(command)),
    ...(command.examples.length === 0
      ? []
      : [
          ".SH EXAMPLES",
          ...command.examples.flatMap(([line, meaning]) => [".TP", escaped(meaning), ".EX", escaped(line), ".EE"]),
        ]),
  ]
}

const head = (name: string, summary: string, { version, date }: Edition): readonly string[] => [
  '.\\" Made from the code by `npm run release`.',
  `.TH ${escaped(name.toUpperCase())} 1 ${date} "cosigner ${escaped(version)}" "cosigner manual"`,
  // ragged: long examples in the text cannot be stretched
  ".ad l",
  ".SH NAME",
  `${escaped(name)} \\- ${escaped(summary)}`,
]

const options = (options: readonly Option<unknown>[]): readonly string[] =>
  options.flatMap((option) => term(option.flags, helpOf(option)))

export const term = (what: string, meaning: string): readonly string[] => [
  ".TP",
  `.B ${escaped(what)}`,
  escaped(meaning),
]

const exitStatus = (): readonly string[] => [
  ".SH EXIT STATUS",
  `${EXIT.ok} done; ${EXIT.failure} not done; ${EXIT.config} the configuration; ${EXIT.secrets} password, key file or database; ${EXIT.network} the network;`,
  `${EXIT.refused} refused on purpose; ${EXIT.bug} a bug.`,
]

const files = (): readonly string[] => [
  ".SH FILES",
  ...term("configs/cosigner.toml", "the configuration; relative to the working directory, as all that follow"),
  ...term("db/secrets.db", "the encrypted database"),
]

const seeAlso = (names: readonly string[]): readonly string[] => [
  ".SH SEE ALSO",
  ...names.map((name, i) => `.BR ${escaped(fileOf(name))} (1)${i === names.length - 1 ? "" : ","}`),
]

/** Nothing of it is an order to the formatter; a hyphen stays one that can be typed. */
export function escaped(plain: string): string {
  const safe = plain.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll('"', "\\(dq")
  return /^[.']/.test(safe) ? `\\&${safe}` : safe
}
