/**
 * The rule of unproven checks (threshold.md 2.5 rule 9): secret-dependent checks against one peer in one epoch run one at a
 * time over all sessions of this node, so that one crash hides the verdict of at most one of them.
 */
import { CosignerError } from "../errors.ts"
import type { PartyId } from "../keys/party.ts"
import { nodeIdOf } from "../wire/nodeId.ts"

export interface CheckLocks {
  /** Resolves when no other session checks this peer of this epoch; the caller releases. Rejects once it is condemned. */
  acquire(epoch: string, peer: PartyId): Promise<() => void>
  /** A verdict on this peer could not be recorded: no other check of it begins in this process. */
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

/** The checks of one session that have begun and shown no verdict yet. */
export interface OpenChecks {
  begin(epoch: string, peer: PartyId): Promise<void>
  passed(peer: PartyId): void
  /** The peers of those checks. */
  open(): readonly PartyId[]
  /** What became of the open ones could not be recorded: whoever checks on would grant a guess for nothing. */
  lost(): void
  /** The session is over: what it holds, and what it still waits for, is free for others. */
  end(): void
}

export function openChecks(locks: CheckLocks): OpenChecks {
  const held = new Map<PartyId, { readonly epoch: string; readonly release: () => void }>()
  let isOver = false
  return {
    async begin(epoch, peer) {
      const release = await locks.acquire(epoch, peer)
      // Its worker may have died while it waited; nobody would ever release what it got then.
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
