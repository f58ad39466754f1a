/**
 * `cosigner completion bash|zsh|fish`: a script for the shell, made from the table. The script is plain text and never calls
 * the binary, so completing a word never starts a process that holds keys.
 */
import { EXIT } from "../errors/entry.ts"
import { command, type Option, refuse, required } from "./command.ts"
import { globalOptions } from "./globals.ts"
import type { Row } from "./row.ts"
import { table } from "./table.ts"

export const SHELLS = ["bash", "zsh", "fish"] as const

interface CompletionNode {
  readonly path: readonly string[]
  readonly summary: string
  /** The words that may follow: commands below this one. */
  readonly next: readonly { readonly word: string; readonly summary: string }[]
  readonly options: readonly Option<unknown>[]
}

export const completion = command({
  summary: "Print a completion script for a shell",
  args: { shell: required("shell", SHELLS.join(", ")) },
  examples: [
    ["cosigner completion bash > /etc/bash_completion.d/cosigner", "for everybody, bash"],
    ["cosigner completion zsh > ~/.zfunc/_cosigner", "zsh, a folder of fpath"],
    ["cosigner completion fish > ~/.config/fish/completions/cosigner.fish", "fish"],
  ],
  run: async ({ args, out }) => {
    const shell = SHELLS.find((name) => name === args.shell) ?? refuse("shell", SHELLS.join(", "), args.shell)
    const script = { bash, zsh, fish }[shell](await walk(table))
    out.result({ shell, script }, script.trimEnd().split("\n"))
    return EXIT.ok
  },
})

/** Every place where a word may be completed: the top, and each row. */
export async function walk(rows: readonly Row[]): Promise<readonly CompletionNode[]> {
  const below = (path: readonly string[]) =>
    rows
      .filter((row) => row.path.length === path.length + 1 && path.every((word, i) => row.path[i] === word))
      .map((row) => ({ word: row.path.at(-1) ?? "", summary: row.summary }))
  const global = Object.values<Option<unknown>>(globalOptions)
  const nodes = rows.map(async (row): Promise<CompletionNode> => {
    const own = Object.values((await row.load?.())?.options ?? {})
    return { path: row.path, summary: row.summary, next: below(row.path), options: [...own, ...global] }
  })
  return [{ path: [], summary: "", next: below([]), options: global }, ...(await Promise.all(nodes))]
}

const flagsOf = (option: Option<unknown>): readonly string[] =>
  option.flags.split(/[ ,]+/).filter((word) => word.startsWith("-"))

const wordsOf = (node: CompletionNode): readonly string[] => [
  ...node.next.map(({ word }) => word),
  ...node.options.flatMap(flagsOf),
  "--help",
]

/** Options that take a value; their value is completed as a file name. */
const valued = (nodes: readonly CompletionNode[]): readonly string[] => [
  ...new Set(
    nodes
      .flatMap((node) => node.options)
      .filter((option) => option.kind === "value" || option.kind === "list")
      .flatMap(flagsOf),
  ),
]

const placeOf = (node: CompletionNode): string => node.path.map((word) => ` ${word}`).join("")

const bash = (nodes: readonly CompletionNode[]): string => `# bash completion for cosigner
_cosigner() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" place="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place \${COMP_WORDS[i]}" in
      ${places(nodes)}) place="$place \${COMP_WORDS[i]}" ;;
    esac
  done
  case "\${COMP_WORDS[COMP_CWORD-1]}" in
    ${valued(nodes).join("|")}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  case "$place" in
${cases(nodes)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _cosigner cosigner
`

const zsh = (nodes: readonly CompletionNode[]): string => `#compdef cosigner
_cosigner() {
  local place="" i
  local -a list
  local words_before=("\${(@)words[2,CURRENT-1]}") words=""
  for i in "\${words_before[@]}"; do
    case "$place $i" in
      ${places(nodes)}) place="$place $i" ;;
    esac
  done
  case "\${words_before[-1]}" in
    ${valued(nodes).join("|")}) _files; return ;;
  esac
  case "$place" in
${cases(nodes)}
  esac
  list=(\${=words})
  compadd -a list
}
_cosigner "$@"
`

const places = (nodes: readonly CompletionNode[]): string =>
  nodes
    .filter((node) => node.path.length > 0)
    .map((node) => `"${placeOf(node)}"`)
    .join("|")

const cases = (nodes: readonly CompletionNode[]): string =>
  nodes.map((node) => `    "${placeOf(node)}") words="${wordsOf(node).join(" ")}" ;;`).join("\n")

function fish(nodes: readonly CompletionNode[]): string {
  const lines = nodes.flatMap((node) => {
    const when =
      node.path.length === 0
        ? "__fish_use_subcommand"
        : node.path.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ")
    const commands = node.next.map(
      ({ word, summary }) => `complete -c cosigner -f -n '${when}' -a ${word} -d '${plain(summary)}'`,
    )
    const options = node.path.length === 0 ? [] : node.options
    return [...commands, ...options.map((option) => fishOption(option, when))]
  })
  return ["# fish completion for cosigner", ...lines, ""].join("\n")
}

function fishOption(option: Option<unknown>, when: string): string {
  const flags = flagsOf(option).map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`))
  const value = option.kind === "flag" || option.kind === "switch" ? "" : " -r"
  const choices = option.choices.length === 0 ? "" : ` -a '${option.choices.join(" ")}'`
  return `complete -c cosigner -n '${when}' ${flags.join(" ")}${value}${choices} -d '${plain(option.help)}'`
}

const plain = (text: string): string => text.replaceAll("'", "")
