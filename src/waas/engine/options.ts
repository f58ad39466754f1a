/** The parts and settings that an engine is made of. */
import type { Log } from "../../log.ts"
import type { Clock } from "../../tasks/ports.ts"
import type { CurveType } from "../store/model.ts"
import type { SharedStore } from "../store/shared.ts"
import type { WaasStore } from "../store/store.ts"
import type { Documents, Pace, RelayPort, Windows } from "./ports.ts"
import type { RefreshPace } from "./refresh.ts"

export interface EngineOptions {
  readonly store: WaasStore
  readonly shared: SharedStore
  readonly relay: RelayPort
  readonly documents: Documents
  readonly now: Clock
  readonly pace: Pace
  readonly windows: Windows
  /** The curves on which a KeyGen request makes keys. */
  readonly curves: readonly CurveType[]
  readonly organisationName: string
  /** Tasks in work at one time; more are refused with 2026. */
  readonly openTasks: number
  /** For refreshes that nodes ask for; undefined if WaaS begins none by itself. */
  readonly refresh: RefreshPace | undefined
  readonly log: Log
}
