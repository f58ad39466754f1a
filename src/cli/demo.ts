/**
 * `cosigner demo`: the main job from end to end, with real processes on loopback in a folder of its own. Everything shown
 * is verified with other code than the nodes' before it is shown.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EXIT } from "../errors/entry.ts"
import { command, flag, value } from "./command.ts"
import { generateKeys, makeVault } from "./demo/keys.ts"
import { self } from "./demo/processes.ts"
import { recoveryAct } from "./demo/recovery.ts"
import { type Report, reportTo } from "./demo/report.ts"
import { reshareAct } from "./demo/reshare.ts"
import { riskAct } from "./demo/risk.ts"
import { bitcoin, ethereum, signed, solana, taproot } from "./demo/signatures.ts"
import { type Stage, setStage } from "./demo/stage.ts"

export const demo = command({
  summary: "See it work: a WaaS and three nodes make keys, sign with them, and replace a lost node",
  details: [
    "Runs this program as one WaaS and three nodes, as separate processes on loopback, in a temporary folder. They generate",
    "a 2-of-3 vault on both curves and sign real transactions with each pair of nodes, one of which is killed in between.",
    "Then one is lost for good, and the others reshare the keys to a new set of nodes.",
  ].join("\n"),
  options: {
    keep: flag("--keep", "keep the folder: databases, configurations and logs"),
    dir: value("--dir <dir>", "an empty or new folder to work in, instead of a temporary one; implies --keep"),
  },
  examples: [
    ["cosigner demo", "watch"],
    ["cosigner demo --json", "one JSON object per line, for programs"],
    ["cosigner demo -v --dir play", "keep everything in ./play, with logs at level trace"],
  ],
  run: async ({ options, out, globals }) => {
    const dir = options.dir ?? mkdtempSync(join(tmpdir(), "cosigner-demo-"))
    const keep = options.keep || options.dir !== undefined
    const report = reportTo(out)
    let stage: Stage | undefined
    try {
      stage = await setStage(self, dir, { count: 4, logLevel: globals.verbose ? "trace" : "info" })
      await play(stage, report)
      await stage.endAll()
      stage = undefined
      report.step({ step: "done", ok: true, dir: keep ? dir : undefined }, "all verified")
      report.say(
        keep
          ? `\nEverything is in ${dir}: databases, configurations, logs.`
          : "\nThe folder was removed; --keep keeps it.",
      )
      return EXIT.ok
    } finally {
      await stage?.endAll()
      if (!keep) rmSync(dir, { recursive: true, force: true })
    }
  },
})

async function play(stage: Stage, report: Report): Promise<void> {
  const [one, two, three, newcomer] = stage.nodes
  if (one === undefined || two === undefined || three === undefined || newcomer === undefined) {
    throw new TypeError("the stage has four nodes")
  }
  const founders = [one, two, three]

  report.act("Nodes: each makes its own identity and keys, and dials out to WaaS")
  const bound = await makeVault(stage, founders, 2)
  for (const node of founders) {
    await stage.startNode(node)
    report.step({ step: "node", name: node.name, node_id: node.nodeId }, `${node.name} is ${node.nodeId}`)
  }

  report.act("Vault: the nodes generate a 2-of-3 key on each curve; nobody ever holds a whole one")
  const begun = performance.now()
  const vault = await generateKeys(stage, bound)
  const ms = Math.round(performance.now() - begun)
  report.step({ step: "vault", threshold: 2, participants: 3, ...vault.roots, ms }, `root keys made (${ms} ms)`)
  for (const [curve, root] of Object.entries(vault.roots)) report.say(`           ${curve}: ${root}`)

  report.act("Signatures: any two nodes sign; one is killed and comes back in between")
  await signed(stage, vault, report, [one, two], solana(vault, 0))
  await signed(stage, vault, report, [one, two], ethereum(vault, 0))
  await stage.endNode(two, "SIGKILL")
  report.step({ step: "kill", node: two.nodeId }, `${two.name} was killed`)
  await signed(stage, vault, report, [one, three], solana(vault, 1))
  await signed(stage, vault, report, [one, three], bitcoin(vault, 0))
  await stage.startNode(two)
  report.step({ step: "restart", node: two.nodeId }, `${two.name} is back`)
  await signed(stage, vault, report, [two, three], solana(vault, 2))
  await signed(stage, vault, report, [two, three], taproot(vault, 0))

  report.act("Risk control: node1's own rules and its callback server must both approve")
  await riskAct(self, stage, vault, report, one, two)

  report.act("A node is lost for good: the other two deal the same keys to a new set of three")
  const after = await reshareAct(stage, vault, report, { lost: one, staying: [two, three], newcomer })

  report.act("Recovery: a node is backed up, wiped and restored; then the root key is put together offline")
  await recoveryAct(self, stage, after, report, [two, three, newcomer])
}
