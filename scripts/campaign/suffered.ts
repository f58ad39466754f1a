/** How long requests took, which of them met which fault, and what became of those: one row a fault. */
import type { Signed } from "./load.ts"

/** On the clock that is never set back. */
interface Span {
  readonly from: number
  readonly to: number
}

export interface Timed extends Signed, Span {}

export interface Suffered extends Span {
  readonly name: string
}

export type Row = Readonly<Record<string, string | number>>

export async function timed(ask: () => Promise<Signed>): Promise<Timed> {
  const from = performance.now()
  const answer = await ask()
  return { ...answer, from, to: performance.now() }
}

export const met = (all: readonly Timed[], faults: readonly Suffered[]): readonly Timed[] =>
  all.filter((one) => faults.some((fault) => one.from <= fault.to && one.to >= fault.from))

/** `names`: of all faults that there could be. */
export const sufferedRows = (names: readonly string[], faults: readonly Suffered[], all: readonly Timed[]) =>
  names.map((name): Row => {
    const these = faults.filter((fault) => fault.name === name)
    const theirs = met(all, these)
    return {
      fault: name,
      times: these.length,
      met: theirs.length,
      completed: theirs.filter(({ status }) => status === "Completed").length,
      p50_ms: quantile(theirs, 0.5),
      most_ms: quantile(theirs, 1),
    }
  })

export function quantile(of: readonly Timed[], share: number): number {
  const sorted = of.map(({ from, to }) => to - from).sort((a, b) => a - b)
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0)
}
