/** The bundle that a node follows: what it takes, at once or after the delay, and everything that it refuses. */
import { expect, spyOn, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { ed25519 } from "@noble/curves/ed25519.js"
import { armorSshsig } from "../../src/approvals/sshsig.ts"
import { copy, toHex, utf8 } from "../../src/bytes.ts"
import { checkConfig } from "../../src/config/load.ts"
import { readBundleFile } from "../../src/config/policyBundle.ts"
import { policyInForce, recoverPolicy } from "../../src/config/policyInForce.ts"
import type { BundleDocument } from "../../src/policy/bundle.ts"
import type { Store } from "../../src/store/store.ts"
import { Folder } from "../store/fixtures.ts"
import { type SshTestKey, sshTestKey } from "../support/approvers.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR
const NAMES = ["alice", "bob", "carol"] as const
type Owner = (typeof NAMES)[number]
const KEYS: Readonly<Record<Owner, SshTestKey>> = {
  alice: sshTestKey("ssh-ed25519"),
  bob: sshTestKey("ecdsa-sha2-nistp256"),
  carol: sshTestKey("sk-ssh-ed25519@openssh.com"),
}
const KEY = toHex(copy(ed25519.getPublicKey(new Uint8Array(32).fill(7))))

interface Draft {
  readonly version: number
  readonly batch?: number
  readonly min?: number
  readonly keys?: Partial<Record<Owner, SshTestKey>>
  readonly more?: string
}

const draft = ({ version, batch = 16, min = 2, keys = {}, more = "" }: Draft): string => `
[bundle]
version = ${version}
owners = "owners"
min = ${min}
delay = "24h"
${more}
[websocket]
waas_public_key = "${KEY}"
[embedded_risk_control_rules]
enable = true
[embedded_risk_control_rules.key_sign]
reject_all = false
max_batch = ${batch}
[[approver_groups]]
name = "owners"
members = ["alice", "bob", "carol"]
${NAMES.map((name) => `[[approvers]]\nname = "${name}"\nkey = "${(keys[name] ?? KEYS[name]).line}"`).join("\n")}
`

const signed = (
  text: string,
  by: readonly (Owner | readonly [Owner, SshTestKey])[],
  namespace = "cosigner-policy",
): string => {
  const parts = by.map((one) => {
    const [name, key] = typeof one === "string" ? ([one, KEYS[one]] as const) : one
    return `signed: ${name}\n${armorSshsig(key.sign(utf8(text), namespace))}`
  })
  return `cosigner policy bundle v1\n${parts.join("")}document:\n${text}`
}

class Node implements Disposable {
  readonly folder = new Folder()
  readonly file = join(this.folder.path, "policy.bundle")
  store: Store = this.folder.create()
  atMs = 1_000_000
  monotonicMs = 0
  readonly clock = spyOn(performance, "now").mockImplementation(() => this.monotonicMs)
  host = `[policy]\nbundle = "${this.file}"\nowners = "owners"\nmin = 2\ndelay = "24h"\n[websocket]\nurl = "wss://waas.example.com/ws"\n`

  constructor() {
    this.store.served.begin()
  }

  load(policy?: BundleDocument) {
    return checkConfig(this.host, "cosigner.toml", {}, policy)
  }
  put(text: string): void {
    writeFileSync(this.file, text)
  }
  /** As a start or SIGHUP does. */
  look() {
    return policyInForce(this.store.policies, this.load(), (document) => this.load(document), this.atMs)
  }
  restart(): void {
    this.store.close()
    this.store = this.folder.open()
    this.store.served.begin()
  }
  /** Both clocks. */
  pass(ms: number): void {
    this.atMs += ms
    this.monotonicMs += ms
  }
  get batch(): unknown {
    const { loaded, waiting } = this.look()
    const of = (one: typeof loaded) => one.config.embedded_risk_control_rules.sections.key_sign?.written["max_batch"]
    return waiting === undefined ? of(loaded) : [of(loaded), of(waiting)]
  }
  ripen(): boolean {
    return this.store.policies.ripen(this.atMs, () => false)
  }
  [Symbol.dispose](): void {
    this.clock.mockRestore()
    this.store.close()
    this.folder[Symbol.dispose]()
  }
}
const code = (what: () => unknown): unknown => {
  try {
    what()
    return "nothing thrown"
  } catch (error) {
    return Reflect.get(Object(error), "code")
  }
}
const FIRST = signed(draft({ version: 3 }), ["alice", "bob"])

test("the first one is the host's decision, on the terms that its file states, and signed by its own owners", () => {
  using node = new Node()
  node.put(signed(draft({ version: 3 }), ["alice"]))
  expect(code(() => node.look())).toBe("E-POL-005")
  node.put(FIRST)
  const { host } = node
  for (const [stated, said] of [
    ["min = 2", "min = 1"],
    ['owners = "owners"', 'owners = "others"'],
    ['delay = "24h"', 'delay = "1h"'],
    ['delay = "24h"\n', ""],
  ] as const) {
    node.host = host.replace(stated, said)
    expect(code(() => node.look())).toBe("E-POL-006")
  }
  node.host = host
  node.put(signed(draft({ version: 3, more: "leave = true" }), ["alice", "bob"]))
  expect(code(() => node.look())).toBe("E-POL-006")
  expect(node.store.policies.record).toBeUndefined()
  node.put(FIRST)
  expect(node.batch).toBe(16)
  expect(node.store.policies.followed?.active).toMatchObject({ version: 3, owners: ["alice", "bob"] })
  node.restart()
  expect(node.batch).toBe(16)
  expect(node.store.verify()).toBeGreaterThan(0)
})

test("from then on a file without it, or with parts of the policy beside it, starts no node", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  const { host } = node
  node.host = '[websocket]\nurl = "wss://waas.example.com/ws"\n'
  expect(code(() => node.look())).toBe("E-POL-003")
  for (const beside of [
    "[embedded_risk_control_rules]\nenable = false\n",
    `[[callback.cb_server_v2]]\nservice_address = "https://a.example.com/v2/check"\npubkey_path = "k"\n`,
    "[db]\ndanger_allow_readable_key_file = true\n",
    '[intent]\n[[intent.addresses]]\nname = "a"\nchain = "eip155:1"\naddress = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"\n',
  ]) {
    node.host = host + beside
    expect(code(() => node.look())).toBe("E-POL-002")
  }
  node.host = `danger_allow_unguarded_signing = true\n${host}`
  expect(code(() => node.look())).toBe("E-POL-002")
  node.host = host.replace("[websocket]", `[websocket]\nwaas_public_key = "${KEY}"`)
  expect(code(() => node.look())).toBe("E-POL-002")
})

