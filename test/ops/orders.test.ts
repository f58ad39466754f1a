/** Orders of people: in one form, for one node, once, by the key of the file, for their purpose, in their time. */
import { expect, test } from "bun:test"
import type { Approver, SignedStatement } from "../../src/approvals/approver.ts"
import { type Order, readSignedOrder, writeOrder } from "../../src/approvals/order.ts"
import { readSshPublicKey } from "../../src/approvals/sshKey.ts"
import { armorSshsig } from "../../src/approvals/sshsig.ts"
import { utf8 } from "../../src/bytes.ts"
import { freezeEvents } from "../../src/events/envelope.ts"
import { silentLog } from "../../src/log.ts"
import { freezingOf } from "../../src/ops/freezing.ts"
import { ordersOf } from "../../src/ops/orders.ts"
import { Folder, groupNo, groupSecret } from "../store/fixtures.ts"
import { fullDisk } from "../store/fullDisk.ts"
import { type SshTestKey, sshTestKey } from "../support/approvers.ts"

const NODE = "coboNodeIdOfATestThatIsLongEnough"
const NOW = 1_795_340_000_000
const KEYS: Readonly<Record<string, SshTestKey>> = {
  alice: sshTestKey("ssh-ed25519"),
  bob: sshTestKey("sk-ecdsa-sha2-nistp256@openssh.com"),
}
const DOCUMENT = '[bundle]\nversion = 3\nowners = "owners"\nmin = 2\ndelay = "24h"\n'
const adopted = { version: 3, digest: "aa".repeat(32), document: DOCUMENT, owners: ["alice"] }

function approverOf(name: string, { line }: SshTestKey): Approver {
  const ssh = readSshPublicKey(line)
  if ("problem" in ssh) throw new Error(ssh.problem)
  return { name, keys: [{ kind: "ssh", ssh }] }
}

/** As people put the two together. */
const textOf = ({ statement, signature }: SignedStatement): string =>
  Buffer.from(statement).toString("utf8") + armorSshsig(signature.kind === "ssh" ? signature.blob : new Uint8Array(0))

let drawn = 0
const orderOf = (over: Partial<Order> = {}): Order => ({
  kind: "freeze",
  node: NODE,
  about: "node",
  until: undefined,
  approver: "alice",
  notAfter: NOW / 1000 + 3600,
  nonce: (++drawn).toString(16).padStart(32, "0"),
  ...over,
})
function signedBy(order: Order, over: { by?: string; namespace?: string; bytes?: Uint8Array } = {}): SignedStatement {
  const statement = utf8(Buffer.from(over.bytes ?? writeOrder(order)).toString("utf8"))
  const namespace = over.namespace ?? (order.kind === "veto" ? "cosigner-policy" : "cosigner-freeze")
  const key = KEYS[over.by ?? order.approver] ?? sshTestKey("ssh-ed25519")
  return { statement, signature: { kind: "ssh", blob: key.sign(statement, namespace) } }
}

function rig(followsBundle = true) {
  const folder = new Folder()
  const store = folder.create()
  using secret = { ...groupSecret(0), [Symbol.dispose]: () => {} }
  store.groups.prepare(groupNo("AbcdefghijklmnopqrsT", 0), secret)
  if (followsBundle) store.policies.adopt(adopted, NOW)
  const time = { nowMs: NOW }
  const approvers = new Map(Object.entries(KEYS).map(([name, key]) => [name, approverOf(name, key)]))
  const owners = ["alice", "bob"]
  const people = () => ({ approvers, groups: new Map([["owners", owners]]) })
  const freezing = freezingOf({ store, log: silentLog, event: freezeEvents(NODE, () => "e"), onFrozen: () => {} })
  const orders = ordersOf({
    nodeId: NODE,
    store,
    freezing,
    people,
    log: silentLog,
    now: () => time.nowMs,
    clock: () => 0,
  })
  const takeSigned = (signed: SignedStatement): unknown => {
    try {
      return orders.take(textOf(signed)).value
    } catch (error) {
      return Reflect.get(Object(error), "code")
    }
  }
  const take = (order: Order, over: Parameters<typeof signedBy>[1] = {}) => takeSigned(signedBy(order, over))
  return {
    store,
    time,
    owners,
    orders,
    take,
    takeSigned,
    [Symbol.dispose]() {
      store.close()
      folder[Symbol.dispose]()
    },
  }
}

