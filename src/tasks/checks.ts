/**
 * The locks behind the rule of unproven checks (threshold.md 2.5 rule 9). Secret-dependent checks against one peer in one epoch run one at
 * a time over all sessions of this node, so one crash hides the verdict of at most one of them.
 */
import { CosignerError } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import { nodeIdOf } from "../wire/nodeId.ts"

export interface CheckLocks {
  /**
   * Resolves, with a function that releases the lock, when no other session checks this peer. Rejects with E-TSK-013 if it is condemned.
   */
  acquire(epoch: string, peer: PartyId): Promise<() => void>
  /** Lets no further check of this peer begin in this process, because a verdict on it could not be recorded. */
  condemn(epoch: string, peer: PartyId): void
}

export function checkLocks(): CheckLocks {
  const tails = new Map<string, Promise<void>>()
  const condemned = new Set<string>()
  const keyOf = (epoch: string, peer: PartyId): string => `${epoch}/${peer}`
  return {
    async acquire(epoch, peer) {
      const key = keyOf(epoch, peer)
      const before = tails.get(key)
      const { promise, resolve } = Promise.withResolvers<void>()
      const tail = (before ?? Promise.resolve()).then(() => promise)
      tails.set(key, tail)
      await before
      const release = (): void => {
        resolve()
        if (tails.get(key) === tail) tails.delete(key)
      }
      if (!condemned.has(key)) return release
      release()
      throw new CosignerError("E-TSK-013", { peers: [nodeIdOf(peer)] })
    },
    condemn: (epoch, peer) => void condemned.add(keyOf(epoch, peer)),
  }
}

/** The checks of one session that have begun and have no verdict yet. */
export interface OpenChecks {
  /** Waits for the lock on the peer. `epoch` is the epoch id in hex. Rejects with E-TSK-013. */
  begin(epoch: string, peer: PartyId): Promise<void>
  /** Ends the check of that peer and releases its lock. */
  passed(peer: PartyId): void
  /** The peers whose checks are open. */
  open(): readonly PartyId[]
  /** Condemns the peers of all open checks, because their outcome could not be recorded. A further check would be a free guess for them. */
  lost(): void
  /** Ends the session's part: releases the locks that it holds, and later those that it still waits for. */
  end(): void
}

export function openChecks(locks: CheckLocks): OpenChecks {
  const held = new Map<PartyId, { readonly epoch: string; readonly release: () => void }>()
  let isOver = false
  return {
    async begin(epoch, peer) {
      const release = await locks.acquire(epoch, peer)
      // The session may have ended while it waited. Nobody would release the lock then.
      if (isOver) release()
      else held.set(peer, { epoch, release })
    },
    passed(peer) {
      held.get(peer)?.release()
      held.delete(peer)
    },
    open: () => [...held.keys()],
    lost() {
      for (const [peer, { epoch }] of held) locks.condemn(epoch, peer)
    },
    end() {
      isOver = true
      for (const { release } of held.values()) release()
    },
  }
}
