/** How long the binary takes to answer `version`, from spawn to exit: what every command pays before its own work. */
import { binary } from "../toolchain.ts"

const RUNS = 60
const WARM_UP = 10

export async function benchStartup(): Promise<object[]> {
  return [
    row("startup_version", ["version"]),
    row("startup_help", ["--help"]),
    row("startup_config", ["config", "show"]),
  ]
}

function row(op: string, args: readonly string[]): object {
  const ms: number[] = []
  for (let run = 0; run < WARM_UP + RUNS; run++) {
    const start = performance.now()
    const { exitCode } = Bun.spawnSync([binary, ...args], { stdout: "ignore", stderr: "ignore", cwd: "/" })
    const took = performance.now() - start
    if (exitCode !== 0) throw new Error(`cosigner ${args.join(" ")} ended with ${exitCode}`)
    if (run >= WARM_UP) ms.push(took)
  }
  ms.sort((a, b) => a - b)
  const at = (share: number) => round(ms[Math.min(ms.length - 1, Math.floor(share * ms.length))] ?? 0)
  return { op, runs: RUNS, ms_median: at(0.5), ms_p95: at(0.95), ms_max: at(1) }
}

const round = (ms: number): number => Math.round(ms * 10) / 10
