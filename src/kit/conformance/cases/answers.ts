/** Checks how the server answers good requests: in the form that a node can read and act on. */
import { approves, type Reply } from "../client.ts"
import { approvedBody, ask, type Case, type Kit, keyGenBody, ping } from "../kit.ts"

const HOUR_MS = 3_600_000
const PARALLEL = 20

const answered = (reply: Reply): string | undefined => (reply.valid ? undefined : `no valid answer: ${reply.problem}`)

export const answerCases: readonly Case[] = [
  {
    id: "ping-status",
    severity: "major",
    title: "answers a ping with status 0",
    needs: "nothing",
    run: async (kit) => {
      const reply = await ask(kit, "ping-status", ping)
      return answered(reply) ?? ((reply.status ?? 0) === 0 ? undefined : `status ${reply.status}`)
    },
  },
  {
    id: "answer-signed",
    severity: "major",
    title: "signs its answers with RS256 and the published key",
    needs: "nothing",
    run: async (kit) => answered(await ask(kit, "answer-signed", keyGenBody(kit))),
  },
  {
    id: "answer-names-request",
    severity: "critical",
    title: "names the request that it decides, so that the answer fits no other",
    needs: "nothing",
    run: async (kit) => {
      const body = keyGenBody(kit)
      const reply = await ask(kit, "answer-names-request", body)
      if (!reply.valid || reply.action === "") return undefined
      return reply.requestId === body.request_id ? undefined : `it names ${JSON.stringify(reply.requestId)}`
    },
  },
  {
    id: "answer-expires",
    severity: "major",
    title: "lets its answers expire within an hour",
    needs: "nothing",
    run: async (kit) => {
      const reply = await ask(kit, "answer-expires", keyGenBody(kit))
      if (!reply.valid) return undefined
      return reply.expiresMs <= kit.target.now() + HOUR_MS ? undefined : "its answer is valid for longer"
    },
  },
  {
    id: "answer-form",
    severity: "minor",
    title: "decides with HTTP 200, status 0 and an action",
    needs: "nothing",
    run: async (kit) => {
      const reply = await ask(kit, "answer-form", keyGenBody(kit))
      if (!reply.valid) return undefined
      const good = reply.http === 200 && reply.status === 0 && ["APPROVE", "REJECT"].includes(reply.action)
      return good ? undefined : `HTTP ${reply.http}, status ${reply.status}, action ${JSON.stringify(reply.action)}`
    },
  },
  {
    id: "answers-in-parallel",
    severity: "critical",
    title: `keeps ${PARALLEL} requests at once apart`,
    needs: "nothing",
    run: async (kit) => {
      const bodies = Array.from({ length: PARALLEL }, () => keyGenBody(kit))
      const replies = await Promise.all(bodies.map((body) => ask(kit, "answers-in-parallel", body)))
      const wrong = replies.filter(
        (reply, i) => reply.valid && reply.action !== "" && reply.requestId !== bodies[i]?.request_id,
      )
      const silent = replies.filter((reply) => reply.http === undefined)
      if (wrong.length > 0) return `${wrong.length} answers named another request`
      return silent.length > 0 ? `${silent.length} requests were not answered` : undefined
    },
  },
  {
    id: "repeat-same",
    severity: "major",
    title: "decides a repeated request as before: nodes repeat what they got no answer for",
    needs: "approval",
    run: async (kit) => {
      const body = approvedBody(kit)
      const first = await ask(kit, "repeat-same", body)
      const second = await ask(kit, "repeat-same", body)
      return approves(first) && !approves(second) ? "it approved first and refused the repetition" : undefined
    },
  },
  {
    id: "request-id-reuse",
    severity: "critical",
    title: "refuses another request under a used request id",
    needs: "approval",
    run: (kit) => reuse(kit),
  },
]

async function reuse(kit: Kit): Promise<string | undefined> {
  const body = approvedBody(kit)
  await ask(kit, "request-id-reuse", body)
  const other = JSON.stringify({ ...JSON.parse(String(body.request_detail)), task_id: "another-task" })
  const reply = await ask(kit, "request-id-reuse", { ...body, request_detail: other })
  return approves(reply) ? "it approved a second, different request under the same id" : undefined
}