test("nor does a flag say what is the policy's", () => {
  using node = new Node()
  node.put(FIRST)
  for (const key of ["db.danger_allow_readable_key_file", "websocket.waas_public_key"]) {
    const said = { [key]: { flag: "--flag", value: key.startsWith("db") ? true : KEY } }
    expect(code(() => checkConfig(node.host, "cosigner.toml", said))).toBe("E-POL-002")
  }
})

test("what tightens is in force at once, what loosens waits; both rules count meanwhile", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  node.put(signed(draft({ version: 4, batch: 8 }), ["bob", "carol"]))
  expect(node.batch).toBe(8)
  expect(node.store.policies.followed?.active.version).toBe(4)
  node.put(signed(draft({ version: 5, batch: 32 }), ["alice", "carol"]))
  const { told } = node.look()
  expect(told).toContain("waits until")
  expect(told).toContain("key_sign.max_batch")
  expect(node.batch).toEqual([8, 32])
  node.pass(DAY - 1)
  expect(node.ripen()).toBe(false)
  node.pass(1)
  expect(node.ripen()).toBe(true)
  expect(node.batch).toBe(32)
  expect(node.store.policies.record?.history.map(({ version, fate }) => `${version} ${fate}`)).toEqual([
    "3 in force",
    "3 replaced",
    "4 in force",
    "5 waiting",
    "4 replaced",
    "5 in force",
  ])
})

