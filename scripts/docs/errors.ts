/** errors.md, the runbook: every code with what it says, what to do next and, where an operator needs more, a note. And exit-codes.md. */
import { type CodeEntry, EXIT } from "../../src/errors/entry.ts"
import { NOTES } from "../../src/errors/runbook/notes.ts"
import { RUNBOOK } from "../../src/errors/runbook.ts"
import { type Code, codes } from "../../src/errors.ts"
import { code, page, table } from "./markdown.ts"
import { templateOf } from "./template.ts"

const AREAS: Readonly<Record<string, string>> = {
  BAK: "Backups, exports, passwords",
  CFG: "Configuration",
  CLI: "Command line and program",
  INT: "Intents: payloads that are read before they are signed",
  KEY: "Keys and recovery files",
  LNK: "Link to WaaS",
  OPS: "Process and machine; findings of `cosigner doctor`",
  RSK: "Risk control, callback and event servers",
  STA: "Status, readiness, metrics: the alarms",
  STO: "The database",
  TSK: "Tasks and sessions",
  WAA: "WaaS",
}

const KINDS: Readonly<Record<CodeEntry<never>["kind"], string>> = {
  fault: "disk, network, clock or another process; may be tried again",
  input: "something that was given or configured",
  bug: "a broken invariant of the program; please report it",
}

const isCode = (text: string): text is Code => Object.hasOwn(codes, text)
const all = (): readonly Code[] => Object.keys(codes).filter(isCode).sort()
const areaOf = (code: Code): string => code.slice(2, 5)

export function errorsPage(): string {
  const areas = [...new Set(all().map(areaOf))]
  return page(
    "Errors",
    [
      "Every error has a code that does not change, says what happened and why, and names the next step. Programs match the code;",
      'the text is for people. With --json an error is `{"error": {"code", "message", "next"}}` on stdout. Words in `<>` are replaced by the values of the case.',
    ].join("\n"),
    table(["kind", "meaning"], Object.entries(KINDS)),
    areas.map((area) => `- [${AREAS[area] ?? area}](#e-${area.toLowerCase()})`).join("\n"),
    ...areas.flatMap((area) => [
      `## <a id="e-${area.toLowerCase()}"></a>${AREAS[area] ?? area}`,
      ...all()
        .filter((name) => areaOf(name) === area)
        .map(entryOf),
    ]),
  )
}

function entryOf(of: Code): string {
  const { kind, exit, next } = codes[of]
  const note = NOTES[of]
  return [
    `### ${of}`,
    "",
    `> ${templateOf(of).replaceAll("<", "\\<").replaceAll("\n", "\n> ")}`,
    "",
    `- **next:** ${next}`,
    ...guideOf(of),
    ...(note === undefined ? [] : [`- **more:** ${note}`]),
    `- ${kind}, exit code ${exit}`,
  ].join("\n")
}

/** What the runbook adds; angle brackets and stars stay text. */
function guideOf(of: Code): readonly string[] {
  const guide = RUNBOOK[of]
  if (guide === undefined) return []
  const { causes, tell, act, over } = guide
  return [
    `- **causes:** ${causes.map((cause, i) => (causes.length > 1 ? `(${i + 1}) ${cause}` : cause)).join("; ")}`,
    `- **tell them apart:** ${tell}`,
    `- **do:** ${act}`,
    `- **over when:** ${over}`,
  ]
}

const EXITS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "It was done.",
  failure:
    "The command failed: wrong usage, or a fault that has no code of its own below. `doctor`: there are warnings.",
  config:
    "The configuration, or a file it names. `doctor`: there are failures. `policy check`: a rule rejects everything by accident.",
  secrets: "The password, the key file or the database. `intent decode`: the payload cannot be read.",
  network: "WaaS, a callback server or another server.",
  refused: "A refusal on purpose: the action would not have been safe.",
  bug: "A broken invariant of the program. Please report it.",
}

export function exitCodesPage(): string {
  return page(
    "Exit codes",
    "If a signal ends a process, its exit code is 128 plus the number of the signal, as a shell shows it.",
    table(
      ["code", "meaning"],
      Object.entries(EXIT).map(([name, exit]) => [String(exit), meaning(name)]),
    ),
    "## Which error ends with which code",
    table(
      ["code", "errors"],
      Object.values(EXIT)
        .filter((exit) => exit !== EXIT.ok)
        .map((exit) => [
          String(exit),
          all()
            .filter((name) => codes[name].exit === exit)
            .join(", ") || "none",
        ]),
    ),
    "In a unit, `RestartPreventExitStatus=2 5` keeps systemd from restarting after errors that do not go away by themselves.",
  )
}

const meaning = (name: string): string => Object.entries(EXITS).find(([key]) => key === name)?.[1] ?? code(name)
