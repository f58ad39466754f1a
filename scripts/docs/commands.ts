/** commands.md, and the model of the commands that the man pages are made from too. */
import type { Argument, Command, Option } from "../../src/cli/command.ts"
import { globalOptions } from "../../src/cli/globals.ts"
import { table as rows } from "../../src/cli/table.ts"
import { code, page, table } from "./markdown.ts"

export interface CommandPage {
  /** `cosigner info group` */
  readonly name: string
  readonly summary: string
  /** Undefined for a word that only groups others. */
  readonly command: Command | undefined
  readonly below: readonly string[]
}

export const nameOf = (path: readonly string[]): string => ["cosigner", ...path].join(" ")

export const commandPages = (): Promise<readonly CommandPage[]> =>
  Promise.all(
    rows.map(async ({ path, summary, load }) => ({
      name: nameOf(path),
      summary,
      command: await load?.(),
      below: rows
        .filter((row) => row.path.length === path.length + 1 && path.every((word, i) => row.path[i] === word))
        .map((row) => nameOf(row.path)),
    })),
  )

export const argumentText = ({ name, kind }: Argument<unknown>): string =>
  kind === "required" ? `<${name}>` : kind === "rest" ? `[${name}...]` : `[${name}]`

export const synopsis = ({ name, command }: CommandPage): string =>
  [name, "[options]", ...Object.values(command?.args ?? {}).map(argumentText)].join(" ")

/** Options of this command that stand in the place of a global one count as its own. */
export const globalsFor = (command: Command): readonly Option<unknown>[] => {
  const own = new Set(Object.values(command.options).map(longOf))
  return Object.values<Option<unknown>>(globalOptions).filter((option) => !own.has(longOf(option)))
}

const longOf = (option: Option<unknown>): string => /--[\w-]+/.exec(option.flags)?.[0] ?? option.flags

export const helpOf = ({ help, choices, kind }: Option<unknown>): string =>
  [
    help,
    ...(choices.length === 0 ? [] : [`one of ${choices.join(", ")}`]),
    ...(kind === "list" ? ["may be repeated"] : []),
  ].join("; ")

export async function commandsPage(): Promise<string> {
  const all = await commandPages()
  return page(
    "Commands",
    "Options may come before or after the command. `cosigner help <command>` shows the same. Exit codes: [exit-codes.md](exit-codes.md).",
    table(
      ["command", "what it does"],
      all.map(({ name, summary }) => [`[${name}](#${name.replaceAll(" ", "-")})`, summary]),
    ),
    "## Options of every command",
    optionTable(Object.values<Option<unknown>>(globalOptions)),
    ...all.flatMap(sectionOf),
  )
}

function sectionOf(commandPage: CommandPage): readonly string[] {
  const { name, summary, command, below } = commandPage
  const parts =
    below.length === 0 ? [] : [`See ${below.map((child) => `[${child}](#${child.replaceAll(" ", "-")})`).join(", ")}.`]
  if (command === undefined) return [`## ${name}`, `${summary}.`, ...parts]
  return [
    `## ${name}`,
    `${summary}.`,
    `\`\`\`\n${synopsis(commandPage)}\n\`\`\``,
    command.details,
    table(
      ["argument", "meaning"],
      Object.values(command.args).map((argument) => [code(argumentText(argument)), argument.help]),
    ),
    optionTable(Object.values(command.options)),
    command.examples.length === 0
      ? ""
      : `\`\`\`sh\n${command.examples.map(([line, meaning]) => `# ${meaning}\n${line}`).join("\n")}\n\`\`\``,
    ...parts,
  ]
}

const optionTable = (options: readonly Option<unknown>[]): string =>
  table(
    ["option", "meaning"],
    options.map((option) => [code(option.flags), helpOf(option)]),
  )
