/**
 * The error codes, and the one exception class that carries them.
 *
 * Four kinds of failure are kept apart. A Verdict (a refusal by the rules) is a value. Blame (another party's fault) is in
 * mpc/. Fault and bad input, and Bug, are defined here. A code is stable, and programs match it; the text is for people.
 */
import { adminCodes } from "./errors/admin.ts"
import { approvalCodes } from "./errors/approvals.ts"
import { auditCodes } from "./errors/audit.ts"
import { backupCodes } from "./errors/backup.ts"
import { cliCodes } from "./errors/cli.ts"
import { configCodes } from "./errors/config.ts"
import type { CodeEntry, ErrorKind, ExitCode } from "./errors/entry.ts"
import { freezeCodes } from "./errors/freeze.ts"
import { intentCodes } from "./errors/intent.ts"
import { keysCodes } from "./errors/keys.ts"
import { linkCodes } from "./errors/link.ts"
import { opsCodes } from "./errors/ops.ts"
import { policyCodes } from "./errors/policy.ts"
import { riskCodes } from "./errors/risk.ts"
import { statusCodes } from "./errors/status.ts"
import { storeCodes } from "./errors/store.ts"
import { taskCodes } from "./errors/task.ts"
import { waasCodes } from "./errors/waas.ts"

export const codes = {
  ...adminCodes,
  ...auditCodes,
  ...approvalCodes,
  ...backupCodes,
  ...cliCodes,
  ...configCodes,
  ...freezeCodes,
  ...intentCodes,
  ...keysCodes,
  ...linkCodes,
  ...opsCodes,
  ...policyCodes,
  ...riskCodes,
  ...statusCodes,
  ...storeCodes,
  ...taskCodes,
  ...waasCodes,
} as const

export type Code = keyof typeof codes
export type DataOf<C extends Code> = (typeof codes)[C] extends CodeEntry<infer D> ? D : never

export class CosignerError<C extends Code = Code> extends Error {
  override readonly name = "CosignerError"
  readonly kind: ErrorKind
  readonly exit: ExitCode
  /** The next step, in words or as a command. */
  readonly next: string

  constructor(
    readonly code: C,
    readonly data: DataOf<C>,
    options?: { readonly cause: unknown },
  ) {
    const entry: CodeEntry<DataOf<C>> = lookUp(code)
    super(entry.what(data), options)
    this.kind = entry.kind
    this.exit = entry.exit
    this.next = entry.next
  }
}

// The catalogue is a record of entries whose data types differ by key; this is the one place that relates the two.
function lookUp<C extends Code>(code: C): CodeEntry<DataOf<C>> {
  return codes[code] as unknown as CodeEntry<DataOf<C>>
}

/** `E-STO-003 secrets.db is locked by another process; next step` on one line, for people and logs. */
export function describe(error: CosignerError): string {
  return `${error.code} ${error.message}; ${error.next}`
}

/** Our code, as a field of a log line, by which alarms distinguish errors. */
export const codeField = (error: unknown): { readonly code?: string } =>
  error instanceof CosignerError ? { code: error.code } : {}

/**
 * What logs and messages say about any failure. For our errors and the system's (`ENOSPC: no space left on device, write`) it is the whole
 * text. For any other error it is the kind, the code and the location (`TypeError at run.ts:123:4`), never the message, which may quote
 * the data that caused it.
 */
export function errorText(error: unknown): string {
  if (error instanceof CosignerError) return describe(error)
  if (!(error instanceof Error)) return "something that is no Error was thrown"
  if ("syscall" in error && "errno" in error) return error.message
  const code = "code" in error && typeof error.code === "string" && NAME.test(error.code) ? ` ${error.code}` : ""
  const place = /([^/\\\s(]+:\d+:\d+)\)?$/m.exec(framesOf(error))?.[1]
  return `${error.name}${code}${place === undefined ? "" : ` at ${place}`}`
}

const NAME = /^[A-Za-z][A-Za-z0-9_]{1,60}$/

/** The end of the stack in the runtime's text of a worker's error. The rest may quote anything, even a secret. */
export const placeIn = (text: string): string =>
  /([^/\\\s(]+:\d+:\d+)\)?\s*$/.exec(text)?.[1] ?? "a place that is not known"

/** The lines of its stack that name places. The stack begins with the message, which may have several lines. */
export function framesOf(error: Error): string {
  const stack = error.stack ?? ""
  const head = `${error.name}: ${error.message}`
  const lines = (stack.startsWith(head) ? stack.slice(head.length) : stack).split("\n")
  return lines.filter((line) => /^\s+at /.test(line)).join("\n")
}

/** Whether `error` is our error with that code; narrows its data. */
export function isCode<C extends Code>(error: unknown, code: C): error is CosignerError<C> {
  return error instanceof CosignerError && error.code === code
}