test("an approver's order freezes, once, and who ordered it is kept", () => {
  using it = rig(false)
  const order = orderOf({ until: NOW / 1000 + 7200 })
  expect(it.take(order)).toMatchObject({ group_id: null, by: "alice" })
  expect(it.store.freezes.over([])?.end?.atMs).toBeGreaterThan(NOW)
  it.store.freezes.lift([""], "host", NOW)
  expect(it.take(order)).toBe("E-POL-007")
  expect(it.store.freezes.over([])).toBeUndefined()
  expect(it.take(orderOf({ about: "group AbcdefghijklmnopqrsT" }))).toMatchObject({ group_id: "AbcdefghijklmnopqrsT" })
  expect(it.take(orderOf({ about: "group Nowhere" }))).toBe("E-CLI-011")
})

test("on a full disk an order freezes all the same, and no other order counts; the next such order is recorded", () => {
  using it = rig()
  it.store.policies.wait({ ...adopted, version: 4, digest: "bb".repeat(32) }, 1000, false, NOW)
  const order = orderOf()
  {
    using _full = fullDisk()
    expect(it.take(order)).toBe("E-FRZ-002")
    expect(it.take(orderOf({ kind: "veto", about: `policy 4 ${"bb".repeat(32)}` }))).toBe("E-STO-013")
    expect(it.take(orderOf({ kind: "unfreeze", about: "everything" }))).toBe("E-STO-013")
  }
  expect(it.store.freezes.over([])?.by).toBe("alice")
  expect(it.store.policies.followed?.waiting?.version).toBe(4)
  expect(it.take(order)).toMatchObject({ group_id: null, by: "alice" })
  expect(it.take(order)).toBe("E-POL-007")
})

test("nothing but that: another node, time, key, name, purpose or byte", () => {
  using it = rig()
  const over = NOW / 1000 - 1
  for (const [order, how] of [
    [orderOf({ node: "anotherNodeIdThatIsLongEnough" }), {}],
    [orderOf({ notAfter: over }), {}],
    [orderOf({ notAfter: NOW / 1000 + 32 * 86_400 }), {}],
    [orderOf({ approver: "carol" }), {}],
    [orderOf(), { by: "bob" }],
    [orderOf(), { namespace: "cosigner-approval" }],
    [orderOf(), { namespace: "cosigner-policy" }],
    [orderOf(), { bytes: utf8(Buffer.from(writeOrder(orderOf())).toString().replace("\n", "\n\n")) }],
    [orderOf(), { bytes: utf8(`${Buffer.from(writeOrder(orderOf()))}note: x\n`) }],
    [orderOf(), { bytes: utf8("cosigner thaw v1\n") }],
  ] as const) {
    expect(it.take(order, how)).toBe("E-POL-007")
  }
  expect(it.store.freezes.list()).toEqual([])
})

test("a flipped bit anywhere in an order or its signature is no order", () => {
  using it = rig()
  const { statement, signature } = signedBy(orderOf())
  if (signature.kind !== "ssh") throw new Error("it is signed by an SSH key")
  const bent = (bytes: Uint8Array, at: number) => Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 1 : byte))
  for (let at = 0; at < statement.length; at++) {
    expect(it.takeSigned({ statement: bent(statement, at), signature })).toBe("E-POL-007")
  }
  for (let at = 0; at < signature.blob.length; at++) {
    expect(it.takeSigned({ statement, signature: { kind: "ssh", blob: bent(signature.blob, at) } })).toBe("E-POL-007")
  }
  expect(it.store.freezes.list()).toEqual([])
  const text = textOf({ statement, signature })
  expect(readSignedOrder(text)).toEqual({ statement, signature })
  expect(readSignedOrder(text.slice(0, 100))).toMatchObject({ problem: expect.stringContaining("no signature") })
  expect(it.takeSigned({ statement, signature })).toMatchObject({ by: "alice" })
})

test("one that WaaS brings counts as any other does; of a flood it looks at a few", () => {
  using it = rig()
  const order = signedBy(orderOf())
  it.orders.onOrder(textOf(order))
  expect(it.store.freezes.over([])?.by).toBe("alice")
  it.store.freezes.lift([""], "host", NOW)
  for (const bad of ["", "cosigner freeze v1\n", textOf(order)]) it.orders.onOrder(bad)
  expect(it.store.freezes.list()).toEqual([])
  for (let n = 0; n < 40; n++) it.orders.onOrder("junk")
  it.orders.onOrder(textOf(signedBy(orderOf())))
  expect(it.store.freezes.list()).toEqual([])
})

