/**
 * Pages of lists (formats.md 7.3), newest first: `limit`, and at most one of `after` and `before`, which are cursors from an earlier page.
 * In an answer, an empty `after` means the end and an empty `before` the beginning; `before=infinity` asks for the last page.
 */
import { type Static, Type } from "@sinclair/typebox"
import { ApiFailure } from "../failure.ts"
import type { PageQuery, Slice } from "../store/store.ts"

export const pageFields = {
  limit: Type.Optional(Type.String({ pattern: "^(?:[1-9]|[1-4][0-9]|50)$", description: "1 to 50; 10 if absent" })),
  after: Type.Optional(Type.String({ maxLength: 64 })),
  before: Type.Optional(Type.String({ maxLength: 64 })),
} as const

const PageFields = Type.Object(pageFields)

/** Throws 2006 for both cursors at once, and for a cursor that WaaS did not give out. */
export function pageQuery({ limit, after, before }: Static<typeof PageFields>): PageQuery {
  if (after && before) throw new ApiFailure(2006, "query: after and before exclude each other")
  return {
    limit: Number(limit ?? "10"),
    after: after ? position(after, "after") : undefined,
    before: before === "infinity" ? before : before ? position(before, "before") : undefined,
  }
}

export const pageOf = <T>(slice: Slice<T>, shape: (item: T) => unknown): object => ({
  data: slice.items.map(shape),
  pagination: {
    before: slice.before === undefined ? "" : cursor(slice.before),
    after: slice.after === undefined ? "" : cursor(slice.after),
    total_count: slice.total,
  },
})

const cursor = (seq: number): string => Buffer.from(`row:${seq}`).toString("base64url")

function position(text: string, name: string): number {
  const row = /^row:([1-9][0-9]{0,14})$/.exec(Buffer.from(text, "base64url").toString("latin1"))?.[1]
  // One text has several spellings in base64; only the canonical one was given out.
  if (row === undefined || cursor(Number(row)) !== text) throw new ApiFailure(2006, `query.${name}: not a cursor`)
  return Number(row)
}
