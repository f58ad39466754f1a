/** The demo's stage for tests: the real binary, in a temporary folder, ended and removed with the scope. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { generateKeys, makeVault, type Vault } from "../../src/cli/demo/keys.ts"
import { type Stage, type StageNode, setStage } from "../../src/cli/demo/stage.ts"
import { binary } from "../binary.ts"

export interface TestStage extends AsyncDisposable {
  readonly stage: Stage
}

export async function testStage(count: number, toml: (node: StageNode) => string = () => ""): Promise<TestStage> {
  const dir = mkdtempSync(join(tmpdir(), "cosigner-e2e-"))
  const stage = await setStage([binary], dir, count, toml)
  return {
    stage,
    async [Symbol.asyncDispose]() {
      await stage.endAll()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** All nodes up and a vault with keys on both curves. */
export async function readyVault(stage: Stage, threshold: number): Promise<Vault> {
  const bound = await makeVault(stage, stage.nodes, threshold)
  await Promise.all(stage.nodes.map((node) => stage.startNode(node)))
  return generateKeys(stage, bound)
}
