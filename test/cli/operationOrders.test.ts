/** Orders of people for what a host does: so many of a group, each once, for this node and exactly this, or nothing is done. */
import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { createHash } from "node:crypto"
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs"
import { aboutBackup, aboutShares, NAMESPACE_OF, type Order, writeOrder } from "../../src/approvals/order.ts"
import { armorSshsig } from "../../src/approvals/sshsig.ts"
import { parseLeaf } from "../../src/audit/entry.ts"
import { inForce, waitingKeys } from "../../src/config/inForce.ts"
import { checkConfig } from "../../src/config/load.ts"
import { policyOf } from "../../src/ops/nodePolicy.ts"
import { type Demands, demandedOrders, demandsOf } from "../../src/ops/operationOrders.ts"
import { policyChanges } from "../../src/policy/bundleDiff.ts"
import type { Store } from "../../src/store/store.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { running } from "../ops/admin/rig.ts"
import { type SshTestKey, sshTestKey } from "../support/approvers.ts"
import { flags, Home, ID, partyNo } from "../support/nodeHome.ts"
import { cli, type Outcome } from "./world.ts"

setDefaultTimeout(30_000)

const PEOPLE = ["alice", "bob", "carol", "dave"] as const
type Person = (typeof PEOPLE)[number]
const KEYS: Readonly<Record<Person, SshTestKey>> = {
  alice: sshTestKey("ssh-ed25519"),
  bob: sshTestKey("ecdsa-sha2-nistp256"),
  carol: sshTestKey("sk-ssh-ed25519@openssh.com"),
  dave: sshTestKey("ssh-ed25519"),
}
/** dave is an approver, and no member. */
const TOML = `${PEOPLE.map((name) => `[[approvers]]\nname = "${name}"\nkey = "${KEYS[name].line}"\n`).join("")}
[[approver_groups]]
name = "keepers"
members = ["alice", "bob", "carol"]
[[operation_approvals]]
for = ["export_share", "restore"]
group = "keepers"
min = 2
`
const NODE = nodeIdOf(partyNo(0))
const OTHER_NODE = nodeIdOf(partyNo(1))
const demands: readonly Demands[] = [demandsOf(checkConfig(TOML, "cosigner.toml").config)]

let drawn = 0
function orderOf(approver: Person, over: Partial<Order> = {}): Order {
  const nonce = (++drawn).toString(16).padStart(32, "0")
  const notAfter = Math.ceil(Date.now() / 1000) + 3600
  const about = aboutShares([ID(0)])
  return { kind: "export-share", node: NODE, about, until: undefined, approver, notAfter, nonce, ...over }
}
function signed(order: Order, key = KEYS[order.approver as Person], namespace = NAMESPACE_OF[order.kind]): string {
  const bytes = writeOrder(order)
  return Buffer.from(bytes).toString() + armorSshsig(key.sign(bytes, namespace))
}
const codeIn = ({ stderr }: Outcome): string => /E-[A-Z]+-\d{3}/.exec(stderr)?.[0] ?? "none"

describe("what counts", () => {
  const nowMs = Date.now()
  const operation = { kind: "export-share", about: aboutShares([ID(0)]), nodeId: NODE, nowMs } as const
  const of = (texts: readonly string[], by = demands, asked: typeof operation | { kind: "restore" } = operation) => {
    try {
      return demandedOrders({ ...operation, ...asked }, by, texts).map(({ approver }) => approver)
    } catch (error) {
      return Reflect.get(Object(error), "code")
    }
  }
  const alice = signed(orderOf("alice"))
  test("two members who ordered exactly this", () => {
    expect(of([alice, signed(orderOf("bob"))])).toEqual(["alice", "bob"])
    expect(of([signed(orderOf("carol")), alice])).toEqual(["carol", "alice"])
  })
  test("not fewer, not one person twice, not a stranger to the group", () => {
    for (const texts of [[], [alice], [alice, alice], [alice, signed(orderOf("alice"))]]) {
      expect(of(texts)).toBe("E-APR-005")
    }
    expect(of([alice, signed(orderOf("dave"))])).toBe("E-APR-005")
  })
  test("not for another node, operation, group, time, purpose or key", () => {
    const nowS = Math.floor(nowMs / 1000)
    for (const bad of [
      signed(orderOf("bob", { node: OTHER_NODE })),
      signed(orderOf("bob", { kind: "restore", about: aboutBackup("ab".repeat(32)) })),
      signed(orderOf("bob", { about: aboutShares([ID(2)]) })),
      signed(orderOf("bob", { about: aboutShares([]) })),
      signed(orderOf("bob", { about: aboutShares([ID(0), ID(2)]) })),
      signed(orderOf("bob", { notAfter: nowS })),
      signed(orderOf("bob", { notAfter: nowS + 32 * 86_400 })),
      signed(orderOf("bob"), KEYS.bob, "cosigner-freeze"),
      signed(orderOf("bob"), KEYS.alice),
      signed(orderOf("bob")).replace("bob", "carol"),
      Buffer.from(writeOrder(orderOf("bob"))).toString(),
    ]) {
      expect(of([alice, bad])).toBe("E-APR-006")
    }
  })
  test("what a policy that waits demands counts too, by its own people", () => {
    const three = demandsOf(checkConfig(TOML.replace("min = 2", "min = 3"), "cosigner.toml").config)
    const withoutAlice = demandsOf(checkConfig(TOML.replace('"alice", ', ""), "cosigner.toml").config)
    const two = [alice, signed(orderOf("bob"))]
    expect(of(two, [...demands, three])).toBe("E-APR-005")
    expect(of(two, [...demands, withoutAlice])).toBe("E-APR-005")
    expect(of([...two, signed(orderOf("carol"))], [...demands, three, withoutAlice])).toHaveLength(3)
    expect(of([], [demandsOf(checkConfig("", "cosigner.toml").config)])).toEqual([])
  })
  test("a group that nobody has orders nothing", () => {
    const nobody = demandsOf(checkConfig(TOML.replace('group = "keepers"', 'group = "nobody"'), "cosigner.toml").config)
    expect(of([alice, signed(orderOf("bob"))], [nobody])).toBe("E-APR-005")
  })
})

