/** What operations can read of the rest of the node: functions without side effects. The daemon supplies them. */

import type { WitnessState } from "../audit/witnessing.ts"
import type { ServerState } from "../callback/monitor.ts"
import type { EventServerState } from "../events/sender.ts"
import type { PartyId } from "../keys/party.ts"
import type { LinkState } from "../link/link.ts"
import type { Store } from "../store/store.ts"
import type { Pool } from "../workers/pool.ts"

export interface NodeView {
  readonly nodeId: string
  readonly self: PartyId
  readonly environment: string
  readonly store: Store
  readonly link: () => LinkState
  readonly pool: Pick<Pool, "open" | "alive" | "ping" | "reap">
  readonly poolSize: number
  readonly tasksOpen: () => number
  readonly callbackServers: () => readonly ServerState[]
  readonly eventServers: () => readonly EventServerState[]
  /** Keys of the configuration that changed since the start and wait for a restart. */
  readonly waitingKeys: () => readonly string[]
  readonly rulesEnabled: () => boolean
  readonly witnesses: () => WitnessState
  /** Time of the last backup, ms since 1970; undefined: none is known. */
  readonly backupMs: () => number | undefined
  /** When a share of this node last signed, for a task or a check-up. */
  readonly provenMs: () => number | undefined
}
