/** The desk of a profile: tasks that wait for people at WaaS, each read here, and the receiver of signed statements. */
import type { SignedStatement } from "../../approvals/approver.ts"
import { signedFromJson, signedJson } from "../../approvals/json.ts"
import { isUnfit, readStatement } from "../../approvals/statement.ts"
import { utf8 } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { readApprovers } from "../../kit/approving/approvers.ts"
import type { Desk, WaitingTask } from "../../kit/approving/desk.ts"
import { type HandedOut, readHandedOut } from "../../kit/approving/reading.ts"
import { type Names, NO_NAMES } from "../../policy/names.ts"
import type { People } from "../../policy/people.ts"
import { intentSettingsOf } from "../../tasks/intents.ts"
import type { ApprovalsObject } from "../../waas/client.ts"
import { connect, type WaasConnection } from "../client/profile.ts"
import { isTssRequest } from "../client/request.ts"
import { amiss, vaultIdOf } from "../client/verified.ts"
import type { CommandBase, ValuesOf } from "../command.ts"
import type { deskOptions } from "./options.ts"

interface OpenDesk extends Disposable {
  readonly desk: Desk
  readonly people: People | undefined
}

/** Takes names of [intent] from the file that --config names, otherwise from the approvers file. */
export async function openDesk(base: CommandBase, options: ValuesOf<typeof deskOptions>): Promise<OpenDesk> {
  const known = options.approvers === undefined ? undefined : readApprovers(options.approvers)
  const configured =
    base.globals.config === undefined ? undefined : (await base.config()).embedded_risk_control_rules.names
  const names = configured ?? known ?? NO_NAMES
  const connection = connect(options.profile)
  return {
    people: known?.people,
    desk: deskOf(connection, vaultIdOf(options.vault, connection.profile), names),
    [Symbol.dispose]: () => connection[Symbol.dispose](),
  }
}

export function deskOf(
  { client, profile }: Pick<WaasConnection, "client" | "profile">,
  vaultId: string,
  names: Names,
): Desk {
  const knowledge = { settings: intentSettingsOf(names), roots: profile.roots.map(({ text }) => text) }
  const approvals = (id: string): Promise<ApprovalsObject> =>
    isTssRequest(id) ? client.tssApprovals(vaultId, id) : client.approvals(vaultId, id)
  const tasksOf = async (id: string): Promise<readonly WaitingTask[]> =>
    await Promise.all(handedOut(id, await approvals(id)).map((one) => readHandedOut(one, knowledge)))
  return {
    async open(id) {
      const tasks = await tasksOf(id)
      if (tasks.length === 0) throw new CosignerError("E-CLI-052", { id })
      return tasks
    },
    async waiting(most) {
      const { requests } = await client.awaiting(vaultId)
      const ids = requests.flatMap(({ sign_request_id, tss_request_id }) => sign_request_id ?? tss_request_id ?? [])
      if (!ids.every((id) => REQUEST_ID.test(id))) throw amiss("WaaS names a request by what is no id")
      const found: WaitingTask[] = []
      for (const id of ids.slice(0, most)) found.push(...(await tasksOf(id)))
      return found
    },
    async send(id, signed) {
      const json = signedJson(signed)
      await (isTssRequest(id) ? client.approveTss(vaultId, id, json) : client.approve(vaultId, id, json))
    },
  }
}

/** The id is shown, and becomes part of a path. */
const REQUEST_ID = /^[A-Za-z0-9-]{1,128}$/

type HandedTask = ApprovalsObject["tasks"][number]

/** Tasks for which a node waits, or about which somebody has signed: for others no epoch is known that a statement could name. */
function handedOut(requestId: string, { tasks }: ApprovalsObject): readonly HandedOut[] {
  return tasks
    .filter(({ awaited, approvals }) => awaited.length > 0 || approvals.length > 0)
    .map((task) => {
      const signed = task.approvals.flatMap((one) => signedOf(one))
      return {
        requestId,
        document: utf8(task.document),
        epoch: epochOf(task, signed),
        awaited: awaitedText(task),
        signed,
      }
    })
}

function signedOf(given: HandedTask["approvals"][number]): readonly SignedStatement[] {
  const signed = signedFromJson(given)
  return isUnfit(signed) ? [] : [signed]
}

/** The epoch that waiting nodes state. If none waits any more, the epoch in earlier signed statements: a rejection still counts then. */
function epochOf({ task_id, awaited }: HandedTask, signed: readonly SignedStatement[]): string | undefined {
  const stated = signed.flatMap(({ statement }) => {
    const read = readStatement(statement)
    return isUnfit(read) ? [] : [read.epoch]
  })
  const epochs = new Set(awaited.length > 0 ? awaited.map(({ epoch }) => epoch) : stated)
  if (epochs.size > 1) throw amiss(`nodes wait for task ${task_id} with shares of different epochs`)
  return [...epochs][0]
}

function awaitedText({ awaited }: HandedTask): string {
  const words = awaited.flatMap(({ request, groups }) => [
    ...(request ? ["whoever asked for it"] : []),
    ...groups.map(
      ({ group, min, approved_by: by }) => `${min} of ${group}${by.length === 0 ? "" : ` (${by.join(", ")})`}`,
    ),
  ])
  return words.length === 0 ? "nobody any more" : [...new Set(words)].join(", ")
}