test("in a bundle a demand that comes tightens, one that goes loosens", () => {
  const entry = { for: ["restore"], group: "keepers", min: 2 }
  const tendencies = (before: object, after: object) =>
    policyChanges({ ...before }, { ...after }).map(({ where, tendency }) => `${where} ${tendency}`)
  expect(tendencies({}, { operation_approvals: [entry] })).toEqual(["operation_approvals tightens"])
  for (const after of [{}, { operation_approvals: [] }, { operation_approvals: [{ ...entry, min: 1 }] }]) {
    expect(tendencies({ operation_approvals: [entry] }, after)).toEqual(["operation_approvals loosens"])
  }
})

test("a node demands what is in force and what waits, and takes a change at SIGHUP", () => {
  const [none, some] = [checkConfig("", "cosigner.toml"), checkConfig(TOML, "cosigner.toml")]
  const callback = { servers: [], ca: undefined }
  const entries = policyOf({ config: none.config, callback }, { config: some.config, callback }).demands.map(
    (one) => one.entries.length,
  )
  expect(entries).toEqual([0, 1])
  expect(waitingKeys(inForce(none), inForce(some))).toEqual([])
})

function files(home: Home, ...texts: readonly string[]): readonly string[] {
  const paths = texts.map((text, i) => {
    const path = home.file(`order-${++drawn}-${i}`)
    writeFileSync(path, text)
    return path
  })
  return texts.length === 0 ? [] : ["--signed", paths.join(",")]
}
function configured(home: Home): readonly string[] {
  const path = home.file("cosigner.toml")
  writeFileSync(path, TOML, { mode: 0o600 })
  return ["--config", path]
}
const commandLeaves = (store: Store): readonly unknown[] =>
  (store.audit.bundle(0, store.audit.size) ?? [])
    .map((leaf) => parseLeaf(leaf))
    .filter(({ kind }) => kind === "command")
    .map(({ facts }) => facts)

