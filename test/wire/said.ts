/** A frame of each kind that nodes say, for the tests of wire and link. */
import type { FromNode } from "../../src/wire/frames.ts"

type Said<K extends FromNode["kind"]> = Extract<FromNode, { readonly kind: K }>

const digest = "ab".repeat(32)

export const report = (taskId: string): Said<"report"> => ({
  kind: "report",
  taskId,
  digest,
  type: "KeySign",
  status: 130,
  attempt: 0,
  approved: false,
  code: "",
  reason: "",
  outcome: undefined,
})

export const later = (taskId: string): Said<"later"> => ({
  kind: "later",
  taskId,
  digest,
  type: "KeySign",
  code: "E-TSK-017",
  reason: "full",
})

export const awaits = (taskId: string): Said<"awaits"> => ({
  kind: "awaits",
  taskId,
  digest,
  epoch: undefined,
  awaited: [{ kind: "request" }],
})

export const envelope = (taskId: string, bytes: Uint8Array<ArrayBuffer> = new Uint8Array(1)): Said<"envelope"> => ({
  kind: "envelope",
  taskId,
  receiver: undefined,
  envelope: bytes,
})

export const readiness: Said<"readiness"> = {
  kind: "readiness",
  code: "",
  reason: "",
  open: 0,
  most: 256,
  blocked: [],
  refresh: [],
}