test("owners lift a freeze together, each once; whoever is no owner does not", () => {
  using it = rig()
  it.store.freezes.freeze({ groupId: "", forMs: undefined, reason: "", by: "host" }, NOW)
  const lift = (over: Partial<Order> = {}) => orderOf({ kind: "unfreeze", about: "everything", ...over })
  expect(it.take(lift())).toEqual({ owners: ["alice"], needed: 2 })
  expect(it.take(lift())).toEqual({ owners: ["alice"], needed: 2 })
  // of another freeze, or when the first word is over, nobody else's counts
  expect(it.take(lift({ approver: "bob", about: "node" }))).toEqual({ owners: ["bob"], needed: 2 })
  it.time.nowMs += 3_600_000
  const notAfter = NOW / 1000 + 7200
  expect(it.take(lift({ approver: "bob", notAfter }))).toEqual({ owners: ["bob"], needed: 2 })
  expect(it.store.freezes.list()).toHaveLength(1)
  // nor does the word of who is no owner any more
  it.owners.splice(0, 2, "alice", "carol")
  expect(it.take(lift({ notAfter }))).toEqual({ owners: ["alice"], needed: 2 })
  it.owners.splice(0, 2, "alice", "bob")
  expect(it.take(lift({ approver: "bob", notAfter }))).toMatchObject([{ group_id: null }])
  expect(it.store.freezes.list()).toEqual([])
})

test("an owner vetoes exactly the version that waits", () => {
  using it = rig()
  const about = (version: number, digest: string) => orderOf({ kind: "veto", about: `policy ${version} ${digest}` })
  expect(it.take(about(4, "bb".repeat(32)))).toBe("E-POL-009")
  it.store.policies.wait({ ...adopted, version: 4, digest: "bb".repeat(32) }, 1000, false, NOW)
  expect(it.take(about(4, "cc".repeat(32)))).toBe("E-POL-007")
  expect(it.take(about(5, "bb".repeat(32)))).toBe("E-POL-007")
  expect(it.take(about(4, "bb".repeat(32)))).toEqual({ version: 4, vetoed_by: "alice" })
  expect(it.store.policies.followed?.waiting).toBeUndefined()
})

test("without a bundle nobody owns the policy", () => {
  using it = rig(false)
  expect(it.take(orderOf({ kind: "unfreeze", about: "everything" }))).toBe("E-POL-007")
  expect(it.take(orderOf({ kind: "veto", about: `policy 4 ${"bb".repeat(32)}` }))).toBe("E-POL-007")
})

const spentBy = (approver: string, nonce: string, notAfterMs = 100) => ({ approver, nonce, notAfterMs })
const USED = { approver: "alice", why: "it was used before" }

test("what was carried out is remembered through a restart, and forgotten when its time is over", () => {
  using folder = new Folder()
  {
    using store = folder.create()
    expect(store.spentOrders.spend([spentBy("alice", "a")], 1)).toBeUndefined()
    expect(store.spentOrders.spend([spentBy("alice", "a")], 1)).toEqual(USED)
  }
  using store = folder.open()
  expect(store.spentOrders.spend([spentBy("alice", "a")], 99)).toEqual(USED)
  expect(store.spentOrders.spend([spentBy("alice", "b", 200)], 100)).toBeUndefined()
  expect(store.verify()).toBeGreaterThan(0)
})

test("of several orders all are spent or none, and one that stands there twice is none", () => {
  using folder = new Folder()
  using store = folder.create()
  const twice = [spentBy("alice", "a"), spentBy("bob", "b"), spentBy("alice", "a")]
  expect(store.spentOrders.spend(twice, 1)).toEqual(USED)
  expect(store.spentOrders.spend(twice.slice(0, 2), 1)).toBeUndefined()
})

test("nobody uses up what another's order needs: neither its room nor its nonce", () => {
  using folder = new Folder()
  using store = folder.create()
  const flood = Array.from({ length: 64 }, (_, i) => spentBy("alice", `${i}`))
  expect(store.spentOrders.spend(flood, 1)).toBeUndefined()
  expect(store.spentOrders.spend([spentBy("alice", "64")], 1)).toMatchObject({ approver: "alice" })
  expect(store.spentOrders.spend([spentBy("bob", "0")], 1)).toBeUndefined()
  expect(store.spentOrders.spend([spentBy("alice", "64", 200)], 100)).toBeUndefined()
})
