/** The home of a node: a folder with a database, a key file and groups whose shares are real. */

import { createHash } from "node:crypto"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Bytes, copy, toHex, utf8 } from "../../src/bytes.ts"
import { type CurveName, curveNamed } from "../../src/crypto/curve.ts"
import { commitments } from "../../src/crypto/feldman.ts"
import { evaluate } from "../../src/crypto/shamir.ts"
import type { GroupPublic, GroupSecret } from "../../src/keys/group.ts"
import type { PartyId } from "../../src/keys/party.ts"
import { shareIdOf } from "../../src/keys/shareId.ts"
import { identityOf } from "../../src/mpc/envelope.ts"
import { Secret } from "../../src/secret.ts"
import { createStore, openStore, type Store } from "../../src/store/store.ts"
import { temporaryFolder } from "./temporaryFolder.ts"

export const KDF = { memoryKiB: 8, passes: 1, parallelism: 1 }
export const PASSWORD = "correct horse battery staple"
export const OTHER = "another password of the backup"
export const secret = (text: string): Secret => Secret.take(utf8(text))

export const digest = (text: string): Bytes => copy(createHash("sha256").update(text).digest())
const seedOf = (n: number): Bytes => digest(`node ${n}`)
export const partyNo = (n: number): PartyId => identityOf(seedOf(n)).party

export interface GroupOf {
  readonly curve?: CurveName
  readonly epoch?: number
  readonly otBytes?: number
}

/** The 2-of-3 group `groupId` of nodes 0, 1, 2 as node `self` prepares it. */
export function groupOf(
  groupId: string,
  self: number,
  { curve: name = "secp256k1", epoch = 0, otBytes = 40 }: GroupOf = {},
): { readonly group: GroupPublic; readonly secret: GroupSecret } {
  const curve = curveNamed(name)
  const coefficient = (k: number): bigint =>
    curve.mod(BigInt(`0x${toHex(digest(`${groupId} ${name} ${k === 0 ? 0 : epoch} ${k}`))}`))
  const polynomial = [coefficient(0), coefficient(1)]
  const parties = [0, 1, 2].map(partyNo).sort()
  const shareOf = (party: PartyId): bigint => evaluate(curve, polynomial, shareIdOf(party))
  const group: GroupPublic = {
    groupId,
    epochId: digest(`${groupId} ${name} epoch ${epoch}`),
    curve: name,
    mode: epoch === 0 ? "keygen" : "replace",
    status: "PREPARED",
    threshold: 2,
    members: parties.map((party) => ({
      party,
      shareId: shareIdOf(party),
      sharePublicKey: curve.encodePoint(curve.multiplyBase(shareOf(party))),
    })),
    commitments: commitments(curve, polynomial).map((point) => curve.encodePoint(point)),
    chainCode: digest(`${groupId} chain code`),
    createdMs: 1_795_340_000_000 + epoch,
    sid: digest(`${groupId} sid ${epoch}`),
    ackView: digest(`${groupId} view ${epoch}`),
  }
  const peers = name === "ed25519" ? [] : parties.filter((party) => party !== partyNo(self))
  return {
    group,
    secret: {
      share: Secret.take(curve.encodeScalar(shareOf(partyNo(self)))),
      pairs: peers.map((peer) => ({
        peer,
        pairId: digest(`pair ${peer}`),
        zeroSeed: Secret.take(digest(`zero ${peer}`)),
        otAlice: Secret.take(new Uint8Array(otBytes).fill(0xa1)),
        otBob: Secret.take(new Uint8Array(otBytes).fill(0xb0)),
      })),
    },
  }
}

export const ID = (n: number): string => {
  const letters = [...String(n).padStart(5, "0")].map((d) => "abcdefghij"[Number(d)]).join("")
  return `GroupGroupGroup${letters}`
}

/** Adds the group and, unless told not to, certifies it. */
export function addGroup(
  store: Store,
  self: number,
  groupId: string,
  of: GroupOf & { readonly active?: boolean } = {},
): GroupPublic {
  const made = groupOf(groupId, self, of)
  store.groups.prepare(made.group, made.secret)
  if (of.active === false) return made.group
  return store.groups.activate(groupId, made.group.epochId, [utf8("ack")])
}

export class Home implements Disposable {
  readonly path = temporaryFolder("backup").path
  readonly db: string
  readonly keyFile: string
  readonly backupKey: string
  readonly self: number

  constructor(self = 0) {
    this.self = self
    this.db = join(this.path, "db", "secrets.db")
    this.keyFile = join(this.path, "password")
    this.backupKey = join(this.path, "backup.key")
    writeFileSync(this.keyFile, PASSWORD, { mode: 0o600 })
    writeFileSync(this.backupKey, OTHER, { mode: 0o600 })
    mkdirSync(join(this.path, "backups"))
  }

  /** A database with this many groups on each curve. The callback key is none unless one is given. */
  create(groups = 1, rsaKey: Uint8Array = new Uint8Array(1200).fill(2)): Store {
    using identitySeed = Secret.take(seedOf(this.self))
    using callbackKey = Secret.from(rsaKey)
    using password = secret(PASSWORD)
    const store = createStore(this.db, password, { identitySeed, callbackKey, kdf: KDF })
    for (let n = 0; n < groups; n++) {
      addGroup(store, this.self, ID(2 * n))
      addGroup(store, this.self, ID(2 * n + 1), { curve: "ed25519" })
    }
    return store
  }

  open(readOnly = false, path = this.db): Store {
    using password = secret(PASSWORD)
    return openStore(path, password, { readOnly })
  }

  file(name: string): string {
    return join(this.path, name)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** Flags of every command on that node. */
export const flags = (home: Home): readonly string[] => ["--db", home.db, "--key-file", home.keyFile, "--json"]
