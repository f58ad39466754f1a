/**
 * The messages from the main thread to the thread of the status port: structured-cloneable data. panel/thread.ts has the
 * messages in the other direction.
 */
import type { Bytes } from "../../bytes.ts"
import type { ShelfChange } from "../../panel/feed.ts"
import type { Listen } from "../../panel/listen.ts"
import type { HistoryDocument, StatusDocument } from "./documents.ts"

export interface PortOptions {
  readonly listen: Listen
  /** SHA-256 of the bearer token, if one is asked for. */
  readonly token: Bytes | undefined
}

/** How the thread reports on stderr that the main thread stalls, since nobody else can report it then. */
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
  /** A sign of life of the main thread, with what is known; if there is no port, only the sign of life. */
  | { readonly kind: "beat"; readonly snapshot: PortSnapshot | undefined }
  | { readonly kind: "changed"; readonly list: ListName; readonly change: ShelfChange }

export type ListName = "tasks" | "groups"
