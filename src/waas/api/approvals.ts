/**
 * Signed statements of people about the tasks of a request (approvals.md 5): what an approver's program needs to let its person decide,
 * and where it hands the signed statement over. Nothing here proves anything: the program reads the document itself, and nodes verify
 * the signatures.
 */
import { type Static, Type } from "@sinclair/typebox"
import { decodeSignedStatement } from "../../approvals/approver.ts"
import { signedFromJson, signedJson } from "../../approvals/json.ts"
import { isUnfit, MAX_STATEMENT_BYTES, readStatement, secondsText } from "../../approvals/statement.ts"
import type { Awaited } from "../../policy/decision.ts"
import { wordsOf } from "../engine/approvals.ts"
import type { AnyRequest } from "../engine/consequences.ts"
import { isFinal } from "../engine/progress.ts"
import { ApiFailure } from "../failure.ts"
import type { JsonObject } from "../shapes.ts"
import type { WaasTask } from "../store/model.ts"
import { type ApiContext, vaultOf } from "./context.ts"
import { closed, param, type Route, route } from "./route.ts"

const Base64Url = (most: number) => Type.String({ pattern: "^[A-Za-z0-9_-]+$", maxLength: Math.ceil((most * 4) / 3) })

const NewApproval = closed({
  statement: Type.String({ minLength: 1, maxLength: MAX_STATEMENT_BYTES, description: "the text that was signed" }),
  ssh_signature: Type.Optional(Type.String({ maxLength: 4096, description: "as `ssh-keygen -Y sign` writes it" })),
  passkey: Type.Optional(
    closed({
      credential_id: Base64Url(1023),
      authenticator_data: Base64Url(1024),
      client_data_json: Base64Url(2048),
      signature: Base64Url(128),
    }),
  ),
})

/** The most requests in one answer; a caller that has handled these asks again. */
const MOST_WAITING = 200

export const awaitingRoute = (api: ApiContext): Route =>
  route({
    method: "GET",
    path: "/v2/wallets/mpc/vaults/:vault_id/approvals",
    summary: "The requests of a vault whose tasks wait for people, newest first, at most 200",
    handle: async ({ params }) => {
      const { vaultId } = await vaultOf(api, param(params, "vault_id"))
      const found = new Map<string, JsonObject>()
      for (const task of await awaitingTasks(api, vaultId)) {
        if (found.size === MOST_WAITING) break
        const { kind, id } = task.request
        const isOurs = (task.vaultId ?? (await api.store.tssRequest(id))?.vaultId) === vaultId
        if (isOurs && kind !== "shareSign")
          found.set(id, kind === "sign" ? { sign_request_id: id } : { tss_request_id: id })
      }
      return { requests: [...found.values()] }
    },
  })

/** Waiting tasks, newest first: this replica's own from memory, where they may be newer than in the store; others' from the store. */
async function awaitingTasks({ engine, store, shared }: ApiContext, vaultId: string): Promise<readonly WaasTask[]> {
  const own = engine.look().awaiting()
  if (shared.living() === 1) return own
  const known = new Set(own.map(({ taskId }) => taskId))
  const others = (await store.awaitingTasks(vaultId, MOST_WAITING)).filter(
    (task) => !known.has(task.taskId) && !isFinal(task),
  )
  return [...own, ...others].sort((one, other) => other.createdMs - one.createdMs)
}

/** The calls about the approvals of one request. `path` is the path of the request; `find` returns the request, or throws 2028. */
export const approvalRoutes = (
  api: ApiContext,
  path: string,
  find: (params: Readonly<Record<string, string>>) => Promise<AnyRequest>,
): readonly Route[] => [
  route({
    method: "GET",
    path: `${path}/approvals`,
    summary: "The tasks of a request for its approvers: documents, awaited statements, signed statements",
    handle: async ({ params }) => answerOf(await api.engine.tasksOf(await find(params))),
  }),
  route({
    method: "POST",
    path: `${path}/approvals`,
    role: "approve",
    summary: "Hand over a person's signed statement, which asks for a task, approves or rejects it",
    body: NewApproval,
    handle: async ({ params, body }) => {
      const request = await find(params)
      await api.engine.addApproval(request, signedOf(body))
      return answerOf(await api.engine.tasksOf(request))
    },
  }),
]

/** The signed statement in the body. Throws 2006 for one that cannot be read. */
function signedOf({ statement, ssh_signature, passkey }: Static<typeof NewApproval>) {
  const signed = signedFromJson({
    statement,
    ...(ssh_signature === undefined ? {} : { ssh_signature }),
    ...(passkey === undefined ? {} : { passkey }),
  })
  if (isUnfit(signed)) throw new ApiFailure(2006, `body: ${signed.problem}`)
  return signed
}

const answerOf = (tasks: readonly WaasTask[]): JsonObject => ({ tasks: tasks.map(taskOf) })

const taskOf = (task: WaasTask): JsonObject => ({
  task_id: task.taskId,
  // The exact bytes: WaaS encoded the document as UTF-8.
  document: Buffer.from(task.document).toString("utf8"),
  state: task.state,
  deadline_timestamp: task.deadlineMs,
  awaited: Object.entries(task.awaits ?? {}).map(([nodeId, { epoch, words }]) => ({
    tss_node_id: nodeId,
    ...(epoch === undefined ? {} : { epoch }),
    ...awaitedOf(words),
  })),
  approvals: wordsOf(task).map(approvalOf),
})

const awaitedOf = (words: readonly Awaited[]): JsonObject => ({
  request: words.some(({ kind }) => kind === "request"),
  groups: words.flatMap((one) =>
    one.kind === "approvals" ? [{ group: one.group, min: one.min, approved_by: [...one.by] }] : [],
  ),
})

function approvalOf(word: Uint8Array): JsonObject {
  const signed = decodeSignedStatement(word)
  const statement = isUnfit(signed) ? signed : readStatement(signed.statement)
  if (isUnfit(signed) || isUnfit(statement)) throw new TypeError("a word was kept that is none")
  const { approver, decision, notAfter, nonce } = statement
  return { approver, decision, not_after: secondsText(notAfter), nonce, ...signedJson(signed) }
}
