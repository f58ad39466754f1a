/**
 * The secrets that a set of nodes had, read out of copies of their databases with their passwords: identity seeds, entropy,
 * RSA keys, data keys, and of every epoch that was ever copied the share, the OT seeds, the zero seeds; and the root keys that
 * shares of enough nodes make, which were never anywhere.
 *
 * Copies are plain ones, taken beside the running node without asking it: one that was torn does not open, and the next one does.
 */

import { createPrivateKey, type KeyObject } from "node:crypto"
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../../src/bytes.ts"
import { curveNamed } from "../../../src/crypto/curve.ts"
import { lagrange } from "../../../src/crypto/shamir.ts"
import { type GroupPublic, wipeGroupSecret } from "../../../src/keys/group.ts"
import { identityOf } from "../../../src/mpc/envelope.ts"
import { Secret } from "../../../src/secret.ts"
import { SecretsFile } from "../../../src/store/file.ts"
import { openHeader } from "../../../src/store/rows.ts"
import { RecordSealer } from "../../../src/store/seal.ts"
import { Store } from "../../../src/store/store.ts"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import type { LeakScanner } from "./leakScanner.ts"

interface Copy {
  readonly node: string
  readonly path: string
  readonly password: Uint8Array
}

interface Share {
  readonly group: GroupPublic
  readonly shareId: bigint
  readonly scalar: bigint
}

/** The first bytes of an OT state are a hash of its session's name. */
const OT_NAME_BYTES = 32
const HEADER_ID = new Uint8Array(32)
/** d, and what makes computing with it faster; n and e are the public key. */
const RSA_PRIVATE = ["d", "p", "q", "dp", "dq", "qi"] as const

export class Databases implements Disposable {
  readonly #folder = temporaryFolder("copies").path
  readonly #copies: Copy[] = []
  readonly #last = new Map<string, string>()

  /** Copies `db/secrets.db` of a node's folder, if it is there and has changed; `.password` beside it opens it. */
  copy(node: string, dir: string): void {
    const from = join(dir, "db")
    const file = join(from, "secrets.db")
    const key = join(dir, ".password")
    if (!existsSync(file) || !existsSync(key)) return
    const { ino, size, mtimeMs } = statSync(file)
    const state = `${ino} ${size} ${mtimeMs}`
    if (this.#last.get(file) === state) return
    const to = join(this.#folder, String(this.#copies.length))
    try {
      mkdirSync(to)
      for (const name of ["secrets.db", "secrets.db-wal"]) {
        if (existsSync(join(from, name))) cpSync(join(from, name), join(to, name))
      }
      this.#copies.push({ node, path: join(to, "secrets.db"), password: readFileSync(key) })
      this.#last.set(file, state)
    } catch {
      // removed or renamed under our hands; the next look finds what is there then
      rmSync(to, { recursive: true, force: true })
    }
  }

  /** Tells the leakScanner all of it; how many databases of how many nodes were opened. */
  tell(leakScanner: LeakScanner): { readonly opened: number; readonly nodes: ReadonlySet<string> } {
    const keys = new Map<string, Secret>()
    const shares = new Map<string, Share>()
    const nodes = new Set<string>()
    let opened = 0
    for (const { node, path, password } of this.#copies) {
      leakScanner.secret(`password of ${node}`, password)
      const store = openCopy(path, password, keys)
      if (store === undefined) continue
      opened++
      nodes.add(node)
      tellStore(leakScanner, node, store, shares)
      store.close()
    }
    for (const [i, key] of [...keys.values()].entries()) {
      leakScanner.secret(`data key ${i}`, key.expose())
      key.wipe()
    }
    tellRoots(leakScanner, [...shares.values()])
    return { opened, nodes }
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** As openStore does, but with one key derivation for all copies that have the same header. */
function openCopy(path: string, password: Uint8Array, keys: Map<string, Secret>): Store | undefined {
  try {
    const file = SecretsFile.open(path, true)
    const header = file.sql.get.get(HEADER_ID)?.box
    if (header === undefined) return undefined
    const name = toHex(Uint8Array.from(header))
    using secret = Secret.from(password)
    const key = keys.get(name) ?? openHeader(file, secret)
    keys.set(name, key)
    const dataKey = Secret.from(key.expose())
    return new Store(file, dataKey, new RecordSealer(dataKey))
  } catch {
    return undefined
  }
}

function tellStore(leakScanner: LeakScanner, node: string, store: Store, shares: Map<string, Share>): void {
  using seed = store.identity()
  using entropy = store.entropy()
  using callbackKey = store.callbackKey()
  using eventKey = store.eventKey()
  using auditKey = store.audit.key()
  leakScanner.secret(`identity seed of ${node}`, seed.expose())
  leakScanner.secret(`entropy of ${node}`, entropy.expose())
  if (auditKey !== undefined) leakScanner.secret(`log key of ${node}`, auditKey.expose())
  tellRsa(leakScanner, `callback key of ${node}`, callbackKey)
  if (eventKey !== undefined) tellRsa(leakScanner, `event key of ${node}`, eventKey)
  const { party } = identityOf(Uint8Array.from(seed.expose()))
  for (const group of store.groups.list()) {
    const member = group.members.find((groupMember) => groupMember.party === party)
    if (group.status === "ERASED" || member === undefined) continue
    const secret = store.groups.open(group.groupId, group.epochId)
    const name = `of ${node} in ${group.curve} epoch ${toHex(group.epochId).slice(0, 8)}`
    const bytes = secret.share.expose()
    const scalar = curveNamed(group.curve).decodeScalar(bytes)
    leakScanner.secret(`share ${name}`, bytes)
    if (scalar !== undefined) shares.set(name, { group, shareId: member.shareId, scalar })
    for (const pair of secret.pairs) {
      leakScanner.secret(`zero seed ${name}`, pair.zeroSeed.expose())
      for (const state of [pair.otAlice, pair.otBob]) {
        if (state !== undefined) leakScanner.secret(`OT state ${name}`, state.expose().subarray(OT_NAME_BYTES))
      }
    }
    wipeGroupSecret(secret)
  }
}

/** Of a key, or of its PKCS#8 bytes. */
export function tellRsa(leakScanner: LeakScanner, name: string, key: Secret | KeyObject): void {
  const opened =
    key instanceof Secret ? createPrivateKey({ key: Buffer.from(key.expose()), format: "der", type: "pkcs8" }) : key
  const jwk = opened.export({ format: "jwk" })
  for (const part of RSA_PRIVATE) leakScanner.secret(`${part} of ${name}`, Buffer.from(String(jwk[part]), "base64url"))
}

/** f(0) of the shares of each epoch, where there are enough. */
function tellRoots(leakScanner: LeakScanner, shares: readonly Share[]): void {
  const epochs = Map.groupBy(shares, ({ group }) => `${group.groupId} ${toHex(group.epochId)}`)
  for (const members of epochs.values()) {
    const group = members[0]?.group
    if (group === undefined || members.length < group.threshold) continue
    const curve = curveNamed(group.curve)
    const chosen = members.slice(0, group.threshold)
    const factors = lagrange(
      curve,
      chosen.map(({ shareId }) => shareId),
    )
    const root = chosen.reduce((sum, { scalar }, i) => curve.mod(sum + scalar * (factors[i] ?? 0n)), 0n)
    const bytes = curve.encodeScalar(root)
    if (toHex(curve.encodePoint(curve.multiplyBase(root))) !== toHex(group.commitments[0] ?? bytes)) {
      throw new Error("shares that do not make the root key")
    }
    leakScanner.secret(`root private key on ${group.curve}`, bytes)
  }
}
