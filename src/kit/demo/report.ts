/** The output of the demo: steps for people, or one JSON object per line, each with the time since the demo began. */
import type { Output } from "../../output.ts"

export interface DemoReport {
  /** A chapter of the run; people only. */
  scenario(title: string): void
  /** Something happened: `data` with --json, `line` for people. */
  step(data: Readonly<Record<string, unknown>>, line: string): void
  say(line: string): void
}

export function reportTo(out: Output): DemoReport {
  const begun = performance.now()
  const passed = (): number => Math.round(performance.now() - begun)
  const clock = (): string => `${(passed() / 1000).toFixed(1).padStart(5)} s`
  return {
    scenario: (title) => out.line(`\n${title}`),
    step: (data, line) => {
      if (out.json) out.value({ ...data, at_ms: passed() })
      else out.line(`  ${clock()}  ${line}`)
    },
    say: (line) => out.line(line),
  }
}