test("the delay is on the wall clock and in service, whichever is longer: no jump and no restart shortens it", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  node.put(signed(draft({ version: 4, batch: 32 }), ["alice", "bob"]))
  node.look()
  node.atMs += 30 * DAY
  expect(node.ripen()).toBe(false)
  node.monotonicMs += DAY / 2
  node.store.served.keep()
  node.restart()
  node.look()
  node.monotonicMs += DAY / 2 - 1
  expect(node.ripen()).toBe(false)
  node.monotonicMs += 1
  node.atMs -= 30 * DAY
  expect(node.ripen()).toBe(false)
  node.atMs += DAY
  expect(node.ripen()).toBe(true)
})

test("owners, each once, of the version in force, over exactly this document, for this purpose", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  const next = draft({ version: 4, batch: 8 })
  const stranger = sshTestKey("ssh-ed25519")
  for (const bad of [
    signed(next, ["alice"]),
    signed(next, ["alice", "alice"]),
    signed(next, ["alice", ["bob", stranger]]),
    signed(next, ["alice", ["bob", KEYS.alice]]),
    signed(next, ["alice", "bob"], "cosigner-approval"),
    signed(next, ["alice", "bob"]).replace("max_batch = 8", "max_batch = 9"),
    // its own owners signed it, the ones in force did not
    signed(draft({ version: 4, batch: 8, keys: { alice: stranger, bob: stranger } }), [
      ["alice", stranger],
      ["bob", stranger],
    ]),
  ]) {
    node.put(bad)
    expect(["E-POL-005", "E-CFG-003"]).toContain(String(code(() => node.look())))
  }
  expect(node.store.policies.followed?.active.version).toBe(3)
})

test("an approver who is no owner counts for nothing here", () => {
  using node = new Node()
  const dave = sshTestKey("ssh-ed25519")
  const more = (text: string) => `${text}\n[[approvers]]\nname = "dave"\nkey = "${dave.line}"\n`
  node.put(signed(more(draft({ version: 3 })), ["alice", "bob"]))
  node.look()
  const next = more(draft({ version: 4, batch: 8 }))
  const byDave = `signed: dave\n${armorSshsig(dave.sign(utf8(next), "cosigner-policy"))}`
  node.put(signed(next, ["alice"]).replace("document:\n", `${byDave}document:\n`))
  expect(code(() => node.look())).toBe("E-POL-005")
})

test("the delay is that of the version in force, whatever the next one says", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  node.put(signed(draft({ version: 4 }).replace('"24h"', '"1m"'), ["alice", "bob"]))
  expect(node.look().told).toContain("bundle.delay_ms")
  node.pass(DAY - 1)
  expect(node.ripen()).toBe(false)
  node.pass(1)
  expect(node.ripen()).toBe(true)
})

test("a version only rises: a lower one, the same with another document, and a replay are refused", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  const fourth = signed(draft({ version: 4, batch: 8 }), ["alice", "bob"])
  node.put(fourth)
  node.look()
  node.put(FIRST)
  expect(code(() => node.look())).toBe("E-POL-004")
  node.put(signed(draft({ version: 4, batch: 4 }), ["alice", "bob"]))
  expect(code(() => node.look())).toBe("E-POL-004")
  node.put(fourth)
  expect(node.batch).toBe(8)
})

test("what an owner vetoed never comes into force, and the node goes on with what it had", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  const loosening = signed(draft({ version: 4, batch: 32 }), ["alice", "bob"])
  node.put(loosening)
  node.look()
  expect(node.store.policies.veto("carol", node.atMs)?.version).toBe(4)
  node.pass(10 * DAY)
  expect(node.ripen()).toBe(false)
  expect(node.look().told).toContain("was vetoed")
  expect(node.batch).toBe(16)
  node.put(signed(draft({ version: 4, batch: 31 }), ["alice", "bob"]))
  expect(code(() => node.look())).toBe("E-POL-004")
})

