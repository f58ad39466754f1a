/**
 * The end of the demo: exports each node's log of its decisions, and verifies it with nothing but the log's key.
 */
import { join } from "node:path"
import { CosignerError } from "../../errors.ts"
import { type DeployedNode, type Deployment, object, text } from "./deployment.ts"
import { type Program, runToEnd } from "./processes.ts"
import type { DemoReport } from "./report.ts"

export async function auditAct(
  program: Program,
  { dir }: Pick<Deployment, "dir">,
  report: DemoReport,
  nodes: readonly DeployedNode[],
): Promise<void> {
  const verified = await Promise.all(
    nodes.map(async (node) => {
      const withKey = ["--key-file", ".password", "--json"]
      const key = text(object(await runToEnd(program, ["audit", "key", ...withKey], node.dir)), "log")
      const folder = join(dir, "audit", node.name)
      await runToEnd(program, ["audit", "export", folder, ...withKey], node.dir)
      const said = object(await runToEnd(program, ["audit", "verify", folder, "--key", key, "--json"], dir))
      const { size, verified } = said
      if (verified !== true || typeof size !== "number" || size === 0)
        throw new CosignerError("E-CLI-022", { what: `the log of ${node.name}` })
      return { node, size, root: text(said, "root") }
    }),
  )
  for (const { node, size, root } of verified)
    report.step(
      { step: "audit", node: node.nodeId, leaves: size, root },
      `${node.name}: ${size} leaves, exported and verified with the log's key alone`,
    )
}
