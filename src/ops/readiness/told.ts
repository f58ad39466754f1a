/**
 * The part of readiness that the node reports to WaaS over the link (formats.md 12), so that WaaS chooses signers that can sign: whether
 * the node carries out tasks at all, which groups cannot sign with which algorithm, and which should be refreshed soon. The node reports
 * it after each connection, and when it changes.
 */
import type { GroupSignable } from "../../tasks/signable.ts"
import type { Readiness } from "../../wire/frames.ts"
import { MAX_BLOCKED } from "../../wire/nodeStateCodec.ts"
import type { ReadinessItem } from "./watch.ts"

/** Without these items a node carries out nothing. Groups are reported one by one; if WaaS hears this, the link is up. */
const OF_THE_NODE: readonly string[] = ["store", "log", "clock", "workers", "sessions", "loop", "freeze"]
const GROUPS = "groups"

interface ToldParts {
  readonly link: () => { readonly phase: string; readonly connections: number }
  readonly open: () => number
  readonly most: number
  /** May be expensive: called only while readiness names a group, as blocked or in a notice. */
  readonly groups: () => readonly GroupSignable[]
  readonly tell: (readiness: Readiness) => void
}

interface ToldReadiness {
  /** After each look at the items. */
  look(items: readonly ReadinessItem[]): void
}

export function tellReadiness({ link, open, most, groups, tell }: ToldParts): ToldReadiness {
  let said = ""
  return {
    look(items) {
      const { phase, connections } = link()
      if (phase !== "online") return
      const lacking = items.find(({ name, state }) => OF_THE_NODE.includes(name) && state !== "ok")
      const areNamed = items.some(({ name, code }) => name === GROUPS && code !== "")
      const named = areNamed ? groups() : []
      const blocked = blockedOf(named)
      const refresh = named.flatMap(({ groupId, refresh }) => (refresh ? [groupId] : [])).slice(0, MAX_BLOCKED)
      const [code, reason] = lacking === undefined ? ["", ""] : [lacking.code || "E-TSK-048", whyOf(lacking)]
      const now = JSON.stringify([connections, code, blocked, refresh])
      if (now === said) return
      said = now
      tell({ kind: "readiness", code, reason, open: open(), most, blocked, refresh })
    },
  }
}

/** Who froze the node, and why, is only for its own operators. */
const whyOf = ({ name, reason }: ReadinessItem): string => (name === "freeze" ? "it is frozen" : reason)

const blockedOf = (groups: readonly GroupSignable[]): Readiness["blocked"] =>
  groups
    .flatMap(({ groupId, signable }) =>
      signable.flatMap(({ algorithm, ready, problem }) =>
        ready ? [] : [{ groupId, algorithm, code: problem?.code ?? "" }],
      ),
    )
    .slice(0, MAX_BLOCKED)