test("owners are replaced by owners, after the delay; the new ones make the next version", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  const next = sshTestKey("ssh-ed25519")
  node.put(signed(draft({ version: 4, keys: { carol: next } }), ["alice", "bob"]))
  node.look()
  expect(node.store.policies.followed?.waiting?.version).toBe(4)
  node.put(signed(draft({ version: 5, batch: 8, keys: { carol: next } }), ["alice", ["carol", next]]))
  expect(code(() => node.look())).toBe("E-POL-005")
  node.pass(DAY)
  expect(node.ripen()).toBe(true)
  node.look()
  expect(node.store.policies.followed?.active.version).toBe(5)
})

test("leaving needs owners and the delay; then the file alone counts again", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  node.put(signed(draft({ version: 4, more: "leave = true" }), ["alice", "bob"]))
  expect(node.look().told).toContain("bundle.leave")
  node.pass(DAY)
  expect(node.store.policies.ripen(node.atMs, () => true)).toBe(true)
  expect(code(() => node.look())).toBe("E-POL-011")
  node.host = '[websocket]\nurl = "wss://waas.example.com/ws"\n'
  expect(node.look().loaded.bundle).toBeUndefined()
  expect(node.store.policies.followed).toBeUndefined()
  // the versions are remembered all the same
  node.host = `[policy]\nbundle = "${node.file}"\nowners = "owners"\nmin = 2\ndelay = "24h"\n`
  node.put(FIRST)
  expect(code(() => node.look())).toBe("E-POL-004")
})

test("for lost keys the host alone waits seven times as long, at least seven days, and an owner can veto", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  const fresh = { alice: sshTestKey("ssh-ed25519"), bob: sshTestKey("ssh-ed25519") }
  node.put(
    signed(draft({ version: 4, keys: fresh }), [
      ["alice", fresh.alice],
      ["bob", fresh.bob],
    ]),
  )
  expect(code(() => node.look())).toBe("E-POL-005")
  recoverPolicy(node.store.policies, readBundleFile(node.file), (document) => node.load(document), node.atMs)
  const waiting = node.store.policies.followed?.waiting
  expect([waiting?.isRecovery, (waiting?.end.atMs ?? 0) - node.atMs]).toEqual([true, 7 * DAY])
  expect(node.batch).toEqual([16, 16])
  node.pass(7 * DAY - 1)
  expect(node.ripen()).toBe(false)
  node.pass(1)
  expect(node.ripen()).toBe(true)
})

test("a policy that no node could start with, or that nobody could change, is not taken", () => {
  using node = new Node()
  node.put(FIRST)
  node.look()
  for (const bad of [
    draft({ version: 4, min: 4 }),
    draft({ version: 4 }).replace("max_batch = 16", "required_node_ids = []"),
    draft({ version: 4 }).replace("[bundle]", "[bundle]\nunfreeze_min = 9"),
  ]) {
    node.put(signed(bad, ["alice", "bob"]))
    expect(["E-POL-001", "E-OPS-116"]).toContain(String(code(() => node.look())))
  }
})

test("a file that is none says what is wrong with it", () => {
  using node = new Node()
  for (const [text, problem] of [
    ["", "first line"],
    ["cosigner policy bundle v1\nversion = 1\n", "`document:`"],
    ["cosigner policy bundle v1\nx\ndocument:\n", "something else than signatures"],
    [
      `cosigner policy bundle v1\ndocument:\n${draft({ version: 1 })}[status]\nenable = true\n`,
      "status.enable is no part",
    ],
    [`cosigner policy bundle v1\ndocument:\n${draft({ version: 1 })}[callback]\nca_path = "x"\n`, "callback.ca_path"],
    [
      `cosigner policy bundle v1\ndocument:\n${draft({ version: 1 }).replace("version = 1", "version = 0")}`,
      "bundle.version",
    ],
    [`cosigner policy bundle v1\ndocument:\n${draft({ version: 1 }).replace('"24h"', '"60d"')}`, "bundle.delay"],
    [`cosigner policy bundle v1\ndocument:\n${draft({ version: 1, more: "other = 1" })}`, "bundle.other"],
  ] as const) {
    node.put(text)
    expect(() => node.look()).toThrow(problem)
  }
})
