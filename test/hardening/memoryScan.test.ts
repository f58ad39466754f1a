/**
 * What a node leaves in its memory of the secrets that it made and signed with, read from outside: the compiled binary, a key generation,
 * six signatures, and the moment ten seconds later. Needs the right to read the memory of a process that has taken tracing away from itself.
 */
import { expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { readdirSync, readFileSync, readlinkSync, realpathSync } from "node:fs"
import { join } from "node:path"
import { expandAlice, expandBob } from "../../src/crypto/pprf.ts"
import { wipeGroupSecret } from "../../src/keys/group.ts"
import type { DeployedNode } from "../../src/kit/demo/deployment.ts"
import { ethereum, signed, taproot } from "../../src/kit/demo/signatures.ts"
import { Secret } from "../../src/secret.ts"
import { openStore } from "../../src/store/store.ts"
import { parseNodeId } from "../../src/wire/nodeId.ts"
import { readyVault, testDeployment } from "../e2e/deployment.ts"
import { countIn, whyUnreadable } from "./memory.ts"

const SIGNATURES = 6
/** Time for the collector to come by, and for what a session forgot to be overwritten: what is left then stays. */
const PAUSE_MS = 10_000
/** A share becomes an integer when the host compares it with the record, and when the protocol begins. */
const CONVERSIONS_PER_SIGNATURE = 2
/** In the key generation it is summed up, multiplied with the base point, and encoded. */
const CONVERSIONS_OF_SET_UP = 3
/** The key generation of two nodes has one trial signature (threshold.md 3.8), which begins as any other does. */
const CONVERSIONS_OF_TRIAL = 1

const why = whyUnreadable()
if (why !== undefined) console.error(`skipped: a node's memory cannot be searched: ${why}`)

const BIG_ENDIAN = "share, big-endian"
const LIMBS = "share, limbs of BigInts"
const PUBLIC = "public share, which must be found"

/** By name, what to look for: the share of the secp256k1 group in every form, and the pair's state with what grows from it. */
function needlesOf({ dir, nodeId }: DeployedNode): ReadonlyMap<string, Uint8Array> {
  using password = Secret.from(readFileSync(join(dir, ".password")))
  using store = openStore(join(dir, "db", "secrets.db"), password, { readOnly: true })
  const group = store.groups.list().find(({ curve }) => curve === "secp256k1")
  const member = group?.members.find(({ party }) => party === parseNodeId(nodeId))
  if (group === undefined || member === undefined) throw new Error("no group")
  const secret = store.groups.open(group.groupId, group.epochId)
  const [pair] = secret.pairs
  if (pair?.otAlice === undefined || pair.otBob === undefined) throw new Error("no pair")
  const share = Uint8Array.from(secret.share.expose())
  const hex = Buffer.from(share).toString("hex")
  const reversedHex = Buffer.from(share.toReversed()).toString("hex")
  const some = (bytes: Uint8Array) => bytes.slice(64, 96)
  const needles = new Map([
    [PUBLIC, member.sharePublicKey],
    [BIG_ENDIAN, share],
    [LIMBS, share.toReversed()],
    ["share, hex", Buffer.from(hex)],
    ["share, hex in two bytes a character", Buffer.from(hex, "utf16le")],
    ["share, capital hex", Buffer.from(hex.toUpperCase())],
    ["share, hex of the reversed bytes", Buffer.from(reversedHex)],
    ["share, base64", Buffer.from(Buffer.from(share).toString("base64").slice(0, 42))],
    ["zero-share seed", Uint8Array.from(pair.zeroSeed.expose())],
    ["OT state as Alice", some(pair.otAlice.expose())],
    ["OT state as Bob", some(pair.otBob.expose())],
    ["a leaf as Bob", some(expandBob(pair.otBob.expose()).leaves)],
    ["a leaf as Alice", leafOf(expandAlice(pair.otAlice.expose()).leaves)],
  ])
  wipeGroupSecret(secret)
  return needles
}

/** The process that works in the node's folder. */
function pidOf({ dir }: DeployedNode): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name) && folderOf(name) === realpathSync(dir))
  const [pid, ...others] = pids.map(Number)
  if (pid === undefined || others.length > 0) throw new Error("not one process in the node's folder")
  return pid
}

function folderOf(pid: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return undefined
  }
}

/** Of two leaves in a row one at most is the punctured one, which is zero. */
function leafOf(leaves: Uint8Array): Uint8Array {
  const [first, second] = [leaves.slice(64, 96), leaves.slice(96, 128)]
  return first.every((byte) => byte === 0) ? second : first
}

test.skipIf(why !== undefined)("what is in memory is found, across the pieces in which it is read", () => {
  const needle = randomBytes(32)
  const far = new Uint8Array(12 << 20)
  for (const at of [17, (4 << 20) - 16, 8 << 20]) far.set(needle, at)
  const absent = randomBytes(32)
  const found = countIn(
    process.pid,
    new Map([
      ["there", needle],
      ["mirrored", absent.map((byte) => byte ^ 0xff)],
    ]),
  )
  expect(found.get("there")).toBeGreaterThanOrEqual(4)
  expect(far.length).toBe(12 << 20)
})

test.skipIf(why !== undefined)(
  "ten seconds after a key generation and six signatures no buffer holds the share, the pair's seeds or what grows from them",
  async () => {
    await using it = await testDeployment(2)
    const { deployment } = it
    const vault = await readyVault(deployment, 2)
    const [one, two] = deployment.nodes
    if (one === undefined || two === undefined) throw new Error("two nodes")
    const pid = pidOf(one)
    const needles = needlesOf(one)
    for (let i = 0; i < SIGNATURES; i++) {
      const wanted = i % 3 === 2 ? taproot(vault, i) : ethereum(vault, i)
      await signed(deployment, vault, { scenario: () => {}, step: () => {}, say: () => {} }, [one, two], wanted)
    }
    await Bun.sleep(PAUSE_MS)
    const { [PUBLIC]: known = 0, [LIMBS]: limbs = 0, ...secrets } = Object.fromEntries(countIn(pid, needles))
    expect(known).toBeGreaterThan(0)
    expect(secrets).toEqual(Object.fromEntries(Object.keys(secrets).map((name) => [name, 0])))
    expect(limbs).toBeLessThanOrEqual(
      SIGNATURES * CONVERSIONS_PER_SIGNATURE + CONVERSIONS_OF_SET_UP + CONVERSIONS_OF_TRIAL,
    )
  },
  120_000,
)
