/**
 * What the main thread and the thread of the status port say to each other: structured-cloneable data. The thread asks
 * nothing: there is no message by which a question of a client could reach the main thread.
 */
import type { Bytes } from "../../bytes.ts"
import type { Listen } from "../../config/listen.ts"
import type { HistoryDocument, StatusDocument } from "./documents.ts"
import type { ShelfChange } from "./feed.ts"

export interface PortOptions {
  readonly listen: Listen
  /** SHA-256 of the bearer token, if one is asked for. */
  readonly token: Bytes | undefined
}

/** How the thread says on stderr that the main thread stalls, since nobody else can then. */
export interface StallOptions {
  readonly limitMs: number
  /** undefined: [log.std] is off. */
  readonly format: "terminal" | "logfmt" | "json" | undefined
}

export interface PortSnapshot {
  readonly status: StatusDocument
  readonly history: HistoryDocument
  /** Prometheus text. */
  readonly metrics: string
}

export type ToThread =
  | { readonly kind: "open"; readonly port: PortOptions | undefined; readonly stall: StallOptions }
  /** A sign of life of the main thread, and what is known; without a port the sign alone. */
  | { readonly kind: "beat"; readonly snapshot: PortSnapshot | undefined }
  | { readonly kind: "changed"; readonly list: ListName; readonly change: ShelfChange }

export type ListName = "tasks" | "groups"

export type FromThread =
  /** `address`: as `status.listen` has it, with the port that was really taken. */
  { readonly kind: "opened"; readonly address: string } | { readonly kind: "refused"; readonly why: string }
