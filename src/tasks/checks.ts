/**
 * The rule of unproven checks (tss.md 2.5 rule 9): secret-dependent checks against one peer in one epoch run one at a
 * time over all sessions of this node, so that one crash hides the verdict of at most one of them.
 */
import type { PartyId } from "../keys/party.ts"

export interface CheckLocks {
  /** Resolves when no other session checks this peer of this epoch; the caller releases. */
  acquire(epoch: string, peer: PartyId): Promise<() => void>
}

export function checkLocks(): CheckLocks {
  const tails = new Map<string, Promise<void>>()
  return {
    async acquire(epoch, peer) {
      const key = `${epoch}/${peer}`
      const before = tails.get(key)
      const { promise, resolve } = Promise.withResolvers<void>()
      const tail = (before ?? Promise.resolve()).then(() => promise)
      tails.set(key, tail)
      await before
      return () => {
        resolve()
        if (tails.get(key) === tail) tails.delete(key)
      }
    },
  }
}

/** The checks of one session that have begun and shown no verdict yet. */
export interface OpenChecks {
  begin(epoch: string, peer: PartyId): Promise<void>
  passed(peer: PartyId): void
  /** The peers of those checks. */
  open(): readonly PartyId[]
  /** The session is over: what it holds, and what it still waits for, is free for others. */
  end(): void
}

export function openChecks(locks: CheckLocks): OpenChecks {
  const held = new Map<PartyId, () => void>()
  let isOver = false
  return {
    async begin(epoch, peer) {
      const release = await locks.acquire(epoch, peer)
      // Its worker may have died while it waited; nobody would ever release what it got then.
      if (isOver) release()
      else held.set(peer, release)
    },
    passed(peer) {
      held.get(peer)?.()
      held.delete(peer)
    },
    open: () => [...held.keys()],
    end() {
      isOver = true
      for (const release of held.values()) release()
    },
  }
}
