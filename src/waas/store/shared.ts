/**
 * What the processes (replicas) that serve one store agree on: which of them works on which request, what they leave for each other, and
 * which one leads. Types only: sharedPostgres.ts implements them for several processes, alone.ts for one.
 */
import type { NodeFencingToken, WaasTask } from "./model.ts"

/** An order of a caller for a request, left by a replica that does not work on it for the one that does. */
export type Errand =
  | { readonly kind: "cancel" }
  /** An approver's signed statement, in the form of WaasTask.approvals. */
  | { readonly kind: "approval"; readonly word: string }

export interface KeptErrand {
  readonly id: string
  readonly requestId: string
  readonly errand: Errand
}

/** What replicas tell each other. It holds ids only: listeners read the rest from the store. */
export type StoreNews =
  /** A request has ended. */
  | { readonly kind: "ended"; readonly requestId: string }
  /** There are errands for this process. */
  | { readonly kind: "errands" }
  /** There is work for `takeOver`. */
  | { readonly kind: "orphans" }
  /** A node became known. */
  | { readonly kind: "nodes" }
  /** Webhook events were written. */
  | { readonly kind: "webhooks" }
  /** News may have been lost: listeners must look for everything. */
  | { readonly kind: "rescan" }

/** Which process works on a task; "none": none does, because the task is not live any more. */
export type TaskOwner = "own" | "other" | "none"

/**
 * A `requestId` here is a `WaasTask.request.id`. All live tasks of a request have one owner, the process that works on them. A commit that
 * changes a live task of another owner fails as a whole with E-WAA-086.
 */
export interface SharedStore {
  readonly replicaId: string
  /** Whether this process does the work that one does for all. Around a takeover two may believe so, but only one of them can commit. */
  isLeader(): boolean
  /** How many processes serve the store, as far as this one knows; at least 1. */
  living(): number
  /**
   * Runs `work` while no other work under this name runs, in this process or another. Throws E-WAA-088 if its turn did not come in time;
   * `work` has not begun then.
   */
  exclusively<T>(name: string, work: () => Promise<T>): Promise<T>
  /**
   * Makes this process the owner of requests that no living process works on, and of those that were handed to it; at most `most`. Returns
   * all their live tasks.
   */
  takeOver(most: number): Promise<readonly WaasTask[]>
  ownerOf(taskId: string): Promise<TaskOwner>
  /** Stores the errand for the owner of the request. False if no task of the request is live. Throws E-WAA-090 if too many wait for it. */
  leaveErrand(requestId: string, errand: Errand): Promise<boolean>
  /** The errands for requests of this process, in the order in which they came. An errand may come again after `errandDone`. */
  errands(): Promise<readonly KeptErrand[]>
  errandDone(id: string): Promise<void>
  /** Calls the listener with news of other processes and, at once, with those that this process tells. */
  subscribe(listener: (news: StoreNews) => void): Disposable
  /** Tells all processes; to be called after the commit that it is about. Best effort: the news may be lost. */
  tell(news: Exclude<StoreNews, { readonly kind: "rescan" }>): void
  /**
   * Compares the node's fencing token with the newest that any process has seen. "newest": the token is stored. "behind": it is older
   * than that. "twin": another start of the node is connected to another living process.
   */
  admit(nodeId: string, token: NodeFencingToken): Promise<"newest" | "behind" | "twin">
  /** A connection that was admitted has ended. To be called once for each. */
  left(nodeId: string, bootId: string): Promise<void>
  /** Hands a request of this process to another one to which the node is connected. False if there is none, or the request is not ours. */
  handOver(requestId: string, nodeId: string): Promise<boolean>
  /** Gives up all work of this process: others take it over at once, and none of its later commits is carried out. */
  resign(): Promise<void>
}
