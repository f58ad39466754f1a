/** A node's folder as `cosigner init` makes it, with a configuration that signs whatever it is asked. */
import { randomBytes } from "node:crypto"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { object, text } from "../../src/kit/demo/deployment.ts"
import { type Program, runToEnd } from "../../src/kit/demo/processes.ts"

export interface UnguardedNode {
  readonly name: string
  readonly nodeId: string
  readonly dir: string
}

/** Its folder is `name` in `dir`, its password in `.password`; `listen` is the host and port of WaaS. */
export async function makeUnguardedNode(
  program: Program,
  dir: string,
  name: string,
  listen: string,
  waasKey: string,
): Promise<UnguardedNode> {
  const home = join(dir, name)
  mkdirSync(join(home, "configs"), { recursive: true, mode: 0o700 })
  writeFileSync(join(home, ".password"), randomBytes(32).toString("base64url"), { mode: 0o600 })
  const made = object(await runToEnd(program, ["init", "--key-file", ".password", "--json"], home))
  const config = join(home, "configs", "cosigner.toml")
  const lines = [
    'env = "development"',
    "danger_allow_unguarded_signing = true",
    "[websocket]",
    `url = "ws://${listen}/ws"`,
    `waas_public_key = "${waasKey}"`,
  ]
  writeFileSync(config, lines.join("\n"))
  chmodSync(config, 0o600)
  return { name, nodeId: text(made, "node_id"), dir: home }
}
