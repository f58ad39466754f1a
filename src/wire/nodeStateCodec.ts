/** The bytes of the fields of the frames `awaits` (what a task waits for) and `readiness` (how ready a node is); formats.md 13.2. */
import { APPROVER_NAME } from "../approvals/statement.ts"
import { type Bytes, concat, fromHex, toHex, u8, u16be, u32be } from "../bytes.ts"
import { type ByteReader, block, flag, textBlock } from "../codec.ts"
import { groupId, TASK_ID } from "./fields.ts"
import { ALGORITHMS, type Awaits, type BlockedGroup, type Readiness } from "./frames.ts"
import { malformed } from "./json.ts"

export const MAX_CODE = 64
/** Bytes of UTF-8. Writers cut a reason to a quarter of it in UTF-16 units, each of which takes at most three bytes. */
export const MAX_REASON = 4096
/** The most groups in each list of a readiness frame. */
export const MAX_BLOCKED = 4096

export function taskId(from: ByteReader): string {
  const id = from.text(2, 64)
  return TASK_ID.test(id) ? id : malformed("taskId", "not an id")
}

const MAX_AWAITED = 64
const MAX_EPOCH = 64
const MAX_NAME = 64
/** The most names of people who have approved; further ones are left out. */
const MAX_BY = 255

export function awaitsFields({ taskId: id, digest, epoch = "", awaited: missing }: Awaits): Bytes {
  const list = missing.slice(0, MAX_AWAITED)
  return concat(
    textBlock(id),
    fromHex(digest) ?? new Uint8Array(0),
    block(fromHex(epoch) ?? new Uint8Array(0)),
    u8(list.length),
    ...list.map((one) => {
      if (one.kind === "request") return flag(false)
      const by = one.by.slice(0, MAX_BY)
      return concat(flag(true), textBlock(one.group), u16be(one.min), u8(by.length), ...by.map(textBlock))
    }),
  )
}

export function awaits(from: ByteReader): Awaits {
  const [id, digest, epoch] = [taskId(from), toHex(from.take(32)), toHex(from.block(0, MAX_EPOCH))]
  return { kind: "awaits", taskId: id, digest, epoch: epoch === "" ? undefined : epoch, awaited: awaited(from) }
}

function awaited(from: ByteReader): Awaits["awaited"] {
  const list = from.list(MAX_AWAITED, (): Awaits["awaited"][number] => {
    if (!from.flag()) return { kind: "request" }
    const group = name(from)
    return { kind: "approvals", group, min: from.u16(), by: from.list(MAX_BY, () => name(from)) }
  })
  return list.length > 0 ? list : malformed("awaited", "nothing")
}

function name(from: ByteReader): string {
  const text = from.text(2, MAX_NAME)
  return APPROVER_NAME.test(text) ? text : malformed("name", "not one of a person or a group")
}

export function readinessFields({ code, reason, open, most, blocked, refresh }: Readiness): Bytes {
  return concat(
    textBlock(code),
    textBlock(reason.slice(0, MAX_REASON / 4)),
    u32be(open),
    u32be(most),
    u32be(blocked.length),
    ...blocked.map((one) => concat(textBlock(one.groupId), u8(ALGORITHMS.indexOf(one.algorithm)), textBlock(one.code))),
    u32be(refresh.length),
    ...refresh.map(textBlock),
  )
}

export function readiness(from: ByteReader): Readiness {
  const [code, reason, open, most] = [from.text(2, MAX_CODE), from.text(2, MAX_REASON), from.u32(), from.u32()]
  const count = from.u32()
  if (count > MAX_BLOCKED) malformed("blocked", `more than ${MAX_BLOCKED}`)
  const blocked = Array.from(
    { length: count },
    (): BlockedGroup => ({
      groupId: groupId(from.text(2, 64), "groupId"),
      algorithm: ALGORITHMS[from.u8()] ?? malformed("algorithm", "not known"),
      code: from.text(2, MAX_CODE),
    }),
  )
  const due = from.u32()
  if (due > MAX_BLOCKED) malformed("refresh", `more than ${MAX_BLOCKED}`)
  const refresh = Array.from({ length: due }, () => groupId(from.text(2, 64), "groupId"))
  return { kind: "readiness", code, reason, open, most, blocked, refresh }
}
