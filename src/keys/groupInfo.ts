/**
 * A group as text: the block of `info group` that people and scripts know (formats.md 4.2), and the spellings that it
 * shares with the recovery file. Only builds strings; the command adds the heading and our own lines around the block.
 */
import { toHex } from "../bytes.ts"
import type { CurveName } from "../crypto/curve.ts"
import { type GroupMember, type GroupPublic, memberOf, rootExtendedPublicKey } from "./group.ts"
import type { PartyId } from "./party.ts"

/** TSSGroupType: 1 ECDSA, 2 EdDSA. */
export const groupType = (curve: CurveName): 1 | 2 => (curve === "secp256k1" ? 1 : 2)

/** `0x` hex of the encoded point, 33 bytes on secp256k1 and 32 on Ed25519; the same spelling wherever files are compared. */
export const sharePublicKeyText = (publicKey: Uint8Array): string => `0x${toHex(publicKey)}`

/** Members in the order of the block and of the recovery file: ascending share id. */
export const byShareId = (members: readonly GroupMember[]): readonly GroupMember[] =>
  [...members].sort((a, b) => (a.shareId < b.shareId ? -1 : 1))

/** The lines of the block, each indented by four spaces. `nodeIdOf` gives the printed form of a node id. */
export function formatGroupInfo(
  group: GroupPublic,
  self: PartyId,
  nodeIdOf: (party: PartyId) => string,
): readonly string[] {
  const members = byShareId(group.members)
  const own = memberOf(group, self)
  const others = members.filter(({ party }) => party !== self).map(({ party }) => nodeIdOf(party))
  const keyOf = (member: GroupMember | undefined) =>
    member === undefined ? "" : sharePublicKeyText(member.sharePublicKey)
  const lines = [
    `Group ID: ${group.groupId}`,
    `Created Time: ${goTime(group.createdMs)}`,
    `Root Extended Public Key: ${rootExtendedPublicKey(group)}`,
    `ChainCode: 0x${toHex(group.chainCode)}`,
    `Share ID: ${own?.shareId ?? ""}`,
    `Share Public Key: ${keyOf(own)}`,
    `Type: ${groupType(group.curve)}`,
    `Curve: ${group.curve}`,
    `Threshold: ${group.threshold}`,
    `Local Node ID: ${nodeIdOf(self)}`,
    `Other Node IDs: [${others.join(" ")}]`,
    `Participants: ${members.length}`,
    ...members.flatMap((member, i) => [
      `(${i + 1}) Node ID: ${nodeIdOf(member.party)}`,
      `    Share ID: ${member.shareId}`,
      `    Share Public Key: ${keyOf(member)}`,
    ]),
  ]
  return lines.map((line) => `    ${line}`)
}

const DAY_MS = 86_400_000

/** Milliseconds since 1970 as Go prints a UTC time: `2023-01-09 09:42:21.391 +0000 UTC`. */
export function goTime(ms: number): string {
  if (!Number.isSafeInteger(ms) || ms < 0) throw new RangeError(`${ms} is not a time after 1970 in milliseconds`)
  const { year, month, day } = civil(Math.floor(ms / DAY_MS))
  const rest = ms % DAY_MS
  const clock = [Math.floor(rest / 3_600_000), Math.floor(rest / 60_000) % 60, Math.floor(rest / 1000) % 60]
  const fraction = String(rest % 1000)
    .padStart(3, "0")
    .replace(/0+$/, "")
  const two = (value: number) => String(value).padStart(2, "0")
  const date = `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`
  return `${date} ${clock.map(two).join(":")}${fraction === "" ? "" : `.${fraction}`} +0000 UTC`
}

/** The Gregorian date of a day since 1970-01-01, counted in years that begin in March, so that the leap day is the last. */
function civil(daysSince1970: number): { readonly year: number; readonly month: number; readonly day: number } {
  const days = daysSince1970 + 719_468
  const era = Math.floor(days / 146_097)
  const ofEra = days % 146_097
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  )
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const fromMarch = Math.floor((5 * ofYear + 2) / 153)
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  return {
    year: 400 * era + yearOfEra + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * fromMarch + 2) / 5) + 1,
  }
}
