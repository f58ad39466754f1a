/** The lines that a node logs at its start: its rules and servers, and what the last run left behind. */
import { fingerprintOf } from "../approvals/sshKey.ts"
import type { Startable } from "../config/startup.ts"
import type { Log } from "../log.ts"
import type { Rules } from "../policy/schema.ts"
import type { Store } from "../store/store.ts"
import { REFRESH_FROM } from "../tasks/signable.ts"
import { nodeIdOf } from "../wire/nodeId.ts"

export function tellRules(rules: Rules, log: Log): void {
  log.info("Embedded Risk Control Rule:")
  log.info(`|__ Enable: ${rules.enable}`)
  for (const { name, keys } of rules.names.people.approvers.values()) {
    const shown = keys.map((key) => (key.kind === "ssh" ? fingerprintOf(key.ssh) : `passkey at ${key.passkey.origin}`))
    log.info(`|__ Approver: ${name} (${shown.join(", ")})`)
  }
}

/** Each server whose answer every task needs, for a person who checks an edit of the file. */
export function tellCallbacks(servers: Startable["callback"]["servers"], log: Log): void {
  log.info("Callback Servers:")
  if (servers.length === 0) log.info("|__ none")
  for (const { address, version } of servers) log.info(`|__ ${address} (version ${version})`)
}

/** What the last process left behind. It is logged once, because it raises counters that can block a peer (threshold.md 2.5 rule 9). */
export function tellRecovery(store: Store, log: Log): void {
  const { sessions, checks } = store.recovery
  if (sessions.length > 0)
    log.warn("the last run ended in the middle of sessions; they are closed", { sessions: sessions.length })
  for (const check of checks) log.warn("an unproven check was counted against a peer", { ...check })
  for (const { groupId, peer, count, disabled } of store.bans.unproven()) {
    if (count < REFRESH_FROM) continue
    log.error("a peer has unproven checks; more than 8 end ECDSA with it until a reshare", {
      group: groupId,
      peer: nodeIdOf(peer),
      count,
      disabled,
    })
  }
}
