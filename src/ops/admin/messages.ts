/** The messages between the main thread and the thread of the admin socket: structured-cloneable data, and no secret. */
import type { Bytes } from "../../bytes.ts"
import type { Shown } from "../inventory/shown.ts"
import type { AdminPeer } from "./place.ts"
import type { AdminAnswer, AdminCommand } from "./protocol.ts"

/** One line of the log: who asked for what, and how it ended. */
export interface AdminTold {
  readonly command: AdminCommand["command"]
  /** `done`, `permitted`, or the code of the error. */
  readonly outcome: string
  readonly peer: AdminPeer | undefined
}

/** Requests that only the main thread can carry out. */
export type AdminQuestion =
  | { readonly kind: "carryOut"; readonly command: AdminCommand }
  /** The clear header of the database, to compare a password with. */
  | { readonly kind: "header" }
  /** Replaces the header `before` by `header`, which has the data key under another password. */
  | { readonly kind: "replaceHeader"; readonly before: Bytes; readonly header: Bytes }
  /** A line for the log. It is written before the command learns how it ended. */
  | { readonly kind: "tell"; readonly told: AdminTold }

export type AdminReply =
  | { readonly kind: "answer"; readonly answer: AdminAnswer }
  | { readonly kind: "header"; readonly header: Bytes; readonly path: string }

export interface AdminLimits {
  /** Time for a whole request to arrive, and for its answer to be read, in ms. */
  readonly requestMs: number
  /** Time for the main thread to answer, in ms. */
  readonly replyMs: number
}

export interface OpenAdmin {
  readonly kind: "open"
  readonly path: string
  readonly address: string
  readonly uid: number
  readonly limits: AdminLimits
}

export type ToAdmin = OpenAdmin | { readonly kind: "reply"; readonly id: number; readonly reply: AdminReply }

export type FromAdmin =
  | { readonly kind: "opened" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "ask"; readonly id: number; readonly question: AdminQuestion }

export const NOTHING: Shown = { value: null, lines: [] }
