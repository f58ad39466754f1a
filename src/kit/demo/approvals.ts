/**
 * The people of the demo: an initiator and two approvers, each with an SSH key. A large payout waits until both approvers have read it
 * with their own program and signed; the nodes verify that.
 */
import { randomBytes } from "node:crypto"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { copy } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { writeNew } from "../../files.ts"
import { Secret } from "../../secret.ts"
import { newKeyFile } from "../../signers/keyFile.ts"
import { type DeployedNode, type Deployment, object, text } from "./deployment.ts"
import type { DemoVault } from "./keys.ts"
import type { Readable } from "./payloads.ts"
import { type Program, runToEnd } from "./processes.ts"
import type { DemoReport } from "./report.ts"
import { signed } from "./signatures.ts"

const PEOPLE = ["ops", "ada", "bob"] as const
type Person = (typeof PEOPLE)[number]

interface DemoPeople {
  /** [[approvers]], their group, and the entry that asks for them. */
  readonly toml: string
  readonly keyFile: (name: Person) => string
  /** What the people's own programs know about people, addresses and assets. */
  readonly approvers: string
}

/** Makes their keys, each in a file as OpenSSH has it. `names` is the [intent] of a node. */
export function makePeople({ dir }: Pick<Deployment, "dir">, above: string, names: string): DemoPeople {
  const folder = join(dir, "people")
  mkdirSync(folder, { mode: 0o700 })
  const keyFile = (name: Person): string => join(folder, name)
  const entries = PEOPLE.map((name) => {
    using seed = Secret.take(copy(randomBytes(32)))
    const { secret, publicText } = newKeyFile(seed, randomBytes(4), name)
    using made = secret
    writeNew(keyFile(name), Buffer.from(made.expose()).toString("latin1"))
    return `[[approvers]]\nname = "${name}"\nkey = "${publicText}"\n`
  })
  const group = `[[approver_groups]]\nname = "treasury"\nmembers = ${JSON.stringify(PEOPLE)}\n`
  const require = `[[embedded_risk_control_rules.key_sign.require]]\nname = "large"\ngroup = "treasury"\nmin = 2\nabove = "${above}"\n`
  const approvers = join(folder, "approvers.toml")
  writeNew(approvers, [...entries, group, names].join(""))
  return { toml: [...entries, group, require].join(""), keyFile, approvers }
}

interface PeopleScene {
  readonly program: Program
  readonly deployment: Deployment
  readonly vault: DemoVault
  readonly report: DemoReport
  readonly nodes: readonly DeployedNode[]
  readonly people: DemoPeople
}

/** One payout: asked for by ops, approved by ada and bob, signed by the nodes. */
export async function approvedPayout(scene: PeopleScene, payout: Readable): Promise<void> {
  const { program, deployment, vault, report, nodes, people } = scene
  await makeProfile(program, deployment)
  await signed(deployment, vault, report, nodes, payout, {}, async (requestId) => {
    report.step(
      { step: "waits", request_id: requestId, group: "treasury", min: 2 },
      `${payout.what}: ${nodes[0]?.name ?? ""} waits for two of treasury`,
    )
    const word = async (decision: "request" | "approve", name: Person): Promise<void> => {
      const asked = ["approve", decision, requestId, "--vault", vault.vaultId, "--approvers", people.approvers]
      const as = ["--as", name, "--key", people.keyFile(name), "--yes", "--json"]
      const said = object(await runToEnd(program, [...asked, ...as], deployment.dir))
      const [task]: unknown[] = Array.isArray(said["tasks"]) ? said["tasks"] : []
      const read: unknown = Reflect.get(Object(task), "text")
      if (!Array.isArray(read) || read.length === 0) throw failed(`${name} read nothing`)
      report.step(
        { step: "word", decision, approver: name, request_id: requestId, text: read },
        decision === "request"
          ? `${name} signed that it asked for it`
          : `${name} read "${read.join("; ")}" and approved with an SSH key`,
      )
    }
    await word("request", "ops")
    await word("approve", "ada")
    await word("approve", "bob")
  })
}

/** Makes an API key for the people's programs, separate from the payer's. */
async function makeProfile(program: Program, { dir, url }: Deployment): Promise<void> {
  const waas = object(await runToEnd(program, ["waas", "info", "--dir", "waas", "--json"], dir))
  const init = ["client", "init", "--url", url, "--response-key", text(waas, "response_key"), "--json"]
  const made = object(await runToEnd(program, init, dir))
  const key = ["waas", "key", "create", "--dir", "waas", "--name", "people", "--public-key", text(made, "public_key")]
  await runToEnd(program, key, dir)
}

const failed = (what: string): CosignerError => new CosignerError("E-CLI-022", { what })
