/**
 * From argv to an exit code: finds the command in the table, loads only that command, runs it, and turns every failure into
 * one printed error with its next step. The caller ends the process.
 */
import { CommanderError } from "commander"
import { EXIT, type ExitCode } from "../errors/entry.ts"
import { CosignerError, errorText, framesOf } from "../errors.ts"
import { textLog } from "../logText.ts"
import { output, type WriteText } from "../output.ts"
import type { CommandBase, GivenTexts } from "./command.ts"
import { readGlobals } from "./globals.ts"
import { locate } from "./locate.ts"
import { passwords } from "./password.ts"
import { program, usageError } from "./program.ts"
import type { Row } from "./row.ts"
import { table } from "./table.ts"

interface World {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly write: WriteText
}

export async function run(given: readonly string[], world: World, rows: readonly Row[] = table): Promise<ExitCode> {
  const { row, argv } = locate(given, rows)
  let exit: ExitCode = EXIT.ok
  try {
    const command = await row?.load?.()
    const execute = async (raw: GivenTexts) => {
      exit = (await command?.start(baseOf(raw, world), raw)) ?? EXIT.failure
    }
    const chosen = row !== undefined && command !== undefined ? { row, command, execute } : undefined
    await program(world.write, rows, chosen).parseAsync([...argv], { from: "user" })
    return exit
  } catch (error) {
    const told = error instanceof CommanderError ? usageError(error, row?.path ?? []) : error
    return told === undefined ? EXIT.ok : failed(told, argv.includes("--json"), world)
  }
}

/** Prints an error for people, and with --json also as JSON on stdout; returns its exit code. */
export function failed(error: unknown, json: boolean, world: World): ExitCode {
  const ours =
    error instanceof CosignerError ? error : new CosignerError("E-CLI-001", { what: stackOf(error) }, { cause: error })
  const out = output(json, world.write)
  if (json) out.value({ error: { code: ours.code, message: ours.message, next: ours.next } })
  out.note(`cosigner: ${ours.code} ${ours.message}\n  next: ${ours.next}`)
  return ours.exit
}

/** Only the location of the error, never the message of a library, which may quote a secret. */
const stackOf = (error: unknown): string =>
  error instanceof Error ? `${errorText(error)}\n${framesOf(error)}` : errorText(error)

function baseOf(given: GivenTexts, world: World): CommandBase {
  const globals = readGlobals(given.options)
  const out = output(globals.json, world.write)
  return {
    globals,
    out,
    log: textLog(globals.verbose ? "debug" : "warn", "terminal", (line) => world.write(2, line)),
    env: world.env,
    config: async (overrides) => {
      const { loadConfig } = await import("../config/load.ts")
      return loadConfig(globals, overrides)
    },
    passwords: passwords({
      env: world.env,
      tell: (note) => out.note(`cosigner: ${note}`),
      ask: async (prompt) => {
        const { askTerminal, inSegments } = await import("./terminal.ts")
        return globals.passwordSegment ? inSegments(askTerminal, prompt) : askTerminal(prompt)
      },
    }),
  }
}
