/**
 * The demo's deployment for tests: the real binary, in a temporary folder, ended and removed with the scope. Every test of this
 * folder plays on a deployment that is scanned: all processes at level trace, everything they put out kept, and in the end the
 * secrets that they had looked for in it.
 */

import { rmSync } from "node:fs"
import { type DeployedNode, type Deployment, deploy } from "../../src/kit/demo/deployment.ts"
import { type DemoVault, generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import type { Program } from "../../src/kit/demo/processes.ts"
import { binary, cosigner, type Ended } from "../support/binary.ts"
import { openCheaply } from "../support/cheapUnlock.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { openSurveillance, type Surveillance } from "./leaks/surveillance.ts"

export interface TestDeployment extends AsyncDisposable {
  readonly deployment: Deployment
}

export interface ScannedDeployment extends TestDeployment {
  /** The binary, with the leakScanner's logTap: for every other process that a test starts. */
  readonly program: Program
  readonly surveillance: Surveillance
}

const folder = (): string => temporaryFolder("e2e").path

/** Without leakScanner: for tests that need a node as a person would configure it. */
export async function testDeployment(
  count: number,
  toml: (node: DeployedNode) => string = () => "",
  waas: (toml: string) => string = (toml) => toml,
): Promise<TestDeployment> {
  const dir = folder()
  const deployment = await deploy({ words: [binary] }, dir, { count, toml, waas })
  return {
    deployment,
    async [Symbol.asyncDispose]() {
      await deployment.endAll()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

export interface Scanned {
  /** Added to a node's configuration; what it needs for the leakScanner is added unless it is there. */
  readonly toml?: (node: DeployedNode, surveillance: Surveillance) => string
  /** What starts the binary, if more than its name. */
  readonly words?: readonly string[]
}

/** Throws at its end, with what was found, if any secret of these processes was where it should not be. */
export async function scannedDeployment(count: number, { toml, words }: Scanned = {}): Promise<ScannedDeployment> {
  const dir = folder()
  const surveillance = openSurveillance(dir)
  const program: Program = { words: words ?? [binary], logTap: surveillance.logTap }
  const inFront = (url: string): string => surveillance.inFront(url)
  try {
    const set = await deploy(program, dir, {
      count,
      logLevel: "trace",
      inFront,
      toml: (node) => surveillance.configure(node, toml?.(node, surveillance) ?? ""),
      waas: (toml) => surveillance.configureWaas(toml),
    })
    set.nodes.forEach(openCheaply)
    const deployment = surveillance.over(set)
    return {
      deployment,
      program,
      surveillance,
      async [Symbol.asyncDispose]() {
        try {
          await deployment.endAll()
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

/** All nodes up and a vault with keys on both curves. */
export async function readyVault(deployment: Deployment, threshold: number): Promise<DemoVault> {
  const bound = await makeVault(deployment, deployment.nodes, threshold)
  await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))
  return generateKeys(deployment, bound)
}

/** A command of the binary in the folder of a node; the scanner reads what it prints. */
export async function runScanned(
  surveillance: Surveillance,
  node: DeployedNode,
  args: readonly string[],
): Promise<Ended> {
  const ended = await cosigner(args, { cwd: node.dir })
  surveillance.logTap.said(0, args, ended.stdout + ended.stderr)
  return ended
}

/** A command of the binary in the deployment's own folder; the scanner reads what it prints. */
export async function runBeside(
  { deployment, surveillance }: ScannedDeployment,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const ended = await cosigner(args, { cwd: deployment.dir, env })
  surveillance.logTap.said(0, args, ended.stdout + ended.stderr)
  return ended
}
