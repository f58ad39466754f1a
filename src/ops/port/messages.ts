/** What the main thread and the thread of the status port say to each other: structured-cloneable data. */
import type { Bytes } from "../../bytes.ts"
import type { Listen } from "../../config/listen.ts"
import type { GroupsQuery, HistoryDocument, StatusDocument, TasksQuery } from "./documents.ts"

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
}

/** What only the main thread can answer. */
export type Question =
  | { readonly kind: "tasks"; readonly query: TasksQuery }
  | { readonly kind: "groups"; readonly query: GroupsQuery }
  | { readonly kind: "metrics" }

export type ToThread =
  | { readonly kind: "open"; readonly port: PortOptions | undefined; readonly stall: StallOptions }
  /** A sign of life of the main thread, and what is known; without a port the sign alone. */
  | { readonly kind: "beat"; readonly snapshot: PortSnapshot | undefined }
  | { readonly kind: "answer"; readonly id: number; readonly body: string | undefined }

export type FromThread =
  /** `address`: as `status.listen` has it, with the port that was really taken. */
  | { readonly kind: "opened"; readonly address: string }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "ask"; readonly id: number; readonly question: Question }
