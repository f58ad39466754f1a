/**
 * What the processes that serve one store agree on: who works on which request, what they ask of each other, who speaks for all. The
 * words of it; sharedPostgres.ts carries it out between processes, alone.ts for the one process of a file.
 */
import type { NodeFencingToken, WaasTask } from "./model.ts"

/** What a replica was asked about a request that another one works on. */
export type Errand =
  | { readonly kind: "cancel" }
  /** A person's word, as WaasTask.approvals has it. */
  | { readonly kind: "approval"; readonly word: string }

export interface KeptErrand {
  readonly id: string
  readonly requestId: string
  readonly errand: Errand
}

/** Ids only: whoever hears it looks into the store. */
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
  /** News may have been missed. */
  | { readonly kind: "rescan" }

/** Where a task that this process has not at work belongs; "none": it is not open any more. */
export type TaskOwner = "own" | "other" | "none"

/**
 * In it a request is called by `WaasTask.request.id`. All open tasks of a request have one owner, and a commit that changes one of
 * another's fails as a whole with E-WAA-086.
 */
export interface SharedStore {
  readonly replicaId: string
  /** Whether this process does what one does for all. Around a takeover two may think so; one of them commits nothing. */
  isLeader(): boolean
  /** How many processes serve the store, as far as this one heard last; at least 1. */
  living(): number
  /**
   * Runs `work` while no other process runs work of that name, nor this one any other of it. Throws E-WAA-088 where that took too
   * long, before `work` has begun.
   */
  exclusively<T>(name: string, work: () => Promise<T>): Promise<T>
  /**
   * Requests that nobody works on, and those that were handed to this process, are its own from now on, at most so many: all their open
   * tasks. Those of a process that is dead are nobody's.
   */
  takeOver(most: number): Promise<readonly WaasTask[]>
  ownerOf(taskId: string): Promise<TaskOwner>
  /** Keeps it for the owner of the request, durably. False if the request is not open any more. Throws E-WAA-090 for too many. */
  leaveErrand(requestId: string, errand: Errand): Promise<boolean>
  /** Those for requests of this process, in the order in which they came. One may come again after its end. */
  errands(): Promise<readonly KeptErrand[]>
  errandDone(id: string): Promise<void>
  /** What this process tells comes to its own listeners too, at once. */
  subscribe(listener: (news: StoreNews) => void): Disposable
  /** After the commit that it tells of. Best effort: it may be lost. */
  tell(news: Exclude<StoreNews, { readonly kind: "rescan" }>): void
  /**
   * Compares the node's fencing token with the latest that any process saw, and keeps it, durably. "behind": it is older. "twin":
   * another start of that node is connected to another process.
   */
  admit(nodeId: string, token: NodeFencingToken): Promise<"newest" | "behind" | "twin">
  /** A connection that was admitted has ended. Once for each. */
  left(nodeId: string, bootId: string): Promise<void>
  /** A request of this process is that of another to which the node is connected. False if there is none, or it is not ours. */
  handOver(requestId: string, nodeId: string): Promise<boolean>
  /** This process gives its work up: others take it over at once, and nothing that it commits from now on is carried out. */
  resign(): Promise<void>
}
