/** The identifiers that WaaS makes, in the forms of formats.md 6. */
import { randomBytes, randomInt, randomUUID } from "node:crypto"
import { copy } from "../bytes.ts"
import { newGroupId } from "../keys/groupId.ts"

export const newUuid = (): string => randomUUID()

export const newShareGroupId = (): string => newGroupId((length) => copy(randomBytes(length)))

/** 32 digits: the UTC time to the second (14 digits), and 18 random ones. */
export function newTssRequestId(nowMs: number): string {
  const second = new Date(nowMs).toISOString().replace(/\D/g, "").slice(0, 14)
  return second + Array.from({ length: 18 }, () => randomInt(10)).join("")
}
