/** Recovery files for tests: real shares, sealed with few iterations, and single fields of them changed. */
import { utf8 } from "../../src/bytes.ts"
import { curveNamed } from "../../src/crypto/curve.ts"
import { OpeningKeys } from "../../src/keys/recoveryBox.ts"
import { encodeRecoveryFile, parseRecoveryFile, type RecoveryGroup } from "../../src/keys/recoveryFile.ts"
import { type ProvenShare, proveShare } from "../../src/keys/recoverySet.ts"
import { Secret } from "../../src/secret.ts"
import { type Dealt, stream } from "./groups.ts"

export const PASSWORD = "sixteen letters!"
export const secret = (text: string): Secret => Secret.take(utf8(text))
export const nodeIdOf = (party: string): string => `node-${party.slice(0, 8)}`

/** The file of one member, for all of the groups given. */
export function fileOf(dealt: readonly Dealt[], member: number, password = PASSWORD, iterations = 10): string {
  const shares = dealt.map(({ group, shares: all }) => {
    const self = group.members[member]!.party
    return { group, self, share: Secret.take(curveNamed(group.curve).encodeScalar(all.get(self)!)) }
  })
  return encodeRecoveryFile(shares, secret(password), stream(`file ${member}`), nodeIdOf, iterations)
}

/** One parsed group of one member's file. */
export const groupOf = (dealt: Dealt, member: number): RecoveryGroup =>
  parseRecoveryFile(fileOf([dealt], member), `file ${member}`)[0]!

export function prove(group: RecoveryGroup, password = PASSWORD): ProvenShare {
  using keys = new OpeningKeys(secret(password))
  return proveShare(group, keys)
}

type Json = { [name: string]: unknown }

/** The text of a file with one field set, or taken away by `undefined`; `path` walks through objects and lists. */
export function withField(text: string, path: readonly (string | number)[], value: unknown): string {
  const top: unknown = JSON.parse(text)
  let at = top as Json
  for (const step of path.slice(0, -1)) at = at[step] as Json
  at[path.at(-1)!] = value
  return JSON.stringify(top)
}
