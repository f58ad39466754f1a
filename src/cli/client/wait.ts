/** Waits for a request to end, and reports each change. */
import { CosignerError } from "../../errors.ts"
import type { Output } from "../../output.ts"
import { integer, valueOr } from "../command.ts"

const POLL_MS = 300

export const timeoutOption = valueOr("--timeout <seconds>", "how long --wait waits", "600", integer(1, 604_800))

interface Progress {
  /** `signing request 4d0c...`. */
  readonly what: string
  readonly seconds: number
  readonly out: Output
}

interface RequestEnding<T> {
  readonly ask: () => Promise<T>
  readonly statusOf: (now: T) => string
  /** By status. */
  readonly isGood: (status: string) => boolean
  readonly isOver: (status: string) => boolean
  readonly reasonOf: (now: T) => string
}

/** Resolves when it ended well. Rejects with E-CLI-031 if it ended otherwise, and with E-CLI-030 if it takes too long. */
export async function untilEnded<T>({ what, seconds, out }: Progress, ending: RequestEnding<T>): Promise<T> {
  const begun = performance.now()
  let told = ""
  for (;;) {
    const now = await ending.ask()
    const status = ending.statusOf(now)
    const passed = Math.round((performance.now() - begun) / 1000)
    if (status !== told) out.note(`${what}: ${status} (${passed} s)`)
    told = status
    if (ending.isGood(status)) return now
    if (ending.isOver(status)) throw new CosignerError("E-CLI-031", { what, status, reason: ending.reasonOf(now) })
    if (passed >= seconds) throw new CosignerError("E-CLI-030", { what, status, seconds })
    await Bun.sleep(POLL_MS)
  }
}

const SIGN_OVER: ReadonlySet<string> = new Set(["Completed", "Declined", "Failed", "Canceled"])
const TSS_OVER: ReadonlySet<string> = new Set(["Success", "KeyHolderConfirmationFailed", "KeyGeneratingFailed"])

/** The endings of signing requests and check-ups. */
export const signEnding = <T extends { readonly status: string; readonly failed_reason: string }>(
  ask: () => Promise<T>,
): RequestEnding<T> => ({
  ask,
  statusOf: ({ status }) => status,
  isGood: (status) => status === "Completed",
  isOver: (status) => SIGN_OVER.has(status),
  reasonOf: ({ failed_reason }) => failed_reason,
})

/** The endings of key generations and reshares. */
export const tssEnding = <T extends { readonly status: string; readonly failed_reason?: string }>(
  ask: () => Promise<T>,
): RequestEnding<T> => ({
  ask,
  statusOf: ({ status }) => status,
  isGood: (status) => status === "Success",
  isOver: (status) => TSS_OVER.has(status),
  reasonOf: ({ failed_reason }) => failed_reason ?? "",
})
