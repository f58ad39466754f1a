/**
 * A node's statement about a group that it imported from a recovery file: the public record, signed with the node's identity
 * (threshold.md 6.5). WaaS accepts a group from the records of all its members, which must be the same bytes.
 */
import { type Bytes, equal, fromHex, toHex } from "../bytes.ts"
import { verifyEd25519 } from "../crypto/ed25519.ts"
import { frame } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { checkGroup, type GroupPublic, memberOf } from "./group.ts"
import { decodeGroupPublic, encodeGroupPublic } from "./groupCodec.ts"
import { type PartyId, partyBytes } from "./party.ts"

export interface ImportRecord {
  readonly party: PartyId
  /** encodeGroupPublic of the record, hex. */
  readonly group: string
  /** Hex of 64 bytes over frame("import/record"; record). */
  readonly signature: string
}

export function importRecord(group: GroupPublic, party: PartyId, sign: (bytes: Bytes) => Bytes): ImportRecord {
  const record = encodeGroupPublic(asImported(group))
  return { party, group: toHex(record), signature: toHex(sign(frame("import/record", record))) }
}

/** The record as it was when it was imported, whatever happened since: every member gives the same bytes at any time. */
const asImported = (group: GroupPublic): GroupPublic => ({ ...group, status: "ACTIVE", certificate: [] })

/**
 * The group of these records. Throws E-KEY-038 unless there is one record of each member, signed by that member, all have the same bytes,
 * and they are a sound record of an import.
 */
export function groupOfRecords(records: readonly ImportRecord[]): GroupPublic {
  const [first] = records
  const wrong = (reason: string) => new CosignerError("E-KEY-038", { reason })
  const bytes = fromHex(first?.group ?? "")
  const group = bytes && decodeGroupPublic(bytes)
  if (bytes === undefined || group === undefined || group.mode !== "import")
    throw wrong("a record is none of an import")
  for (const { party, group: text, signature } of records) {
    const theirs = fromHex(text)
    if (theirs === undefined || !equal(theirs, bytes)) throw wrong("the nodes recorded different groups")
    const signed = fromHex(signature)
    if (signed === undefined || !verifyEd25519(partyBytes(party), frame("import/record", bytes), signed)) {
      throw wrong(`the record of ${party} is not signed by it`)
    }
    if (memberOf(group, party) === undefined) throw wrong(`${party} is no member of the group`)
  }
  const isComplete =
    records.length === group.members.length && new Set(records.map(({ party }) => party)).size === records.length
  if (!isComplete) throw wrong(`it takes one record of each of the ${group.members.length} members`)
  if (group.certificate?.length !== 0 || group.status !== "ACTIVE" || group.createdMs !== 0) {
    throw wrong("a record is none of an import")
  }
  checkGroup(group)
  return group
}
