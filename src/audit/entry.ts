/**
 * What a leaf of the log says: one JSON document, with its keys sorted at every depth, in one line of bounded length. Owns the
 * kinds of leaves. docs/spec/audit.md lists the facts of each kind; the code that records a leaf supplies them.
 */
import { type Bytes, toHex, utf8 } from "../bytes.ts"
import { decodeUtf8, Malformed } from "../codec.ts"
import { sha256 } from "../crypto/frame.ts"

export const AUDIT_KINDS = [
  // the node
  "start",
  "stop",
  "clock",
  "config",
  // tasks
  "decision",
  "share",
  "end",
  "refusals",
  // what people decide
  "approval",
  "policy",
  "freeze",
  "unfreeze",
  // copies
  "backup",
  "restore",
  "rollback",
  // administration
  "command",
  "password",
  "import",
  "pardon",
  // the log itself
  "prune",
  "contradiction",
] as const
export type AuditKind = (typeof AUDIT_KINDS)[number]

type AuditScalar = string | number | boolean
/** A field that is undefined is left out. */
export type AuditValue = AuditScalar | undefined | readonly AuditValue[] | { readonly [name: string]: AuditValue }

/** An act or a decision. `facts` must hold no secret: auditors get exports. */
export interface AuditEntry {
  readonly kind: AuditKind
  readonly facts: { readonly [name: string]: AuditValue }
}

export interface AuditLeaf extends AuditEntry {
  readonly seq: number
  /** By this node's clock, ms since 1970. */
  readonly atMs: number
}

/** The version of the document. */
const VERSION = 1
/** Bytes of a whole leaf. */
export const MAX_LEAF = 2816
const MAX_TEXT = 1024
const MAX_ITEMS = 64

/** The bytes of a leaf. A value that is too long for a leaf is cut, and the leaf says so. Throws only for a bug. */
export function leafBytes({ kind, facts, seq, atMs }: AuditLeaf): Bytes {
  const made = (said: AuditValue): string => canonical({ at: atMs, facts: said, kind, seq, v: VERSION })
  const whole = canonical(facts)
  for (const most of [MAX_TEXT, 256, 64]) {
    const cut = bounded(facts, most)
    const text = made(canonical(cut) === whole ? cut : { ...cut, cut: toHex(sha256(utf8(whole))) })
    if (Buffer.byteLength(text) <= MAX_LEAF) return utf8(text)
  }
  const least = { cut: toHex(sha256(utf8(whole))) }
  const text = made({ ...least, ...scalars(facts) })
  return utf8(Buffer.byteLength(text) <= MAX_LEAF ? text : made(least))
}

/** Reads exactly what `leafBytes` writes. Throws Malformed for anything else. */
export function parseLeaf(bytes: Uint8Array): AuditLeaf {
  const text = decodeUtf8(bytes, "leaf")
  if (bytes.length > MAX_LEAF) throw new Malformed("a leaf is too long")
  const value = inOneForm(text)
  const { at, facts, kind: name, seq, v, ...more } = value
  const kind = AUDIT_KINDS.find((known) => known === name)
  const isOurs = v === VERSION && isRecord(facts) && kind !== undefined && Object.keys(more).length === 0
  if (!isOurs || typeof seq !== "number" || typeof at !== "number") {
    throw new Malformed("a leaf is not one of this version")
  }
  return { kind, facts, seq, atMs: at }
}

function inOneForm(text: string): AuditRecord {
  try {
    const value: unknown = JSON.parse(text)
    if (isRecord(value) && canonical(value) === text) return value
  } catch {}
  throw new Malformed("a leaf is not JSON in its one form")
}

type AuditRecord = Readonly<Record<string, AuditValue>>

/** Apart from null, JSON yields no other kinds of values than these. */
const isRecord = (value: unknown): value is AuditRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** JSON with sorted keys. Throws TypeError for a number that is not whole, and for null. */
export function canonical(value: unknown): string {
  if (Array.isArray(value))
    return `[${value
      .filter((item) => item !== undefined)
      .map(canonical)
      .join(",")}]`
  if (isRecord(value)) {
    const keys = Object.keys(value).sort()
    const said = keys.filter((key) => value[key] !== undefined)
    return `{${said.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`
  }
  if (typeof value === "string") return JSON.stringify(value.toWellFormed())
  if (typeof value === "boolean" || Number.isSafeInteger(value)) return String(value)
  throw new TypeError(`a leaf does not say ${typeof value}`)
}

function bounded(value: AuditRecord, most: number): AuditRecord
function bounded(value: AuditValue, most: number): AuditValue
function bounded(value: AuditValue, most: number): AuditValue {
  if (typeof value === "string") return value.length > most ? `${value.slice(0, most).toWellFormed()}…` : value
  if (isList(value)) return value.slice(0, Math.min(MAX_ITEMS, most)).map((item) => bounded(item, most))
  if (typeof value !== "object") return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, bounded(item, most)]))
}

const isList = (value: AuditValue): value is readonly AuditValue[] => Array.isArray(value)

/** Only the short facts, for a leaf that does not fit in any other way. */
const scalars = (facts: AuditRecord): AuditRecord =>
  Object.fromEntries(
    Object.entries(facts)
      .filter(([, value]) => typeof value !== "object")
      .slice(0, 16)
      .map(([name, value]) => [name.slice(0, 64), bounded(value, 64)]),
  )
