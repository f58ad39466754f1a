/**
 * Refreshes that nodes ask for (formats.md 12). A node tells which of its groups should be refreshed soon, and WaaS makes the request that
 * a person would make: a KeyReshare of the holder group to itself. Each node's rules and callback servers decide on it as on any other.
 *
 * WaaS makes at most one such request per group in `pauseMs`, whatever comes of it. Each refresh begins an epoch, and with it the limits on
 * unproven checks begin anew (threshold.md 4.3): an attacker who makes nodes crash must not get new epochs at will.
 */
import type { Log } from "../../log.ts"
import type { Clock } from "../../tasks/ports.ts"
import { ApiFailure } from "../failure.ts"
import type { HolderGroup, TssRequest, Vault, VaultType } from "../store/model.ts"
import { everyItem } from "../store/pages.ts"
import type { WaasStore } from "../store/store.ts"
import { isOpen } from "./requests.ts"
import { groupsOf, type ReshareWish } from "./reshare.ts"

export const REFRESH_DESCRIPTION = "refresh, asked for by a node"
const VAULT_TYPES: readonly VaultType[] = ["Org-Controlled", "User-Controlled"]
/** The least time between two looks for refreshes that are due. */
const LOOK_MS = 30_000

export interface RefreshPace {
  /** How long a refresh may take, approvals included. */
  readonly deadlineMs: number
  /** The least time between two refresh requests of one holder group. */
  readonly pauseMs: number
}

interface RefreshParts {
  readonly store: WaasStore
  readonly online: (nodeId: string) => boolean
  readonly now: Clock
  /** Undefined if WaaS makes no refreshes. */
  readonly pace: RefreshPace | undefined
  readonly log: Log
}

interface DueRefresh {
  readonly vault: Vault
  readonly group: HolderGroup
  readonly deadlineMs: number
}

interface RefreshWish extends DueRefresh {
  readonly reshare: ReshareWish
  readonly description: string
}

export class Refreshes {
  readonly #parts: RefreshParts
  /** By node id: the share groups that the node last asked to refresh. */
  readonly #asked = new Map<string, ReadonlySet<string>>()
  #lookedMs = Number.NEGATIVE_INFINITY

  constructor(parts: RefreshParts) {
    this.#parts = parts
  }

  /** The node asks for refreshes of these share groups; replaces what it asked for before. */
  told(nodeId: string, shareGroupIds: readonly string[]): void {
    if (shareGroupIds.length === 0) this.#asked.delete(nodeId)
    else this.#asked.set(nodeId, new Set(shareGroupIds))
  }

  /** Makes a request for each group whose refresh is due. One that `make` refuses is logged, and tried again at the next look. */
  async begin(make: (wish: RefreshWish) => Promise<TssRequest>): Promise<void> {
    const { log } = this.#parts
    for (const due of await this.#due()) {
      const { groupId } = due.group
      const reshare = {
        type: "KeyReshare",
        sourceGroupId: groupId,
        dealers: undefined,
        allowSharedNodes: true,
      } as const
      try {
        const { tssRequestId } = await make({ ...due, reshare, description: REFRESH_DESCRIPTION })
        log.info("a refresh began that a node asked for", { group: groupId, request: tssRequestId })
      } catch (error) {
        if (!(error instanceof ApiFailure)) throw error
        log.warn("a refresh that a node asked for could not begin", { group: groupId, why: error.message })
      }
    }
  }

  /** The holder groups to refresh now: all their nodes are online, and none has an open request or a recent refresh. */
  async #due(): Promise<readonly DueRefresh[]> {
    const { now, pace } = this.#parts
    if (pace === undefined || this.#asked.size === 0 || now() - this.#lookedMs < LOOK_MS) return []
    this.#lookedMs = now()
    const found: DueRefresh[] = []
    for (const { vault, group } of await this.#askedFor()) {
      if (await this.#isFree(group, pace)) found.push({ vault, group, deadlineMs: now() + pace.deadlineMs })
    }
    return found
  }

  async #askedFor(): Promise<readonly { readonly vault: Vault; readonly group: HolderGroup }[]> {
    const found: { readonly vault: Vault; readonly group: HolderGroup }[] = []
    const { store } = this.#parts
    for (const type of VAULT_TYPES) {
      for await (const vault of everyItem((page) => store.vaults({ type }, page))) {
        for (const group of await groupsOf(store, vault.vaultId)) {
          if (group.status === "Valid" && this.#isAskedBy(group)) found.push({ vault, group })
        }
      }
    }
    return found
  }

  /** Whether a member of the group asked for its refresh: a node may ask only for groups that it is in. */
  #isAskedBy({ holders, shareGroups }: HolderGroup): boolean {
    return holders.some(({ nodeId }) => {
      const asked = this.#asked.get(nodeId)
      return asked !== undefined && shareGroups.some(({ shareGroupId }) => asked.has(shareGroupId))
    })
  }

  async #isFree({ vaultId, groupId, holders }: HolderGroup, { pauseMs }: RefreshPace): Promise<boolean> {
    const { store, online, now, log } = this.#parts
    const away = holders.filter(({ nodeId }) => !online(nodeId))
    if (away.length > 0) {
      log.warn("a refresh is due and waits for nodes that are offline", { group: groupId, offline: away.length })
      return false
    }
    const { items } = await store.tssRequests({ vaultId, groupId }, { limit: 50, after: undefined, before: undefined })
    const isRecent = items.some(
      ({ description, createdMs }) => description === REFRESH_DESCRIPTION && now() - createdMs < pauseMs,
    )
    return !isRecent && !items.some(({ status }) => isOpen(status))
  }
}
