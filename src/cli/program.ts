/**
 * The commander program of one run: every row of the table as a name and a line of help, and the named
 * command with its arguments and options. commander does the grammar, help and suggestions; it never ends the process here.
 */
import { type CommanderError, Command as Program, Option as ProgramOption } from "commander"
import { CosignerError } from "../errors.ts"
import type { WriteText } from "../output.ts"
import type { Command, CommandOptions, GivenTexts, Option } from "./command.ts"
import { globalOptions } from "./globals.ts"
import type { Row } from "./row.ts"

interface Chosen {
  readonly row: Row
  readonly command: Command
  readonly execute: (given: GivenTexts) => Promise<void>
}

export function program(write: WriteText, rows: readonly Row[], chosen: Chosen | undefined): Program {
  const root = new Program("cosigner")
    .description(
      "A server co-signer: holds one share of every key and signs what its rules and callback servers approve.",
    )
    .usage("<command> [options]")
  settle(root, write)
  // commander's root would take these options wherever they are. They belong to the command; the root needs them only for its help.
  if (chosen === undefined) addOptions(root, globalOptions)
  for (const row of rows) {
    const node = nodeAt(root, row.path, write).description(row.summary)
    if (chosen?.row === row) attach(node, chosen)
  }
  root.addHelpText("after", "\nOptions may come before or after the command. `cosigner help <command>` explains one.")
  return root
}

/** Finds or makes the node of a path, so that rows need no order between parents and children. */
function nodeAt(root: Program, path: readonly string[], write: WriteText): Program {
  let at = root
  for (const name of path) {
    const parent = at
    at = parent.commands.find((child) => child.name() === name) ?? settle(parent.command(name), write)
  }
  return at
}

function settle(node: Program, write: WriteText): Program {
  return (
    node
      .exitOverride()
      .helpCommand(false)
      .helpOption("-h, --help", "show help")
      // run.ts prints errors with their code; commander itself would add help that nobody asked for
      .configureOutput({
        writeOut: (text) => write(1, text),
        writeErr: (text) => write(2, text),
        outputError: () => undefined,
      })
      .allowExcessArguments(false)
  )
}

/** The problem of a command line; undefined if only help was asked for. */
export function usageError(error: CommanderError, path: readonly string[]): CosignerError | undefined {
  if (error.exitCode === 0) return undefined
  const command = ["cosigner", ...path].join(" ")
  const problem =
    error.code === "commander.help"
      ? `${command} needs the name of a command`
      : withoutValue(error.message)
          .replace(/^error: /, "")
          .replaceAll("\n", " ")
  return new CosignerError("E-CLI-014", { problem, command })
}

/** Repeats only the name of an unknown option: the text after it may be a password. */
const withoutValue = (text: string): string => text.replace(/(unknown option '(?:--[^='\s]*|-[^-'\s]))[^\n]*?'/, "$1'")

/** The table's lines are as long as lines of code; here the width of the terminal decides where lines break. */
const paragraphs = (text: string): string => text.replaceAll(/(?<=[^\n])\n(?=[^\n -])/g, " ")

function attach(node: Program, chosen: Chosen): void {
  const { command, execute } = chosen
  if (command.details !== "")
    node.addHelpText("before", "").description(`${command.summary}.\n\n${paragraphs(command.details)}`)
  const argKeys = Object.entries(command.args)
  for (const [, arg] of argKeys) {
    const name = arg.kind === "rest" ? `[${arg.name}...]` : arg.kind === "required" ? `<${arg.name}>` : `[${arg.name}]`
    node.argument(name, arg.help)
  }
  const own = addOptions(node, command.options)
  const shared = addOptions(node, withoutTaken(globalOptions, command.options), "Global options:")
  if (command.examples.length > 0) {
    const lines = command.examples.map(([line, meaning]) => `  ${line}\n      ${meaning}`)
    node.addHelpText("after", `\nExamples:\n${lines.join("\n")}`)
  }
  node.action(async () => {
    const args = Object.fromEntries(argKeys.map(([key], i) => [key, texts(node.processedArgs[i])]))
    await execute({ args, options: { ...collect(node, shared), ...collect(node, own) } })
  })
}

/** Adds each option; returns the attribute under which commander keeps it. */
function addOptions(node: Program, options: CommandOptions, group?: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>()
  for (const [key, option] of Object.entries(options)) {
    const made = toProgram(option)
    if (group !== undefined) made.helpGroup(group)
    node.addOption(made)
    attributes.set(key, made.attributeName())
  }
  return attributes
}

function toProgram(option: Option<unknown>): ProgramOption {
  const made = new ProgramOption(option.kind === "switch" ? `${option.flags} [true|false]` : option.flags, option.help)
  if (option.choices.length > 0) made.choices([...option.choices])
  const check = made.parseArg
  // Every value is kept as text, in order; the option's own reader interprets it.
  if (option.kind !== "flag") {
    made.argParser((text: string, before: unknown) => {
      check?.(text, undefined)
      return [...(Array.isArray(before) ? before : []), text]
    })
  }
  return made
}

const longOf = (option: Option<unknown>): string => /--[\w-]+/.exec(option.flags)?.[0] ?? option.flags

function withoutTaken(options: CommandOptions, taken: CommandOptions): CommandOptions {
  const names = new Set(Object.values(taken).map(longOf))
  return Object.fromEntries(Object.entries(options).filter(([, option]) => !names.has(longOf(option))))
}

function collect(node: Program, attributes: ReadonlyMap<string, string>): Record<string, readonly string[]> {
  const all: Record<string, unknown> = node.opts()
  return Object.fromEntries([...attributes].map(([key, attribute]) => [key, texts(all[attribute])]))
}

const texts = (raw: unknown): readonly string[] => {
  if (raw === undefined || raw === null || raw === false) return []
  return Array.isArray(raw) ? raw.map(String) : [String(raw)]
}