describe("cosigner export-share", () => {
  test("without a node: two orders export once, and leave a leaf with the names", async () => {
    using home = new Home()
    home.create().close()
    const config = configured(home)
    const run = (...orders: readonly string[]): Promise<Outcome> =>
      cli([
        ...["export-share", ...flags(home), ...config, "--group-ids", ID(0)],
        ...["--export-dir", home.file("recovery"), ...orders],
      ])
    expect(codeIn(await run())).toBe("E-APR-005")
    const both = files(home, signed(orderOf("alice")), signed(orderOf("bob")))
    const other = files(home, signed(orderOf("alice")), signed(orderOf("bob", { node: OTHER_NODE })))
    expect(codeIn(await run(...other))).toBe("E-APR-006")
    expect(existsSync(home.file("recovery"))).toBe(false)
    expect((await run(...both)).exit).toBe(0)
    const again = await run(...both)
    expect([codeIn(again), again.stderr]).toEqual(["E-APR-006", expect.stringContaining("it was used before")])
    using store = home.open()
    expect(commandLeaves(store)).toEqual([
      { about: aboutShares([ID(0)]), approvers: ["alice", "bob"], by: "orders", command: "export-share" },
    ])
  })
  test("without a node, the policy that the database follows demands it, whatever file is given", async () => {
    using home = new Home()
    const document = `${TOML}[bundle]\nversion = 1\nowners = "keepers"\nmin = 2\ndelay = "24h"\n`
    {
      using store = home.create()
      store.policies.adopt({ version: 1, digest: "aa".repeat(32), document, owners: ["alice"] }, Date.now())
    }
    const file = home.file("empty.toml")
    writeFileSync(file, "", { mode: 0o600 })
    const words = ["--group-ids", ID(0), "--export-dir", home.file("recovery"), "--config", file]
    expect(codeIn(await cli(["export-share", ...flags(home), ...words]))).toBe("E-APR-005")
    expect(existsSync(home.file("recovery"))).toBe(false)
    const both = files(home, signed(orderOf("alice")), signed(orderOf("bob")))
    expect((await cli(["export-share", ...flags(home), ...words, ...both])).exit).toBe(0)
  })
  test("beside a node: the node demands it, by what it has in force and not by the command's file", async () => {
    await using node = await running({ demands })
    const run = (...orders: readonly string[]): Promise<Outcome> =>
      cli([
        ...["export-share", ...flags(node.home), "--group-ids", ID(0)],
        ...["--export-dir", node.home.file("recovery"), ...orders],
      ])
    expect(codeIn(await run())).toBe("E-APR-005")
    expect(codeIn(await run(...files(node.home, signed(orderOf("dave")), signed(orderOf("bob")))))).toBe("E-APR-005")
    const both = files(node.home, signed(orderOf("alice")), signed(orderOf("carol")))
    // to the node itself it is no order, and it is not used up
    const given = await cli(["freeze", "--db", node.home.db, "--signed", String(both[1]).split(",")[0] ?? ""])
    expect(given.stderr).toContain("it is given to cosigner export-share")
    expect(existsSync(node.home.file("recovery"))).toBe(false)
    expect((await run(...both)).exit).toBe(0)
    expect(codeIn(await run(...both))).toBe("E-APR-006")
    expect(commandLeaves(node.store)).toContainEqual(
      expect.objectContaining({ approvers: ["alice", "carol"], by: "orders", command: "export-share" }),
    )
  })
  test("--as prints the order to sign, and reads no database", async () => {
    using home = new Home()
    const words = ["--as", "alice", "--node", NODE, "--group-ids", `${ID(2)},${ID(0)}`]
    const { exit, stdout } = await cli(["export-share", "--db", home.db, ...words])
    expect([exit, stdout]).toEqual([0, expect.stringContaining(`cosigner export-share v1\nnode: ${NODE}\n`)])
    expect(stdout).toContain(`about: groups ${ID(0)} ${ID(2)}\napprover: alice\nnot-after: `)
  })
})

describe("cosigner backup restore", () => {
  const made = new Home()
  const backup = made.file("b.cosigner")
  beforeAll(async () => {
    made.create().close()
    const words = ["--password-file", made.backupKey, "--out", backup]
    expect((await cli(["backup", "create", ...flags(made), ...words])).exit).toBe(0)
  })
  const restoreOrder = (by: Person, over: Partial<Order> = {}): string => {
    const about = aboutBackup(createHash("sha256").update(readFileSync(backup)).digest("hex"))
    return signed(orderOf(by, { kind: "restore", about, ...over }))
  }
  test("makes a database of the file that two members named, and of no other", async () => {
    using home = new Home()
    const config = configured(home)
    const file = home.file("b.cosigner")
    copyFileSync(backup, file)
    const run = (...orders: readonly string[]): Promise<Outcome> =>
      cli(["backup", "restore", file, ...flags(home), ...config, "--password-file", home.backupKey, ...orders])
    const bob = restoreOrder("bob")
    for (const [orders, code] of [
      [[], "E-APR-005"],
      [[bob, bob], "E-APR-005"],
      [[bob, restoreOrder("alice", { node: OTHER_NODE })], "E-APR-006"],
      [[bob, restoreOrder("alice", { about: aboutBackup("ab".repeat(32)) })], "E-APR-006"],
      [[bob, signed(orderOf("alice"))], "E-APR-006"],
    ] as const) {
      expect(codeIn(await run(...files(home, ...orders)))).toBe(code)
      expect(existsSync(home.db)).toBe(false)
    }
    const printed = await cli(["backup", "restore", file, "--db", home.db, "--as", "alice", "--node", NODE])
    expect(restoreOrder("alice")).toContain(/^about: .*$/m.exec(printed.stdout)?.[0] ?? "none")
    expect((await run(...files(home, bob, restoreOrder("alice")))).exit).toBe(0)
    using store = home.open()
    expect(commandLeaves(store)).toContainEqual(
      expect.objectContaining({ approvers: ["alice", "bob"], by: "orders", command: "restore" }),
    )
  })
})
