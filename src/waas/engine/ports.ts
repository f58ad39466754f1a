/** What the engine needs of the world, as types of functions: the relay, the signing key, the clock. */
import type { CosignerError } from "../../errors.ts"
import type { SignedDocument, ToNode } from "../../wire/frames.ts"
import type { CancelDocument, StartDocument } from "../../wire/signed.ts"
import type { Task } from "../../wire/task.ts"

export interface RelayPort {
  /** Queues a frame for a node. It may be lost: the engine says again what still matters, and when the node comes online. */
  send(nodeId: string, frame: ToNode): void
  online(nodeId: string): boolean
  /** Since the node was heard last, ms; undefined while it is offline. */
  silentMs(nodeId: string): number | undefined
}

/** Documents signed with WaaS's key. `task` throws E-LNK-020 for a task that nodes would refuse to read. */
export interface Documents {
  task(task: Task): SignedDocument | Promise<SignedDocument>
  start(startDocument: StartDocument): SignedDocument | Promise<SignedDocument>
  cancel(cancelDocument: CancelDocument): SignedDocument | Promise<SignedDocument>
}

export interface Pace {
  /** How often a task that ends without a result is begun, in all; its deadline comes sooner. */
  readonly attempts: number
  /** An attempt without an ending after this long is begun again. */
  readonly attemptMs: number
  /** Pause before the second attempt; doubles with each, up to half a minute. */
  readonly retryMs: number
  /** A node from which nothing is heard for so long, while it owes a word, is gone on without. */
  readonly silentMs: number
  /** A node that speaks, and still has not decided or signed after so long, is gone on without where another can. */
  readonly slowMs: number
  /** How long a node that said "later" is left alone. */
  readonly laterMs: number
  /** How often nodes that owe something are told again what they were told: frames and reports may be lost. */
  readonly nudgeMs: number
}

/** Tasks of one node that wait for its approval or run, of the 256 that a node takes; and sessions of it that run at one time. */
export interface Windows {
  readonly asked: number
  readonly running: number
}

/** An E-… code and its sentence, as a request carries them. */
export interface EndReason {
  readonly code: string
  readonly reason: string
}

export const endedBy = (error: CosignerError): EndReason => ({ code: error.code, reason: error.message })
