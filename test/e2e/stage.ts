/**
 * The demo's stage for tests: the real binary, in a temporary folder, ended and removed with the scope. Every test of this
 * folder plays on a stage that is witnessed: all processes at level trace, everything they put out kept, and in the end the
 * secrets that they had looked for in it.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { generateKeys, makeVault, type Vault } from "../../src/cli/demo/keys.ts"
import type { Program } from "../../src/cli/demo/processes.ts"
import { type Stage, type StageNode, setStage } from "../../src/cli/demo/stage.ts"
import { Secret } from "../../src/secret.ts"
import { openStore } from "../../src/store/store.ts"
import { binary } from "../binary.ts"
import { openSurveillance, type Surveillance } from "./witness/surveillance.ts"

export interface TestStage extends AsyncDisposable {
  readonly stage: Stage
}

export interface WitnessedStage extends TestStage {
  /** The binary, with the witness's ear: for every other process that a test starts. */
  readonly program: Program
  readonly surveillance: Surveillance
}

const folder = (): string => mkdtempSync(join(tmpdir(), "cosigner-e2e-"))

/** Without witness: for tests that need a node as a person would configure it. */
export async function testStage(count: number, toml: (node: StageNode) => string = () => ""): Promise<TestStage> {
  const dir = folder()
  const stage = await setStage({ words: [binary] }, dir, { count, toml })
  return {
    stage,
    async [Symbol.asyncDispose]() {
      await stage.endAll()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export interface Witnessed {
  /** Added to a node's configuration; what it needs for the witness is added unless it is there. */
  readonly toml?: (node: StageNode, surveillance: Surveillance) => string
  /** What starts the binary, if more than its name. */
  readonly words?: readonly string[]
}

/** Throws at its end, with what was found, if any secret of these processes was where it should not be. */
export async function witnessedStage(count: number, { toml, words }: Witnessed = {}): Promise<WitnessedStage> {
  const dir = folder()
  const surveillance = openSurveillance(dir)
  const program: Program = { words: words ?? [binary], ear: surveillance.ear }
  const inFront = (url: string): string => surveillance.inFront(url)
  try {
    const set = await setStage(program, dir, {
      count,
      logLevel: "trace",
      inFront,
      toml: (node) => surveillance.configure(node, toml?.(node, surveillance) ?? ""),
    })
    set.nodes.forEach(openCheaply)
    const stage = surveillance.over(set)
    return {
      stage,
      program,
      surveillance,
      async [Symbol.asyncDispose]() {
        try {
          await stage.endAll()
          surveillance.acquit()
        } finally {
          await surveillance.end()
          rmSync(dir, { recursive: true, force: true })
        }
      },
    }
  } catch (error) {
    await surveillance.end()
    rmSync(dir, { recursive: true, force: true })
    throw error
  }
}

/** Nodes are started again and again, and opened by the witness in the end: what a password costs is tested elsewhere. */
function openCheaply({ dir }: StageNode): void {
  using password = Secret.from(readFileSync(join(dir, ".password")))
  using store = openStore(join(dir, "db", "secrets.db"), password, { readOnly: false })
  store.changePassword(password, { memoryKiB: 64, passes: 1, parallelism: 1 })
}

/** All nodes up and a vault with keys on both curves. */
export async function readyVault(stage: Stage, threshold: number): Promise<Vault> {
  const bound = await makeVault(stage, stage.nodes, threshold)
  await Promise.all(stage.nodes.map((node) => stage.startNode(node)))
  return generateKeys(stage, bound)
}
