/**
 * The main thread's side of the status port: sends beats to its thread and tells it what changed. Everything that it sends
 * was checked against its schema first.
 */
import { CosignerError } from "../../errors.ts"
import type { Log } from "../../log.ts"
import type { Feed } from "../../panel/feed.ts"
import { listenText } from "../../panel/listen.ts"
import { checked } from "../../panel/schemas.ts"
import { startPageThread } from "../../panel/thread.ts"
import { historySchema, statusSchema } from "./documents.ts"
import type { ListName, PortOptions, PortSnapshot, StallOptions, ToThread } from "./messages.ts"

export interface StatusThread {
  /** Where the port is, as `status.listen` writes it; undefined without one. */
  readonly address: string | undefined
  /**
   * A sign of life, with what is known (computed only if there is a port), and the next portion of each list. It must come at least
   * twice within the stall limit.
   */
  beat(snapshot: (() => PortSnapshot) | undefined): void
  stop(): void
}

interface PortThreadOptions {
  readonly port: PortOptions | undefined
  readonly stall: StallOptions
  readonly feeds: Readonly<Record<ListName, Feed>>
  readonly log: Log
  /** Makes the thread; `spawnPortThread` in a node. */
  readonly spawn: () => Worker
}

/** Resolves when the port is open. Throws E-STA-001. */
export async function startStatus({ port, stall, feeds, log, spawn }: PortThreadOptions): Promise<StatusThread> {
  const listen = port === undefined ? "" : listenText(port.listen)
  const thread = await startPageThread<ToThread, ListName>({
    open: { kind: "open", port, stall },
    listens: port !== undefined,
    feeds: [
      ["tasks", feeds.tasks],
      ["groups", feeds.groups],
    ],
    changed: (list, change) => ({ kind: "changed", list, change }),
    spawn,
    log,
    againText: "the status port is open again",
    died: (reason) => new CosignerError("E-STA-017", { reason }),
    notOpened: (why, cause) => new CosignerError("E-STA-001", { listen, why }, { cause }),
  })
  return {
    address: thread.address,
    beat(snapshot) {
      const made = port === undefined || snapshot === undefined ? undefined : checkedSnapshot(snapshot())
      thread.tell({ kind: "beat", snapshot: made })
      if (made !== undefined) thread.tellLists()
    },
    stop: thread.stop,
  }
}

const checkedSnapshot = ({ status, history, metrics }: PortSnapshot): PortSnapshot => ({
  metrics,
  status: checked(statusSchema, status),
  history: checked(historySchema, history),
})
