/**
 * `cosigner demo`: the main functions from end to end, with real processes on loopback in a folder of its own. Everything is
 * verified with code that the nodes do not use before it is shown.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { EXIT } from "../errors/entry.ts"
import { auditAct } from "../kit/demo/audit.ts"
import { type Deployment, deploy } from "../kit/demo/deployment.ts"
import { intentScenario } from "../kit/demo/intents.ts"
import { generateKeys, makeVault } from "../kit/demo/keys.ts"
import { self } from "../kit/demo/processes.ts"
import { recoveryAct } from "../kit/demo/recovery.ts"
import { type DemoReport, reportTo } from "../kit/demo/report.ts"
import { reshareScenario } from "../kit/demo/reshare.ts"
import { riskScenario } from "../kit/demo/risk.ts"
import { bitcoin, ethereum, signed, solana, taproot } from "../kit/demo/signatures.ts"
import { command, flag, value } from "./command.ts"

export const demo = command({
  summary: "See it work: a WaaS and three nodes make keys, sign with them, and replace a lost node",
  details: [
    "Runs this program as one WaaS and three nodes, as separate processes on loopback, in a temporary folder. They generate",
    "a 2-of-3 vault on both curves and sign real transactions with each pair of nodes, one of which is killed in between.",
    "Rules, a callback server and the nodes' own reading of transactions stop what must not be signed.",
    "A large payout waits for two people, who approve it with SSH keys of their own.",
    "Then one node is lost for good, and the others reshare the keys to a new set of nodes. At the end every node's log is verified.",
  ].join("\n"),
  options: {
    keep: flag("--keep", "keep the folder: databases, configurations and logs"),
    dir: value("--dir <dir>", "an empty or new folder to work in, instead of a temporary one; implies --keep"),
  },
  examples: [
    ["cosigner demo", "watch"],
    ["cosigner demo --json", "one JSON object per line, for programs"],
    ["cosigner demo -v --dir demo-run", "keep everything in ./demo-run, with logs at level trace"],
  ],
  run: async ({ options, out, globals }) => {
    const dir = options.dir ?? mkdtempSync(join(tmpdir(), "cosigner-demo-"))
    const keep = options.keep || options.dir !== undefined
    const report = reportTo(out)
    let deployment: Deployment | undefined
    try {
      deployment = await deploy(self, dir, { count: 4, logLevel: globals.verbose ? "trace" : "info" })
      await runDemo(deployment, report)
      await deployment.endAll()
      deployment = undefined
      report.step({ step: "done", ok: true, dir: keep ? dir : undefined }, "all verified")
      report.say(
        keep
          ? `\nEverything is in ${dir}: databases, configurations, logs.`
          : "\nThe folder was removed; --keep keeps it.",
      )
      return EXIT.ok
    } finally {
      await deployment?.endAll()
      if (!keep) rmSync(dir, { recursive: true, force: true })
    }
  },
})

async function runDemo(deployment: Deployment, report: DemoReport): Promise<void> {
  const [one, two, three, newcomer] = deployment.nodes
  if (one === undefined || two === undefined || three === undefined || newcomer === undefined) {
    throw new TypeError("the deployment has four nodes")
  }
  const founders = [one, two, three]

  report.scenario("Nodes: each makes its own identity and keys, and dials out to WaaS")
  const bound = await makeVault(deployment, founders, 2)
  for (const node of founders) {
    await deployment.startNode(node)
    report.step({ step: "node", name: node.name, node_id: node.nodeId }, `${node.name} is ${node.nodeId}`)
  }

  report.scenario("Vault: the nodes generate a 2-of-3 key on each curve; nobody ever holds a whole one")
  const begun = performance.now()
  const vault = await generateKeys(deployment, bound)
  const ms = Math.round(performance.now() - begun)
  report.step({ step: "vault", threshold: 2, participants: 3, ...vault.roots, ms }, `root keys made (${ms} ms)`)
  for (const [curve, root] of Object.entries(vault.roots)) report.say(`           ${curve}: ${root}`)

  report.scenario("Signatures: two of the three nodes sign; one is killed, the other two still sign, and it restarts")
  await signed(deployment, vault, report, [one, two], solana(vault, 0))
  await signed(deployment, vault, report, [one, two], ethereum(vault, 0))
  await deployment.endNode(two, "SIGKILL")
  report.step({ step: "kill", node: two.nodeId }, `${two.name} was killed`)
  await signed(deployment, vault, report, [one, three], solana(vault, 1))
  await signed(deployment, vault, report, [one, three], bitcoin(vault, 0))
  await deployment.startNode(two)
  report.step({ step: "restart", node: two.nodeId }, `${two.name} is back`)
  await signed(deployment, vault, report, [two, three], solana(vault, 2))
  await signed(deployment, vault, report, [two, three], taproot(vault, 0))

  report.scenario("Risk control: node1's own rules and its callback server must both approve")
  await riskScenario(self, deployment, vault, report, one, two)

  report.scenario("Intents: every node reads what it signs; node1 has rules over what transactions do, and asks people")
  await intentScenario(self, deployment, vault, report, [one, two, three])

  report.scenario("A node is lost for good: the other two deal the same keys to a new set of three")
  const after = await reshareScenario(deployment, vault, report, { lost: one, staying: [two, three], newcomer })

  report.scenario("Recovery: a node is backed up, wiped and restored; then the root key is put together offline")
  await recoveryAct(self, deployment, after, report, [two, three, newcomer])

  report.scenario("Evidence: the log of each node, exported and verified offline")
  await auditAct(self, deployment, report, [two, three, newcomer])
}
