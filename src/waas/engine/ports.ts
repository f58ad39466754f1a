/** What the engine needs from outside: the relay, the signing key, how fast and how much it may ask of nodes; and why requests end. */
import type { CosignerError } from "../../errors.ts"
import type { SignedDocument, ToNode } from "../../wire/frames.ts"
import type { CancelDocument, StartDocument } from "../../wire/signed.ts"
import type { Task } from "../../wire/task.ts"

export interface RelayPort {
  /** Queues a frame for a node. It may be lost: the engine repeats what still matters, each nudgeMs and when the node comes online. */
  send(nodeId: string, frame: ToNode): void
  online(nodeId: string): boolean
  /** Time since anything came from the node, ms; undefined while it is offline. */
  silentMs(nodeId: string): number | undefined
}

/** Signs documents with WaaS's key; as a promise where the key is elsewhere. `task` throws E-LNK-020 for a task that nodes would refuse. */
export interface Documents {
  task(task: Task): SignedDocument | Promise<SignedDocument>
  start(startDocument: StartDocument): SignedDocument | Promise<SignedDocument>
  cancel(cancelDocument: CancelDocument): SignedDocument | Promise<SignedDocument>
}

export interface Pace {
  /** The most attempts of one task. In practice its deadline comes sooner. */
  readonly attempts: number
  /** An attempt without a result after this long is ended, and another begins. */
  readonly attemptMs: number
  /** Pause before the second attempt; doubles with each further one, up to half a minute. */
  readonly retryMs: number
  /** A node that owes an answer counts as silent when nothing has come from it for this long; others sign in its place where they can. */
  readonly silentMs: number
  /** A node that is not silent, but has not approved or signed within this time, is slow; others sign in its place where they can. */
  readonly slowMs: number
  /** How long a node that said "later" is asked for nothing new. The pause for the same task doubles each time. */
  readonly laterMs: number
  /** How often frames are repeated to nodes that owe an answer: frames and reports may be lost. */
  readonly nudgeMs: number
}

/** How much WaaS asks of one node at a time. */
export interface Windows {
  /** Tasks that wait for its approval or run, of the 256 that a node takes. */
  readonly asked: number
  /** Sessions of it that run. */
  readonly running: number
}

/** Why a request did not succeed, as its record says it: an E-… code and its sentence. */
export interface EndReason {
  readonly code: string
  readonly reason: string
}

export const endedBy = (error: CosignerError): EndReason => ({ code: error.code, reason: error.message })
