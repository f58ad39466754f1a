/** The status document as lines for people. A line changes only when a state does, unless its reason counts seconds. */
import type { StatusDocument } from "../ops/port/documents.ts"

const WORD = { ok: "ok     ", waiting: "waiting", failed: "FAILED " } as const

export function statusLines(statusDocument: StatusDocument, reasons: "all" | "bad"): readonly string[] {
  const { tasks, groups, risk, event_servers: events } = statusDocument
  return [
    `${statusDocument.ready ? "ready" : "NOT READY"}: ${statusDocument.node_id}, ${statusDocument.environment}, ${statusDocument.version}`,
    ...statusDocument.items.flatMap(({ name, state, reason, code, next }) => [
      `  ${WORD[state]} ${name.padEnd(14)}${state === "ok" && reasons === "bad" ? "" : reason}`.trimEnd(),
      ...(code === "" ? [] : [`          ${code}: ${next}`]),
    ]),
    `link ${statusDocument.link.phase}, workers ${statusDocument.workers.alive} of ${statusDocument.workers.size}, sessions ${statusDocument.sessions_open} open`,
    ...replicaLines(statusDocument.link.replicas),
    `tasks ${tasks.open} open; since the start ${tasks.completed} completed, ${tasks.rejected} rejected, ${tasks.failed} failed, ${tasks.cancelled} cancelled`,
    `groups ${groups.active} active, ${groups.blocked} of them cannot sign with every algorithm, peers banned ${groups.bans}, rules ${risk.rules_enabled ? "on" : "off"}`,
    ...risk.callback_servers.map((server) => serverLine("callback server", server)),
    ...events.map((server) => serverLine("event server", server)),
  ].map(plain)
}

/** For a single address the line of the link already says this. */
function replicaLines(replicas: StatusDocument["link"]["replicas"]): readonly string[] {
  if (replicas.length <= 1) return []
  return replicas.map(({ url, phase, rtt_ms: rttMs, failures, queued_frames: queued, last_error: error }) => {
    if (phase === "online") return `replica ${url}: online${rttMs === null ? "" : `, ${rttMs.toFixed(1)} ms`}`
    const why = error === null ? "" : `, ${error.code} ${error.message}`
    return `replica ${url}: ${phase}, ${failures} failed, ${queued} frames wait${why}`
  })
}

function serverLine(kind: string, server: { server: string; healthy: boolean | null; failure: string }): string {
  const state = server.healthy === null ? "not heard of yet" : server.healthy ? "ok" : `failing: ${server.failure}`
  return `${kind} ${server.server}: ${state}`
}

/** Reasons quote other machines, and their control characters must not reach the terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const plain = (line: string): string => line.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ")
